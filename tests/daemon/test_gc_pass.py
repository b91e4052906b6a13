"""Invariant 11 on real folders: whatever a home looks like, nothing that runs, waits or is spoken of goes."""

from __future__ import annotations

import fcntl
import json
import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import day, rfc3339, stamp
from cadencebus.daemon import gc_pass
from cadencebus.daemon.gc_pass import GcPass, Tally
from cadencebus.model.naming import name_in
from cadencebus.policy.retention import DAY, Keep
from cadencebus.store import archive
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.model.naming import Name

NOW = time.time()
KEEP = Keep(done=5 * DAY, runs=5 * DAY, events=5 * DAY, dead=5 * DAY, keys=5 * DAY)
STATES = ("inbox", "deferred", "claimed", "done", "dead")


def populate(state: Path, chance: random.Random) -> tuple[set[Path], list[int]]:
    """Fill a home by chance; what must survive any gc, and the locks that keep runs alive."""
    needed: set[Path] = set()
    locks = []
    for number in range(60):
        born, folder = NOW - chance.random() * 20 * DAY, chance.choice(STATES)
        name = f"5-{stamp(born)}-brief-{number:08d}.json"
        tick = f"{stamp(born)}-{number:08d}"
        died = NOW - chance.random() * 10 * DAY
        where = state / {"done": f"done/{day(died)}"}.get(folder, folder)
        where.mkdir(exist_ok=True)
        prefix = f"{stamp(NOW + DAY)}~" if folder == "deferred" else ""
        (where / f"{prefix}{name}").write_text(json.dumps({"cadence": "brief"}))
        os.utime(where / f"{prefix}{name}", (died, died))
        if folder in {"inbox", "deferred", "claimed"} or NOW - died < 4 * DAY:
            needed.add(where / f"{prefix}{name}")
        for run in range(1, chance.randrange(4)):
            path = state / "runs" / day(born) / f"{tick}.{run}"
            path.mkdir(parents=True)
            touched = NOW - chance.random() * 20 * DAY
            os.close(os.open(path / "alive", os.O_CREAT))
            if chance.random() < 0.1:
                locks.append(os.open(path / "alive", os.O_RDWR))
                fcntl.flock(locks[-1], fcntl.LOCK_EX)
                needed.add(path)
            os.utime(path, (touched, touched))
            if folder in {"inbox", "deferred", "claimed"} or NOW - touched < 4 * DAY:
                needed.add(path)
    return needed, locks


@pytest.mark.parametrize("seed", range(8))
def test_nothing_that_is_needed_is_ever_removed(home: Path, seed: int) -> None:
    """Sixty ticks, their runs, some of them alive; and what was old enough is gone by the second time."""
    needed, locks = populate(home / "state", random.Random(seed))
    try:
        for _ in range(2):
            gc = GcPass(Home(str(home)), KEEP, NOW)
            for _ in gc.steps():
                pass
            assert gc.tally.problems == []
            assert [path for path in needed if not path.exists()] == []
        again = GcPass(Home(str(home)), KEEP, NOW, dry_run=True)
        for _ in again.steps():
            pass
        assert not again.tally.any
    finally:
        for fd in locks:
            os.close(fd)


def test_a_part_that_fails_stops_no_other(home: Path) -> None:
    """Where a folder can't be read the rest is tidied, and the trouble is told."""
    at = NOW - 20 * DAY
    old = home / "state" / "done" / day(at)
    old.mkdir()
    (old / f"5-{stamp(at)}-brief-00000001.json").write_text("{}")
    (home / "state" / "archive").write_text("in the way")
    (home / "state" / "tmp" / "old").write_text("")
    os.utime(home / "state" / "tmp" / "old", (at, at))
    gc = GcPass(Home(str(home)), KEEP, NOW)
    for _ in gc.steps():
        pass
    assert gc.tally.tmp == 1
    assert gc.tally.problems == [f"archive/done-{day(at)}.jsonl.gz: Not a directory"]
    assert list(old.iterdir()), "what could not be archived stays"


@pytest.mark.parametrize("what", ["done", "dead", "runs", "events", "keys", "tmp"])
def test_whatever_went_was_something_to_do(what: str) -> None:
    """`cadence gc` must not say that nothing was old enough."""
    one = Tally()
    setattr(one, what, 1)
    assert one.any
    assert not Tally(problems=["one"]).any


OLD = NOW - 20 * DAY


def tidied(home: Path, *, dry_run: bool = False) -> Tally:
    """Go through a home once."""
    gc = GcPass(Home(str(home)), KEEP, NOW, dry_run=dry_run)
    for _ in gc.steps():
        pass
    return gc.tally


def ran(home: Path, number: int, run: int, touched: float = OLD) -> Path:
    """Leave the folder of a run of a tick that was made long ago."""
    path = home / "state" / "runs" / day(OLD) / f"{stamp(OLD)}-{number:08d}.{run}"
    path.mkdir(parents=True)
    (path / "stdout.log").write_text("said\n")
    os.utime(path, (touched, touched))
    return path


def test_all_runs_of_a_day_go_and_the_day_with_them(home: Path) -> None:
    """The first of them as the last; what has no run's name stays, and so does the day then."""
    folders = [ran(home, number, run) for number in range(3) for run in (1, 2)]
    theirs = folders[0].parent / "notes"
    theirs.mkdir()
    assert tidied(home, dry_run=True).runs == 6
    assert all(folder.exists() for folder in folders), "only said what would go"
    assert tidied(home).runs == 6
    assert list((home / "state" / "runs").glob("*/*")) == [theirs]
    theirs.rmdir()
    tidied(home, dry_run=True)
    assert theirs.parent.exists()
    tidied(home)
    assert not theirs.parent.exists()


def test_the_runs_of_a_tick_are_judged_together(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the batch is full between two of them: one that is young keeps all."""
    monkeypatch.setattr(gc_pass, "_A_BATCH", 1)
    kept = [ran(home, 1, 1), ran(home, 1, 2, NOW), ran(home, 1, 3)]
    gone = [ran(home, 2, 1), ran(home, 3, 1)]
    assert tidied(home).runs == 2
    assert [path.exists() for path in (*kept, *gone)] == [True, True, True, False, False]


def test_letters_that_an_operator_has_in_hand_are_left_to_him(home: Path) -> None:
    """`dead retry` holds them all; gc neither waits nor takes one away, nor the runs that it speaks of."""
    letter = home / "state" / "dead" / f"5-{stamp(OLD)}-brief-00000001.json"
    letter.write_text("{}")
    os.utime(letter, (OLD, OLD))
    ran(home, 1, 1)
    with archive.alone(str(letter.parent)):
        tally = tidied(home)
    assert (tally.dead, tally.runs, tally.problems) == (0, 0, [])
    assert letter.exists()
    tally = tidied(home)
    assert (tally.dead, tally.runs) == (1, 1)


def test_a_letter_is_as_old_as_it_says(home: Path) -> None:
    """One that says nothing, or nonsense, is as old as its file; what is no letter's name stays."""
    said = {
        1: ({"outcome": {"finished_at": rfc3339(NOW)}}, OLD),
        2: ({"outcome": {"finished_at": rfc3339(OLD)}}, NOW),
        3: ({"outcome": {"finished_at": "long ago"}}, OLD),
        4: ({"outcome": 7}, NOW),
        5: (None, OLD),
    }
    dead = home / "state" / "dead"
    for number, (members, touched) in said.items():
        path = dead / f"5-{stamp(OLD)}-brief-{number:08d}.json"
        path.write_text("{torn" if members is None else json.dumps(members))
        os.utime(path, (touched, touched))
    (dead / "notes.json").write_text("{}")
    os.utime(dead / "notes.json", (OLD, OLD))
    assert tidied(home).dead == 3
    assert sorted(path.name[-6:] for path in dead.iterdir()) == ["1.json", "4.json", "s.json"]


def test_what_has_a_runs_name_and_is_no_folder_is_nobodys_run(home: Path) -> None:
    """A file, a link to a folder elsewhere: neither goes, nor what it leads to."""
    folder = ran(home, 1, 1)
    elsewhere = home.parent / "elsewhere"
    elsewhere.mkdir()
    file, link = (folder.with_name(folder.name.replace("00000001", f"{n:08d}")) for n in (2, 3))
    file.touch()
    link.symlink_to(elsewhere)
    for path in (file, link):
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    assert tidied(home).runs == 1
    assert sorted(folder.parent.iterdir()) == [file, link]
    assert elsewhere.exists()


def test_of_what_is_being_written_nothing_is_taken(home: Path) -> None:
    """A young file is a producer's, a folder somebody's own; only what gc itself left goes at once."""
    tmp = home / "state" / "tmp"
    for name, touched in {
        "young": NOW,
        "old": OLD,
        "young.d": NOW,
        "old.d": OLD,
        ".gc-1": NOW,
        ".gc-2": OLD,
    }.items():
        path = tmp / name
        path.mkdir() if name.endswith(".d") else path.write_text("half")
        os.utime(path, (touched, touched))
    assert tidied(home).tmp == 3
    assert sorted(path.name for path in tmp.iterdir()) == ["old.d", "young", "young.d"]


def test_what_waits_is_only_taken_apart_where_it_may_be_meant(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million names are walked through for each batch of runs."""
    looked: list[str] = []

    def noted(file: str) -> Name | None:
        looked.append(file)
        return name_in(file)

    monkeypatch.setattr(gc_pass, "name_in", noted)
    old = stamp(NOW - 20 * DAY)
    for number in range(20):
        (home / "state" / "inbox" / f"5-{old}-brief-{number:08d}.json").write_text("{}")
    for number in (3, 99):
        run = home / "state" / "runs" / day(NOW - 20 * DAY) / f"{old}-{number:08d}.1"
        run.mkdir(parents=True)
        os.utime(run, (NOW - 20 * DAY, NOW - 20 * DAY))
    for _ in GcPass(Home(str(home)), KEEP, NOW).steps():
        pass
    assert set(looked) == {f"5-{old}-brief-{3:08d}.json"}
    assert [run.name for run in (home / "state" / "runs").glob("*/*")] == [f"{old}-{3:08d}.1"]
