"""Processes as they are looked at where there is no /proc: the same answers, by a library."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from cadencebus.session import identity, launch, life, process_tree, reap, shim, usage
from cadencebus.session.launch import Launcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Eventually
    from tests.session.conftest import Start

ELSEWHERE = Path(__file__).parents[1] / "doubles" / "elsewhere" / "sitecustomize.py"


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on no Linux, as far as the session's modules know."""
    monkeypatch.setattr(process_tree, "LINUX", False)


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process of this one, which bears a run's mark."""
    with subprocess.Popen(["sleep", "60"], env={"CADENCE_RUN_ID": "a.1"}, process_group=0) as process:
        yield process
        process.kill()


def test_a_process_is_known_wherever_it_is_looked_at(
    child: subprocess.Popen[bytes], eventually: Eventually
) -> None:
    """Parent, group and mark; gone once it is a zombie, which nobody can signal any more."""
    eventually(lambda: identity.mark_of(child.pid) == "a.1")
    seen = process_tree.census()[child.pid]
    assert (seen.parent, seen.group) == (os.getpid(), child.pid)
    assert child.pid in process_tree.below([os.getpid()], process_tree.census())
    assert identity.environment(child.pid) == {"CADENCE_RUN_ID": "a.1"}
    assert process_tree.describe(child.pid) == {"name": "sleep", "cmdline": "sleep 60"}
    assert (one := identity.identify(child.pid)) is not None
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert process_tree.look(child.pid) is None
    assert not identity.same(one)


def test_a_process_stays_who_it_is_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library corrects `create_time` by how far the clock has moved: one process had as many starts."""
    before = process_tree.started(os.getpid())
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: 1.0)
    assert before is not None
    assert process_tree.started(os.getpid()) == before
    assert process_tree.started(os.getppid()) != before


def test_a_stopped_process_is_known_to_be_stopped(
    child: subprocess.Popen[bytes], eventually: Eventually
) -> None:
    """It keeps its locks and does nothing; `cadence status` says so."""
    assert not process_tree.stopped(child.pid)
    child.send_signal(signal.SIGSTOP)
    eventually(lambda: process_tree.stopped(child.pid))


def test_a_run_whose_mark_nobody_may_read_costs_what_its_leader_does(child: subprocess.Popen[bytes]) -> None:
    """`cadence ps` had a question mark for each session that is a shell."""
    assert usage.of_runs("/no/home/of/its", {}) == {}
    assert usage.of_runs("/no/home/of/its", {"b.1": child.pid})["b.1"].processes == 1


def test_the_process_0_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Mac lists it; asked for its group, or signalled, it would be the caller."""
    monkeypatch.setattr(psutil, "pids", lambda: [0, 1, 7])
    assert process_tree.pids() == [7, 1]


def test_no_alarm_is_longer_than_macos_takes() -> None:
    """Its setitimer refuses more than a hundred million seconds; a `timeout` may be three times that."""
    assert shim._LONGEST <= 100_000_000


# --- runs whose shims live there -------------------------------------------------------------------


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Launcher]:
    """Start shims in whose world there is no /proc, no subreaper and no pidfd."""
    there = f"import runpy; runpy.run_path({str(ELSEWHERE)!r}); from cadencebus"
    monkeypatch.setattr(launch, "_LAUNCH", launch._LAUNCH.replace("from cadencebus", there))
    launcher = Launcher()
    yield launcher
    launcher.close()


def test_a_shim_finds_what_stays_in_its_session(start: Start) -> None:
    """An orphan goes to process 1 there, but not out of the session: the shim names it and kills it."""
    run = start("ok", argv=("sh", "-c", "sh -c 'trap \"\" TERM; echo $$ >&2; exec sleep 60' & exit 3"))
    assert run.over() == "exit.3"
    assert run.leaked
    assert not any(process_tree.look(pid) for pid in run.leaked)
    assert (note := life.read_alive(str(run.folder))) is not None
    assert not note.swept, "what has left the session is the consumer's to find"


def test_a_shim_remembers_who_was_below_it_when_the_time_was_up(start: Start) -> None:
    """A tool in a session of its own whose mark nobody may read: seen before its parent is signalled."""
    tool = ("env", "-i", "setsid", "sleep", "60")
    run = start(argv=("sh", "-c", f"{' '.join(tool)} & echo tool $!; wait"), timeout=0.5)
    pid = run.pid_of("tool")
    assert run.over() == "exit.sig15"
    assert process_tree.look(pid) is None
    assert run.leaked == [pid]


def test_a_session_without_a_shim_is_known_by_its_group(start: Start) -> None:
    """Its shim was killed, and its mark can't be read: only the numbers of group and session tell."""
    run = start(argv=("sh", "-c", "sleep 60 & wait"), env={identity.MARK: ""})
    note = life.read_alive(str(run.folder))
    assert note is not None
    assert reap.led_by(note) == [], "its shim lives"
    os.kill(run.shim, signal.SIGKILL)
    run.eventually(lambda: not run.alive)
    assert run.pid in {one.pid for one in reap.led_by(note)}
    assert reap.sweep(run.id).killed == ()
    assert len(reap.sweep(run.id, known=reap.led_by(note)).killed) == 2
    assert process_tree.look(run.pid) is None
