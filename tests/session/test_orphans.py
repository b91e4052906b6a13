"""The sweep: whatever a run leaves behind is found, named and killed before the run is over."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.session import process_tree, reap

if TYPE_CHECKING:
    from tests.session.conftest import Session, Start

pytestmark = pytest.mark.skipif(not process_tree.LINUX, reason="only Linux has subreapers")


def gone(session: Session) -> None:
    """No process bears the mark of the run."""
    assert not reap.find(session.id)
    assert session.id not in reap.marked().values()


@pytest.mark.parametrize("word", ["child", "setsid-child", "double-fork", "unmarked-child", "stopped-child"])
def test_what_is_left_behind_dies_and_is_named(start: Start, word: str) -> None:
    """Even what made its own session, lost its parent, ignores TERM, sleeps, or cleared its environment."""
    run = start(word, "60")
    assert run.over() == "exit.0"
    left = run.pid_of(word)
    assert process_tree.look(left) is None
    assert left in run.leaked
    gone(run)


def test_the_leaks_are_named_with_their_command_lines(start: Start) -> None:
    """A person wants to know what it was."""
    run = start("unmarked-child", "60", "sleep", "0.1")
    run.over()
    (one,) = run.note("leaked.json")["leaked"]
    assert (one["name"], one["cmdline"]) == ("sleep", "sleep 60")


def test_a_clean_run_leaks_nothing(start: Start) -> None:
    """And zombies that nobody buried are no leak."""
    run = start("orphan-zombies", "20")
    assert run.over() == "exit.0"
    assert not (run.folder / "leaked.json").exists()


def test_who_forks_and_exits_again_and_again_is_caught(start: Start) -> None:
    """Its pid is always yesterday's: only a blow to its whole group hits it."""
    run = start("hop", "60", "sleep", "0.1")
    assert run.over() == "exit.0"
    gone(run)


def test_a_crowd_is_swept_in_rounds(start: Start) -> None:
    """Sixty processes in thirty families."""
    run = start("fork-many", "30", "60")
    began = time.monotonic()
    assert run.over() == "exit.0"
    assert time.monotonic() - began < 5
    gone(run)
    assert len(run.leaked) >= 30


def test_what_closed_its_output_is_followed_to_its_end(start: Start) -> None:
    """The end of the log is not the end of the run."""
    run = start("say", "bye", "close-stdout", "sleep", "0.3", "exit", "4")
    run.hears("bye")
    assert run.alive
    assert run.over() == "exit.4"


def test_a_kill_of_the_session_alone_brings_the_sweep(start: Start) -> None:
    """`kill -9` by hand, or the out-of-memory killer."""
    run = start("setsid-child", "60", "hang")
    left = run.pid_of("setsid-child")
    os.kill(run.pid, signal.SIGKILL)
    assert run.over() == "exit.sig9"
    assert process_tree.look(left) is None
