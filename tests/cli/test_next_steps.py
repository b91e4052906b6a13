"""What a newcomer stumbled over: each answer says the next step, and none says what is not so."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.errors import Misconfigured
from cadencebus.store.paths import find_home

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence, Eventually


@pytest.fixture
def failed(cadence: Cadence, define: Define, enqueue: Callable[..., str]) -> str:
    """Let a tick die, which said why on its standard error only."""
    define("bad", "echo 'no such host' >&2; exit 3", retries=0, circuit={"failures": 1})
    tick = enqueue("bad")
    cadence("run", "--drain", "--quiet")
    return tick


def test_a_failed_run_leads_on_to_its_end(cadence: Cadence, failed: str, screen: Screen) -> None:
    """To where it is printed, to what closes its circuit and its hold, to the tick that came after it."""
    assert (
        f"something to stderr; ended: crash (it failed: no such host (exit 3)): cadence show {failed[-8:]}"
        in cadence("logs", "bad").stderr
    )
    assert cadence("wait", failed).stderr.endswith(f": cadence show {failed[-8:]}\n")
    assert "cadence circuit reset bad" in cadence("circuit").stderr
    assert "cadence resume" in cadence("holds").stderr
    shown = screen("show", failed, columns=60)
    assert max(len(line) for line in shown.splitlines() if "/" not in line) <= 60
    assert "alive" not in shown.split("story")[0]
    (new,) = cadence("dead", "retry", failed).stdout.split()
    for words in (["dead", "retry", failed[-8:]], ["show", failed]):
        again = cadence(*words)
        assert again.returncode == 66
        assert f"was already retried, as {new}" in again.stderr
        assert f"cadence show {new[-8:]}" in again.stderr


def aside(home: Path, environment: dict[str, str], *words: str) -> str:
    """What the command tells the person at a terminal, beside its answer."""
    ours, theirs = pty.openpty()
    program = Path(sys.executable).with_name("cadence")
    subprocess.run(
        [program, *words], env=environment, cwd=home, stdout=subprocess.DEVNULL, stderr=theirs, check=True
    )
    # Something to read in any case.
    os.write(theirs, b".")
    os.close(theirs)
    try:
        return os.read(ours, 4096).decode()
    finally:
        os.close(ours)


def test_who_enqueues_by_hand_is_told_why_nothing_happens(
    home: Path, cadence: Cadence, define: Define, environment: dict[str, str]
) -> None:
    """At a terminal; a program hears the id and nothing else."""
    define("hello")
    assert "no consumer is up: cadence up, or cadence run --drain" in aside(
        home, environment, "enqueue", "hello"
    )
    (home / "state" / "STOP").touch()
    assert "stopped: nothing starts until cadence start" in aside(home, environment, "enqueue", "hello")
    assert aside(home, environment, "enqueue", "hello", "--quiet") == "."
    assert cadence("enqueue", "hello").stderr == ""


def test_the_doctor_fits_a_phone(home: Path, cadence: Cadence, failed: str, screen: Screen) -> None:
    """A terminal gets each cure on a line of its own; a pipe one line each finding."""
    (home / "prompts" / "bad.md").unlink()
    (home / "state" / "inbox" / "5-20261121T023000.000001Z-gone-7f3k9q2m.json").write_text("{}")
    shown = screen("doctor", columns=60)
    assert max(map(len, shown.splitlines())) <= 60
    assert "→ put prompts/gone.md back, or: cadence rm --cadence  \n        gone" in shown
    piped = cadence("doctor").stdout
    assert "1 tick of gone waits, and prompts/gone.md does not exist  →  put" in piped
    assert "1 dead letter is new today" in piped


def test_resume_does_not_call_waiting_what_runs(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """The consumer may be faster than the hand: the run that it starts is no reason to wait."""
    define("long", "sleep 60")
    consumer()
    enqueue("long")
    eventually(lambda: list((home / "state" / "claimed").iterdir()))
    cadence("pause", "long")
    assert "still waits" not in cadence("resume", "long").stderr


def test_half_a_home_is_known_as_one(tmp_path: Path) -> None:
    """Whoever removed prompts/ is not told that he is nowhere, nor sent to another home further up."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "state").mkdir()
    inner = tmp_path / "inner"
    (inner / "state").mkdir(parents=True)
    (inner / "state" / "FORMAT").write_text("1\n")
    for given in (None, str(inner)):
        with pytest.raises(Misconfigured) as refused:
            find_home(given, {}, str(inner))
        assert refused.value.message == f"{inner} is half a home: prompts/ is missing"
        # An empty folder in its place, and what waits would die as unknown.
        assert str(refused.value.next_step).startswith("put it back (`git checkout`, a backup)")
    (inner / "state" / "FORMAT").unlink()
    assert find_home(None, {}, str(inner)).root == str(tmp_path)


def test_a_story_is_told_in_words(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Names of events are for programs."""
    define("work")
    tick = enqueue("work")
    day = f"{tick[:4]}-{tick[4:6]}-{tick[6:8]}"
    lines: list[dict[str, Any]] = [
        {"event": "schedule.fired", "slot": "2026-11-21T02:30:00Z", "late": 0.0},
        {"event": "schedule.skipped", "reason": "the tick that still waits stands for it"},
    ]
    with (home / "state" / "events" / f"{day}.jsonl").open("a") as journal:
        for line in lines:
            journal.write(json.dumps({"at": "2026-11-21T02:30:00Z", "tick": tick, **line}) + "\n")
    shown = cadence("show", tick).stdout
    assert "schedule." not in shown
    assert "another firing  the tick that still waits stands for it" in shown
