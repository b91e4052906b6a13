"""`cadence stop`, `start`, `kill`: what an operator ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.session import reap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def running(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> str:
    """Let a session run that has left a child behind."""
    define("long", "(setsid sleep 300 &) ; touch started; sleep 300", kill_grace="1s")
    tick = enqueue("long")
    consumer()
    eventually((home / "started").exists, message="the session runs")
    (home / "started").unlink()
    return tick


def test_a_stopped_bus_starts_nothing_not_even_what_is_forced(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Until `start`; both are journalled."""
    define("work")
    assert cadence("stop").returncode == 0
    assert (home / "state" / "STOP").exists()
    consumer()
    forced = enqueue("work", "--force")
    assert cadence("wait", forced, "--timeout", "1s").returncode == 75
    assert json.loads(cadence("stop", "--json").stdout)["was_stopped"] is True
    assert cadence("start").stdout == "the stop is lifted\n"
    eventually(lambda: forced in ticks("done"))
    assert cadence("start").stdout == "it was not stopped\n"
    told = (next((home / "state" / "events").iterdir())).read_text()
    assert told.count('"stop.set"') == told.count('"stop.released"') == 1


def test_kill_ends_the_whole_tree_and_finishes_the_tick(cadence: Cadence, running: str, ticks: Ticks) -> None:
    """When it answers, no process of the run is left and the tick lies in done/ as `killed`."""
    ended = cadence("kill", running[-8:])
    assert (ended.returncode, ended.stdout) == (0, f"{running} was killed\n")
    assert not reap.marked(f"{running}.1")
    assert ticks("done")[running]["outcome"]["status"] == "killed"


def test_a_requeued_tick_runs_again_and_nothing_is_counted(
    home: Path, cadence: Cadence, running: str, ticks: Ticks, eventually: Eventually
) -> None:
    """It goes back to the queue, and from there to its next run."""
    assert cadence("kill", running, "--requeue", "--json").returncode == 0
    eventually((home / "started").exists, message="it runs again")
    (attempt,) = eventually(lambda: ticks("claimed")[running]["attempts"])
    assert (attempt["class"], attempt["counted"]) == ("killed", False)
    assert not reap.marked(f"{running}.1")


def test_a_kill_without_a_consumer_is_settled_by_the_next(
    home: Path, cadence: Cadence, running: str, ticks: Ticks, eventually: Eventually
) -> None:
    """The shim ends its run by itself; the reason is on disk."""
    consumer = json.loads((home / "state" / "consumer.json").read_text())["pid"]
    os.kill(consumer, signal.SIGTERM)
    eventually(lambda: not (home / "state" / "consumer.json").exists(), message="the consumer left")
    ended = cadence("kill", running)
    assert ended.returncode == 0
    assert "no consumer is up" in ended.stderr
    assert not reap.marked(f"{running}.1")
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert ticks("done")[running]["outcome"]["status"] == "killed"


def test_stop_kill_ends_what_runs_and_requeues_it(cadence: Cadence, running: str, ticks: Ticks) -> None:
    """Nothing is lost, nothing starts again before `start`."""
    ended = cadence("stop", "--kill", "--json")
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == {
        "stop": True,
        "was_stopped": False,
        "killed": [f"{running}.1"],
        "alive": [],
    }
    assert not reap.marked(f"{running}.1")
    assert list(ticks("inbox")) == [running]


def test_what_does_not_run_is_not_killed(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Exit 66, with the verb that fits."""
    define("work")
    waiting = enqueue("work")
    ended = cadence("kill", waiting)
    assert ended.returncode == 66
    assert "cadence rm" in ended.stderr
    cadence("rm", waiting)
    assert cadence("kill", waiting).returncode == 66


def test_a_session_may_be_named_by_its_cadence(
    cadence: Cadence, define: Define, running: str, ticks: Ticks
) -> None:
    """Where just one of it runs; a cadence that does not run is 66."""
    define("idle")
    assert cadence("kill", "idle").returncode == 66
    assert cadence("kill", "long").stdout == f"{running} was killed\n"
    assert running in ticks("done")


def test_a_full_disk_does_not_keep_anybody_from_stopping(home: Path, environment: dict[str, str]) -> None:
    """The name alone stops: it needs no room for data."""
    # Whoever may write no byte into a file finds the disk full, whatever it has.
    words = ["sh", "-c", "ulimit -f 0; exec cadence stop"]
    ended = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "stopped: nothing new starts\n"
    assert (home / "state" / "STOP").exists()
