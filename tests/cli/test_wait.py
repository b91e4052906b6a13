"""`cadence wait`: until ticks are finished, however they finish."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.cli import wait
from cadencebus.errors import NoSuch
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually


def test_each_end_has_its_word_and_its_exit_code(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Well is 0: ok, skipped, absorbed, duplicate. Anything else is 1, with the reason on standard error."""
    define("good")
    define("idle", guard=["sh", "-c", "exit 75"])
    define("bad", "exit 3", retries=0)
    ok, absorbed = enqueue("good"), enqueue("good")
    key, duplicate = (enqueue("good", "--key", "k") for _ in range(2))
    skipped, dead, expired = enqueue("idle"), enqueue("bad"), enqueue("good", "--ttl", "0s")
    cancelled = enqueue("good", "--in", "1h")
    cadence("rm", cancelled)
    cadence("run", "--drain", "--quiet")
    well = {ok: "ok", absorbed: "absorbed", key: "ok", duplicate: "duplicate", skipped: "skipped"}
    ended = cadence("wait", *well)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert dict(line.split() for line in ended.stdout.splitlines()) == well
    for tick, word in {dead: "dead", expired: "expired", cancelled: "cancelled"}.items():
        ended = cadence("wait", tick)
        assert (ended.returncode, ended.stdout) == (1, f"{tick} {word}\n")
        assert len(ended.stderr.splitlines()) == 1


def test_waiting_works_without_a_consumer_until_the_time_is_over(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Exit 75, and what it still waited for."""
    define("work")
    tick = enqueue("work")
    began = time.monotonic()
    ended = cadence("wait", tick, "--timeout", "0.5s")
    assert ended.returncode == 75
    assert tick in ended.stderr
    assert time.monotonic() - began >= 0.5
    assert cadence("wait", tick, "--timeout", "soon").returncode == 64


@pytest.fixture
def waiter(environment: dict[str, str], home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a command that is going to wait."""

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [Path(sys.executable).with_name("cadence"), *words],
            env=environment,
            cwd=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    return start


def test_whoever_waits_hears_of_the_end_when_it_comes(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    waiter: Callable[..., subprocess.Popen[str]],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """A tick that changes its name on the way, and one that is enqueued with --wait."""
    define("work", "test -e go", retries=0, priority=3)
    (home / "state" / "STOP").touch()
    consumer()
    tick = enqueue("work", "--set", "n=1")
    one, other = waiter("wait", tick), waiter("enqueue", "work", "--wait", "--json")
    eventually(lambda: len(list((home / "state" / "inbox").glob("3-*"))) == 2, message="both are renamed")
    (home / "go").touch()
    (home / "state" / "STOP").unlink()
    out, err = one.communicate(timeout=20)
    assert (one.returncode, out, err) == (0, f"{tick} ok\n", "")
    out, err = other.communicate(timeout=20)
    assert (other.returncode, err) == (0, "")
    accepted, ended = (json.loads(line) for line in out.splitlines())
    assert accepted["id"] == ended["id"]
    assert ended["outcome"]["status"] == "ok"


def test_a_tick_that_vanishes_is_not_waited_for_for_ever(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody removed it by hand: exit 66."""
    define("work")
    tick = enqueue("work")
    watch = wait._Watch(Home(str(home)), [tick])
    assert watch.look() == []
    for file in (home / "state" / "inbox").iterdir():
        file.unlink()
    monkeypatch.setattr(wait, "_LOOK_EVERYWHERE", 0.0)
    monkeypatch.setattr(wait, "_LOOK_ANYWAY", 0.0)
    with pytest.raises(NoSuch):
        watch.look()


def test_a_look_without_news_reads_no_folder(
    home: Path, define: Define, enqueue: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes, and however full the folders are."""
    define("work")
    watch = wait._Watch(Home(str(home)), [enqueue("work")])
    watch.look()

    def never(*_: Any) -> None:
        pytest.fail("a folder was looked through")

    monkeypatch.setattr(Spool, "ended", never)
    assert watch.look() == []


def test_a_tick_that_nobody_knows_is_said_at_once(cadence: Cadence) -> None:
    """Exit 66."""
    assert cadence("wait", "20261121T023000.123456Z-7f3k9q2m").returncode == 66
