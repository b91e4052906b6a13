"""HEARTBEAT.md in the home: its tasks are cadences like any other."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from cadencebus.errors import NoSuch
from cadencebus.store.badfile import BadFile
from cadencebus.store.paths import Home
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cadence

TRIAGE = "# Notes\n\ntasks:\n- name: triage\n  interval: 30m\n  prompt: Look for urgent mail.\n"
# As the consumer sees them: one value until cadence.yaml changes.
DEFAULTS = {"runner": "command", "command": ["cat"], "schedule": "0 9 * * *"}


def prompts(home: Path) -> Prompts:
    """Read this home."""
    return Prompts(Home(str(home)), lambda: DEFAULTS)


def test_a_task_is_a_cadence(home: Path) -> None:
    """With the bus's defaults below it, and its own interval instead of theirs."""
    (home / "HEARTBEAT.md").write_text(TRIAGE)
    known = prompts(home)
    assert known.names() == ["triage"]
    triage = known.load("triage")
    assert (triage.every, triage.schedule, triage.prompt) == (1800.0, None, "Look for urgent mail.")
    assert triage.command == ("cat",)
    assert known.load("triage") is triage


def test_an_edit_is_seen_and_only_an_edit_changes_the_digest(home: Path) -> None:
    """A new prompt is a new cadence; prose around it is not."""
    path = home / "HEARTBEAT.md"
    path.write_text(TRIAGE)
    known = prompts(home)
    before = known.load("triage")
    path.write_text(TRIAGE + "\n# More\n\nBe brief.\n")
    assert known.load("triage").digest == before.digest
    path.write_text(TRIAGE.replace("30m", "10m"))
    assert known.load("triage").every == 600.0
    path.unlink()
    assert known.names() == []
    with pytest.raises(NoSuch):
        known.load("triage")


def test_a_broken_task_is_a_broken_cadence_and_harms_no_other(home: Path) -> None:
    """Its ticks wait as those of any broken file do; they are not buried as somebody's unknown."""
    bad = "- name: bad\n  interval: often\n  prompt: p\n"
    (home / "HEARTBEAT.md").write_text(TRIAGE + bad)
    known = prompts(home)
    assert known.names() == ["bad", "triage"]
    assert known.load("triage").every == 1800.0
    with pytest.raises(BadFile, match=r"HEARTBEAT.md:8: interval: 'often' must be"):
        known.load("bad")


def test_what_is_wrong_with_the_defaults_is_told_at_the_task(home: Path) -> None:
    """There is nothing else to point at."""
    (home / "HEARTBEAT.md").write_text(TRIAGE)
    with pytest.raises(BadFile, match=r"HEARTBEAT.md:4: .*it comes from `defaults`"):
        Prompts(Home(str(home)), lambda: {"timeout": "soon"}).load("triage")


def test_a_file_of_the_same_name_wins(home: Path) -> None:
    """Whoever writes prompts/triage.md wants more than a heartbeat can say."""
    (home / "HEARTBEAT.md").write_text(TRIAGE)
    (home / "prompts" / "triage.md").write_text("---\nevery: 5m\n---\nOther\n")
    known = prompts(home)
    assert (known.names(), known.load("triage").every) == (["triage"], 300.0)


def test_a_file_that_turns_unreadable_is_not_taken_for_empty(home: Path) -> None:
    """What it asked for last stays; prose in another encoding makes nothing unreadable."""
    path = home / "HEARTBEAT.md"
    path.write_bytes(b"caf\xe9\n\n" + TRIAGE.encode())
    known = prompts(home)
    assert known.load("triage").every == 1800.0
    path.unlink()
    os.mkfifo(path)
    assert known.load("triage").every == 1800.0
    (problem,) = known.heartbeat.problems()
    assert str(problem) == "HEARTBEAT.md: not a regular file"


def test_a_task_can_be_enqueued_and_runs(home: Path, cadence: Cadence) -> None:
    """Everything that takes a cadence's name takes this one."""
    (home / "HEARTBEAT.md").write_text(TRIAGE)
    (home / "cadence.yaml").write_text("defaults: {command: [tee, seen]}\n")
    assert cadence("enqueue", "traige").returncode == 66
    assert cadence("enqueue", "triage").returncode == 0
    assert cadence("run", "--drain").returncode == 0
    assert (home / "seen").read_text().startswith("Look for urgent mail.")
    assert [row["name"] for row in json.loads(cadence("cadences", "--json").stdout)] == ["triage"]
