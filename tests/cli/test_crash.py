"""An operator's command that is killed before any of its steps loses nothing and doubles nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Hothouse

    Ticks = Callable[[str], dict[str, dict[str, Any]]]

# Dies before the nth call that changes the disk or makes it durable, as if by kill -9.
DIES = """
import os
left = {steps}
def deadly(name):
    real = getattr(os, name)
    def call(*args, **keys):
        global left
        left -= 1
        if left < 0:
            os._exit(137)
        return real(*args, **keys)
    setattr(os, name, call)
for name in ("rename", "link", "unlink", "mkdir", "fsync", "write", "open"):
    deadly(name)
"""
FOLDERS = ("inbox", "deferred", "claimed", "done", "dead")


@pytest.fixture
def die(hothouse: Hothouse, home: Path, environment: dict[str, str]) -> Callable[..., bool]:
    """Run a command that is killed before its nth step; False where it had fewer."""

    def run(step: int, *words: str) -> bool:
        ended = hothouse.run(*words, env=environment, cwd=home, before=DIES.replace("{steps}", str(step)))
        assert ended.returncode in {0, 137}, ended.stderr
        return ended.returncode == 137

    return run


def places(home: Path) -> Counter[str]:
    """Count in how many places each tick lies."""
    found: Counter[str] = Counter()
    for folder in FOLDERS:
        for path in (home / "state" / folder).rglob("*.json"):
            stem = path.stem.rpartition("~")[2]
            found[f"{stem[2:25]}-{stem[-8:]}"] += 1
    return found


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("rm", []),
        ("bump", []),
        ("edit", ["--set", "n=2", "--priority", "1"]),
        ("edit", ["--not-before", "2099-01-01T00:00:00Z"]),
    ],
)
def test_a_waiting_tick_lies_in_one_place_whenever_its_handler_dies(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    die: Callable[..., bool],
    verb: str,
    words: list[str],
) -> None:
    """From inbox/ and from deferred/; afterwards it still can be handled, and ends once."""
    define("work", enabled=False, overlap="queue")
    step, ids = 0, []
    died = True
    while died:
        ready, late = enqueue("work", "--set", f"n={step}"), enqueue("work", "--in", "1h")
        ids += [ready, late]
        died = [die(step, verb, tick, *words) for tick in (ready, late)] != [False, False]
        assert places(home) == dict.fromkeys(ids, 1), step
        step += 1
    assert step > 5, "nothing was ever killed"
    done = {path.stem[2:25] + "-" + path.stem[-8:] for path in (home / "state" / "done").rglob("*.json")}
    waiting = [tick for tick in ids if tick not in done]
    if waiting:
        assert cadence("rm", *waiting).returncode == 0
    define("work")
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert places(home) == dict.fromkeys(ids, 1)


@pytest.mark.parametrize("what", ["retry", "purge"])
def test_a_letter_leaves_dead_once_however_often_its_going_is_cut_off(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    die: Callable[..., bool],
    what: str,
) -> None:
    """Killed before each step and done again, a retry makes one tick of each; the archive has them all."""
    define("bad", "exit 3", retries=0)
    old = [enqueue("bad", "--set", "n=1") for _ in range(2)]
    cadence("run", "--drain", "--quiet")
    assert len(ticks("dead")) == 1
    step = 0
    while die(step, "dead", what, "--all"):
        step += 1
        assert len(ticks("inbox")) <= 2
    assert step > 5, "nothing was ever killed"
    assert not list((home / "state" / "dead").iterdir())
    archive = (home / "state" / "dead-archive.jsonl").read_text().splitlines()
    assert json.loads(archive[-1])["letter"]["id"] in old
    back = ticks("inbox")
    assert sorted(tick["retry_of"] for tick in back.values()) == (sorted(old) if what == "retry" else [])


def test_an_init_that_was_cut_off_is_finished_by_the_next(
    tmp_path: Path, cadence: Cadence, die: Callable[..., bool]
) -> None:
    """After each step the same command completes the home."""
    step, root = 0, tmp_path / "new"
    while die(step, "init", str(root)):
        step += 1
    assert step > 10
    assert cadence("check", "--home", root).returncode == 0
    assert cadence("enqueue", "hello", "--home", root).returncode == 0
    for path in (root, *root.rglob("*")):
        assert os.stat(path).st_mode & 0o077 == 0, path
