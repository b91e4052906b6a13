"""The folders of a tick's runs: each its own, and so many of them at most."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.model.tick import Tick
from cadencebus.store import files, runs
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0


def runs_had(home: Home, klass: str, *, most: int) -> int:
    """How many runs a tick is given, up to so many, when all of them end alike."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    for had in range(most):
        try:
            run = runs.make(home, tick)
        except runs.TooManyRuns:
            return had
        tick = tick.tried({"run": run.id, "class": klass, "counted": False})
        assert runs.latest(home, tick.id) == run
    return most


def test_fifty_runs_are_enough_but_what_never_started_is_none(home: Path) -> None:
    """An hour in which no process can be had must not be the end of the tick that waits at the front."""
    at = Home(str(home))
    assert runs_had(at, "interrupted", most=60) == 50
    assert runs_had(at, "no_resources", most=200) == 200


def test_a_record_whose_folder_was_removed_is_not_written(home: Path) -> None:
    """Nor is it an error: whoever has a tick to settle goes on."""
    run = runs.folder(Home(str(home)), new_id(NOW), 1)
    runs.rewrite(run, {"class": "ok"})
    assert not os.path.exists(run.path)
    assert runs.intend(run, {"class": "killed"})


@pytest.mark.parametrize("removed", [0, 1])
def test_the_latest_run_is_found_behind_those_that_were_removed(home: Path, removed: int) -> None:
    """Retention takes the first ones first."""
    at = Home(str(home))
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    made = [runs.make(at, tick) for _ in range(3)]
    for run in made[:removed]:
        os.rmdir(run.path)
    assert runs.latest(at, tick.id) == made[-1]


def test_a_claim_is_safe_in_its_new_place_before_it_is_gone_from_the_old_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without a journal writes the two folders of a rename on their own."""
    at = Home(str(home))
    claimed, inbox = os.stat(at.claimed).st_ino, os.stat(at.inbox).st_ino
    told: list[tuple[str, int]] = []
    whole = files.sync

    def slow(fd: int) -> None:
        inode = os.fstat(fd).st_ino
        told.append(("begun", inode))
        if inode == claimed:
            # Time enough for what does not wait for it to come first.
            time.sleep(0.05)
        whole(fd)
        told.append(("done", inode))

    monkeypatch.setattr(files, "sync", slow)
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    runs.furnish(at, runs.make(at, tick), b"{}", b"", {"pid": None})
    assert told.index(("done", claimed)) < told.index(("begun", inbox))
