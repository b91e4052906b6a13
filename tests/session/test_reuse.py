"""A shim whose run left nothing behind leads another: it takes nothing along from the one to the other."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.session import launch, life, process_tree, shim

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.session.launch import Launcher
    from tests.conftest import Eventually
    from tests.session.conftest import Session, Start

SOON = 10.0


def gone(pid: int, eventually: Eventually) -> bool:
    """Wait until a process is no more."""
    return eventually(lambda: process_tree.look(pid) is None)


def test_the_next_run_has_the_same_shim_and_nothing_else_of_the_last(
    start: Start, launcher: Launcher
) -> None:
    """Its folder, its records, its working folder; not the memory and the time that the last one took."""
    greedy = "x = bytearray(b'x') * (64 << 20)\nimport time\nwhile time.process_time() < 0.2: pass"
    first = start(argv=(sys.executable, "-S", "-E", "-c", greedy), listen=True, wait=False)
    assert launcher.over_within(first.handle, SOON)
    assert not first.alive
    second = start("say", "there", listen=True, wait=False)
    assert second.shim == first.shim
    assert launcher.over_within(second.handle, SOON)
    assert (first.over(), second.over()) == ("exit.0", "exit.0")
    assert (first.said, second.said) == ("", "there\n")
    ends = [life.exit_record(str(run.folder)) for run in (first, second)]
    (one, peak), (other, low) = [(end.cpu_s or 0, end.peak_rss or 0) for end in ends if end is not None]
    assert one >= 0.2 > other
    assert peak > 64 << 20 > low
    notes = [life.read_alive(str(run.folder)) for run in (first, second)]
    assert [note.swept for note in notes if note] == [True, True]
    assert len({note.pid for note in notes if note}) == 2
    assert os.readlink(f"/proc/{second.shim}/cwd") == "/"


@pytest.mark.parametrize("command", ["exit 0", "exit 3", "kill -9 $$"])
def test_what_it_tells_is_what_its_record_says(start: Start, launcher: Launcher, command: str) -> None:
    """Whoever listened and whoever comes later judge the same end."""
    run = start(argv=("sh", "-c", command), listen=True, wait=False)
    told = launcher.over_within(run.handle, SOON)
    assert told is not None
    written = life.exit_record(str(run.folder))
    assert written is not None
    assert told.ended_at == pytest.approx(written.ended_at, abs=1e-5)
    assert replace(told, ended_at=written.ended_at) == written


def test_it_holds_nothing_open_of_a_run_that_is_over(start: Start, launcher: Launcher) -> None:
    """A hundred thousand runs must not be the end of its descriptors."""
    seen = []
    for _ in range(3):
        run = start("ok", listen=True, wait=False)
        assert launcher.over_within(run.handle, SOON)
        seen.append((run.shim, len(os.listdir(f"/proc/{run.shim}/fd"))))
    assert len(set(seen)) == 1


@pytest.mark.parametrize("words", [("double-fork", "30"), ("die", "9")])
def test_a_run_that_left_somebody_or_failed_is_over_all_the_same(
    start: Start, launcher: Launcher, words: tuple[str, ...]
) -> None:
    """What it left is killed before anybody is told that it is over."""
    run = start(*words, listen=True, wait=False)
    assert launcher.over_within(run.handle, SOON)
    note = life.read_alive(str(run.folder))
    assert note is not None
    assert note.swept
    assert not run.alive
    assert start("ok").over() == "exit.0"


def test_one_that_nobody_listens_to_goes_with_its_run(
    start: Start, launcher: Launcher, eventually: Eventually
) -> None:
    """The consumer gave the run up to its watch, or died."""
    run = start("hang", listen=True)
    assert not launcher.over_within(run.handle, 0.05)
    os.kill(run.pid, signal.SIGTERM)
    assert run.over() == "exit.sig15"
    assert gone(run.shim, eventually)


def free_one(start: Start, launcher: Launcher) -> Session:
    """A shim that waits for its second run."""
    run = start("ok", listen=True, wait=False)
    assert launcher.over_within(run.handle, SOON)
    return run


def test_a_run_that_was_ended_is_the_last_of_its_shim(
    start: Start, launcher: Launcher, eventually: Eventually
) -> None:
    """Who can tell what of the ladder is still on its way."""
    run = start("hang", timeout=0.1, listen=True)
    assert not launcher.over_within(run.handle, SOON)
    assert run.over() == "exit.sig15"
    assert gone(run.shim, eventually)


def test_one_that_is_killed_while_it_waits_again_is_replaced(
    start: Start, launcher: Launcher, eventually: Eventually
) -> None:
    """As many as there are: none of them is an excuse for a run that does not start."""
    runs = [start("sleep", "0.1", listen=True) for _ in range(2)]
    assert all(launcher.over_within(run.handle, SOON) for run in runs)
    for run in runs:
        os.kill(run.shim, signal.SIGKILL)
        assert gone(run.shim, eventually)
    assert start("say", "done").over() == "exit.0"


def test_no_more_than_two_wait_and_all_go_with_the_consumer(
    start: Start, launcher: Launcher, eventually: Eventually
) -> None:
    """Nothing is left of a bus that was stopped while nothing ran."""
    runs = [start("sleep", "0.1", listen=True) for _ in range(3)]
    assert all(launcher.over_within(run.handle, SOON) for run in runs)
    assert gone(runs[2].shim, eventually)
    assert process_tree.look(runs[0].shim)
    launcher.close()
    assert all(gone(run.shim, eventually) for run in runs)


def test_a_request_to_end_the_last_run_does_not_end_this_one(start: Start, launcher: Launcher) -> None:
    """It was on its way when that run ended by itself; a request of its own is heard at once."""
    former = free_one(start, launcher)
    run = start("tell-signals", "hang", listen=True)
    assert run.shim == former.shim
    run.hears("listening")
    os.kill(run.shim, signal.SIGUSR1)
    assert not launcher.over_within(run.handle, 0.5)
    assert run.alive
    assert "heard" not in run.said
    (run.folder / "ending.json").write_text("{}")
    assert life.request_end(str(run.folder))
    run.hears("heard SIGTERM")
    assert run.over() in {"exit.0", "exit.sig9"}


def test_a_request_without_a_reason_is_heard_a_second_later(start: Start, launcher: Launcher) -> None:
    """On a full disk nobody can write down why."""
    free_one(start, launcher)
    run = start("hang", listen=True)

    def asked() -> bool:
        with contextlib.suppress(ProcessLookupError):
            os.kill(run.shim, signal.SIGUSR1)
        return not run.alive

    run.eventually(asked, message="it is ended")
    assert run.over() == "exit.sig15"


def test_after_so_many_runs_a_fresh_one_takes_its_place(
    start: Start, launcher: Launcher, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last of them is over like any other, and the next start finds another shim."""
    few = "from cadencebus.session import launcher; launcher._RUNS_EACH = 2; from cadencebus"
    monkeypatch.setattr(launch, "_LAUNCH", launch._LAUNCH.replace("from cadencebus", few))
    first, second = free_one(start, launcher), free_one(start, launcher)
    assert first.shim == second.shim
    assert gone(second.shim, eventually)
    third = free_one(start, launcher)
    assert third.over() == "exit.0"
    assert third.shim != first.shim


def test_a_shim_gives_no_word_of_an_end_that_it_could_not_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens believes its word; without a record beside it a crash would make another end of it."""
    monkeypatch.setattr(shim, "_RECORD_S", 0.0)
    for name in ("kept", "removed"):
        (tmp_path / name).mkdir()
        leader = shim.Shim({"ladder": ()}, -1, first=True)
        leader.folder = os.open(tmp_path / name, os.O_RDONLY)
        if name == "removed":
            (tmp_path / name).rmdir()
        leader._record("exit.0")
        os.close(leader.folder)
        assert (leader.end is not None) is (name == "kept")
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["exit.0"]
