"""The folders of a tick's runs: each its own, and so many of them at most."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import parse_rfc3339
from cadencebus.model.tick import Tick
from cadencebus.store import files, runs
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Witness

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


def test_a_tick_that_tells_of_runs_that_were_none_gets_its_first(home: Path) -> None:
    """A superscript two is a digit, and no number; the next of what can't be counted is the first."""
    attempts: tuple[dict[str, Any], ...] = (
        {"run": "x.\N{SUPERSCRIPT TWO}"},
        {"run": f"x.{'9' * 5000}"},
        {"run": None},
        {},
    )
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW, attempts=attempts)
    run = runs.make(Home(str(home)), tick)
    assert (run.tick_id, run.number) == (tick.id, 1)
    assert runs.named(Home(str(home)), run.id) == run
    assert runs.named(Home(str(home)), "x.1") is None


@pytest.mark.parametrize("kind", ["link", "circle", "folder", "text"])
def test_what_a_session_put_in_the_place_of_its_record_is_set_aside(home: Path, kind: str) -> None:
    """A link there was taken for a disk in trouble: one session held the whole bus, for good."""
    run = runs.make(Home(str(home)), Tick(id=new_id(NOW), cadence="x", created_at=NOW))
    record = Path(run.file("run.json"))
    if kind in {"link", "circle"}:
        record.symlink_to("/etc/passwd" if kind == "link" else "run.json")
    else:
        record.mkdir() if kind == "folder" else record.write_text("{")
    told = runs.set_torn_record_aside(run, NOW)
    assert told is not None
    assert "run.json can't be read" in told
    assert not os.path.lexists(record)
    assert runs.set_torn_record_aside(run, NOW) is None


def test_a_record_whose_folder_was_removed_is_not_written(home: Path) -> None:
    """Nor is it an error: whoever has a tick to settle goes on."""
    run = runs.folder(Home(str(home)), new_id(NOW), 1)
    runs.rewrite(run, {"class": "ok"})
    assert not os.path.exists(run.path)
    assert runs.write_ending(run, {"class": "killed"})


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


def made(home: Path, **changes: Any) -> tuple[Home, Tick, runs.RunFolder]:
    """Make a tick's next run."""
    at, tick = Home(str(home)), Tick(id=new_id(NOW), cadence="x", created_at=NOW, **changes)
    return at, tick, runs.make(at, tick)


def test_a_run_is_a_folder_of_its_own_by_day_and_number(home: Path, witness: Witness) -> None:
    """For its owner alone; a folder that is there, or an attempt that is told of, was a run."""
    at, tick, first = made(home)
    assert first.path == f"{at.state}/runs/2027-01-15/{tick.id}.1"
    assert (first.id, first.number, first.tick_id) == (f"{tick.id}.1", 1, tick.id)
    assert os.stat(first.path).st_mode & 0o777 == 0o700
    assert witness.seen == ["sync runs"], "the day's name, once"
    assert runs.make(at, tick).number == 2
    assert witness.seen == ["sync runs"]
    told = replace(tick, attempts=({"run": f"{tick.id}.6"}, {"run": "nonsense"}, {}))
    assert runs.make(at, told).number == 7
    assert [run.number for run in runs.every(at, tick.id)] == [1, 2, 7]
    assert runs.latest(at, new_id(NOW)) is None


def test_a_record_is_made_anew_and_read(home: Path) -> None:
    """What killed writers left in the way is no hindrance; what is none says nothing."""
    _, _, run = made(home)
    assert runs.record(run) == {}
    Path(run.file(".run.json")).write_text("half")
    runs.rewrite(run, {"a": 1})
    assert runs.record(run) == {"a": 1}
    assert os.listdir(run.path) == ["run.json"]
    Path(run.file("run.json")).write_text("[]")
    assert runs.record(run) == {}


def test_the_first_reason_for_an_end_stands(home: Path, witness: Witness) -> None:
    """Safe before anybody signals; the second writer is told that he was late."""
    _, _, run = made(home)
    assert runs.read_ending(run) is None
    assert runs.write_ending(run, {"class": "timeout"})
    day = run.path.removeprefix(f"{home}/state/")
    note = witness.at(f"sync {day}/.ending…")
    assert note < witness.at(f"link {day}/ending.json") < witness.at(f"sync {day}")
    assert not runs.write_ending(run, {"class": "killed"})
    assert runs.read_ending(run) == {"class": "timeout"}


def test_a_reason_is_there_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of one is a reason, too: the run would be taken for one that somebody wants back uncounted."""
    _, _, run = made(home)
    seen: list[object] = []
    write_all = files.write_all

    def watched(fd: int, data: bytes) -> None:
        seen.append(runs.read_ending(run))
        write_all(fd, data)

    monkeypatch.setattr(files, "write_all", watched)
    assert runs.write_ending(run, {"class": "timeout"})
    assert seen == [None]
    assert not runs.write_ending(run, {"class": "killed"})
    assert not [name for name in os.listdir(run.path) if name.startswith(".ending")]


def test_a_reason_that_cannot_be_written_or_read_stops_no_end(home: Path) -> None:
    """Better unexplained than unending; and who was ended on purpose is not counted."""
    _, _, run = made(home)
    Path(run.file("ending.json")).write_text("{")
    note = runs.read_ending(run)
    assert note is not None
    assert (note["class"], note["by"], note["requeue"]) == ("killed", "unknown", True)
    assert parse_rfc3339(note["at"]) == 0
    os.unlink(run.file("ending.json"))
    os.rmdir(run.path)
    assert runs.write_ending(run, {"class": "killed"})
    Path(run.path).write_text("a session's own")
    assert runs.write_ending(run, {"class": "killed"})


@pytest.mark.parametrize("trouble", [errno.EIO, errno.EMFILE])
def test_a_note_that_the_disk_does_not_show_now_is_none_to_go_by(
    home: Path, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    """As a rule there is none: a run that ended well was taken for one that was ended, and run again."""
    _, _, run = made(home)

    def refuse(path: str, *_: object) -> int:
        raise OSError(trouble, os.strerror(trouble), path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with pytest.raises(OSError, match=r"ending\.json"):
            runs.read_ending(run)
    assert runs.read_ending(run) is None
    os.symlink("ending.json", run.file("ending.json"))
    assert (runs.read_ending(run) or {})["requeue"], "what a session put there is another matter"


def test_what_a_run_stands_for_is_safe_and_adds_up(home: Path, witness: Witness) -> None:
    """Over all runs of the tick up to this one, each once; a torn last line was not yet said."""
    at, tick, first = made(home)
    second, third = runs.make(at, tick), runs.make(at, tick)
    runs.absorb(first, ["a", "b"])
    day = first.path.removeprefix(f"{home}/state/")
    assert witness.seen[-2:] == [f"sync {day}/absorbed", f"sync {day}"]
    runs.absorb(second, ["b", "c"])
    runs.absorb(second, ["d"])
    runs.absorb(third, ["e"])
    with open(second.file("absorbed"), "a") as torn:
        torn.write("tor")
    assert runs.absorbed(at, first) == ["a", "b"]
    assert runs.absorbed(at, second) == ["a", "b", "c", "d"]
    assert runs.absorbed(at, third) == ["a", "b", "c", "d", "e"]


def test_of_a_log_its_beginning_or_its_end_is_read(home: Path) -> None:
    """To the byte; what is no file of ours is empty, and no pipe is waited for."""
    _, _, run = made(home)
    log = run.file("stdout.log")
    Path(log).write_bytes(b"0123456789")
    assert (runs.head(log, 3), runs.tail(log, 3)) == (b"012", b"789")
    assert (runs.head(log), runs.tail(log)) == (b"0123456789", b"0123456789")
    os.symlink(log, run.file("link"))
    os.mkfifo(run.file("pipe"))
    for name in ("gone", "link", "pipe", "."):
        assert (runs.head(run.file(name)), runs.tail(run.file(name))) == (b"", b""), name


def test_logs_without_a_byte_are_dropped(home: Path) -> None:
    """The others are kept."""
    _, _, run = made(home)
    Path(run.file("stdout.log")).touch()
    Path(run.file("stderr.log")).write_text("x")
    for _ in range(2):
        runs.drop_empty_logs(run)
        assert os.listdir(run.path) == ["stderr.log"]


def test_what_a_session_puts_in_the_way_holds_up_nobody(home: Path) -> None:
    """Folders, links and rubbish under the names of the bus: no disk is in trouble because of it."""
    at, tick, run = made(home)
    for name in ("run.json", ".run.json", "absorbed", "stdout.log"):
        os.mkdir(run.file(name))
    runs.rewrite(run, {"a": 1})
    runs.drop_empty_logs(run)
    assert runs.record(run) == {}
    assert runs.absorbed(at, run) == []
    second = runs.make(at, tick)
    Path(second.file("absorbed")).write_bytes(b"one\n\xff\n")
    assert "one" in runs.absorbed(at, second)
    os.mkfifo(runs.make(at, tick).file("absorbed"))
    assert "one" in runs.absorbed(at, runs.folder(at, tick.id, 3))


@pytest.mark.parametrize("put", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/null", path)])
def test_a_run_in_whose_folder_nothing_can_be_noted_stands_for_no_other_tick(
    home: Path, put: Callable[[str], None]
) -> None:
    """A session put something else there: the others wait for runs of their own, and nobody for a reader."""
    at = Home(str(home))
    run = runs.make(at, Tick(id=new_id(NOW), cadence="x", created_at=NOW))
    put(run.file("absorbed"))
    assert not runs.absorb(run, ["a"])
    os.rename(run.file("absorbed"), run.file("elsewhere"))
    assert runs.absorb(run, ["a"])
