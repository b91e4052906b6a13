"""Is it still the same process? A signal must never hit a stranger."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cadencebus.session import identity, process_tree
from cadencebus.session.identity import Identity

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Eventually


def test_a_living_process_is_known_by_pid_start_and_mark(eventually: Eventually) -> None:
    """And is nobody once it is gone, or waits to be buried."""
    with subprocess.Popen(["sleep", "5"], env={"CADENCE_RUN_ID": "a.1"}) as child:
        # Popen comes back in the middle of exec, when there is no environment yet.
        eventually(lambda: identity.mark_of(child.pid))
        one = identity.identify(child.pid)
        assert one is not None
        assert (one.pid, one.mark) == (child.pid, "a.1")
        assert identity.same(one)
        assert not identity.same(Identity(one.pid, one.started + 1, one.mark)), "a pid that was given again"
        assert not identity.same(Identity(one.pid, one.started, "b.1")), "another run's"
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not identity.same(one), "a zombie is as good as gone"
    assert identity.identify(child.pid) is None


def test_a_signal_is_sent_only_to_who_was_meant() -> None:
    """Looked at again with a handle on the process in hand."""
    with subprocess.Popen(["sleep", "5"]) as child:
        assert not process_tree.send(child.pid, signal.SIGKILL, lambda: False)
        assert child.poll() is None
        assert process_tree.send(child.pid, signal.SIGKILL, lambda: True)
        assert child.wait() == -signal.SIGKILL
    assert not process_tree.send(child.pid, signal.SIGKILL, lambda: True), "it is gone"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"", {}),
        (b"PATH=/bin\0HOME=/\0", {}),
        (b"A=1\0CADENCE_RUN_ID=x.1\0CADENCE_HOME=/h\0", {"CADENCE_RUN_ID": "x.1", "CADENCE_HOME": "/h"}),
        (b"MY_CADENCE_RUN_ID=x.1\0", {}),
        (b"NOTE=CADENCE_RUN_ID=x.1\0", {}),
        (b"CADENCE_RUN_ID=first\0CADENCE_RUN_ID=second\0", {"CADENCE_RUN_ID": "first"}),
        (b"CADENCE_RUN_ID=\xff\xfe\0", {"CADENCE_RUN_ID": "\udcff\udcfe"}),
        (b"CADENCE_RUN_ID", {"CADENCE_RUN_ID": ""}),
    ],
)
def test_a_mark_is_read_as_the_system_hands_it_over(block: bytes, expected: dict[str, str]) -> None:
    """Names that only resemble it are not it."""
    assert identity.variables_in(block) == expected


WAITS = "print(flush=True); import time; time.sleep(60)"


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        (["{far}/.venv/bin/cadence", "run"], True),
        (["-m", "cadencebus", "--home", "{far}", "run"], True),
        (["-c", WAITS, "{far}/cadencebus/.venv/bin/python"], False),
        (["-c", WAITS, "{far}/cadence"], False),
    ],
)
def test_the_bus_is_known_by_its_command_not_by_a_name_on_its_way(
    tmp_path: Path, words: list[str], *, ours: bool
) -> None:
    """Wherever it is installed, and however long the way there is."""
    far = tmp_path / ("a long way down " * 12)
    for program in (far / ".venv/bin/cadence", far / "cadencebus/__init__.py"):
        program.parent.mkdir(parents=True)
        program.write_text(WAITS)
    given = [word.replace("{far}", str(far)) for word in words]
    with subprocess.Popen([sys.executable, *given], cwd=far, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert process_tree.is_the_bus(process.pid) is ours
        process.kill()


def test_a_boot_has_a_name() -> None:
    """The same all day; what is no UUID is refused rather than believed."""
    assert identity.boot_id() == identity.boot_id()
    assert (
        identity.boot_of("5A1F0E4E-0F0C-4B8E-9A57-1D6B3D2A9C11\n") == "5a1f0e4e-0f0c-4b8e-9a57-1d6b3d2a9c11"
    )
    for wrong in ("", "5a1f", "x" * 36):
        with pytest.raises(ValueError, match="not a boot id"):
            identity.boot_of(wrong)


def test_who_is_below_whom_is_read_from_one_census() -> None:
    """Each after its parent; a reused number that ties a circle does not hang the sweep."""
    seen = {
        1: process_tree.Seen(0, 1, 0.0),
        2: process_tree.Seen(1, 2, 0.0),
        3: process_tree.Seen(2, 2, 0.0),
        4: process_tree.Seen(3, 4, 0.0),
        5: process_tree.Seen(1, 5, 0.0),
        6: process_tree.Seen(7, 6, 0.0),
        7: process_tree.Seen(6, 6, 0.0),
    }
    assert process_tree.below([2], seen) == [3, 4]
    assert sorted(process_tree.below([6], seen)) == [7]
    assert process_tree.whole_groups({2, 3}, seen) == {2}, "a group that is theirs alone"
    assert process_tree.whole_groups({3, 4}, seen) == {4}, "2 has a member who is none of them"


def test_a_group_is_spared_where_the_caller_is_in_it() -> None:
    """Who sweeps never kills itself."""
    mine = os.getpgrp()
    assert process_tree.whole_groups({1}, {1: process_tree.Seen(0, mine, 0.0)}) == set()
    assert {os.getpid(), os.getppid()} <= process_tree.ancestry()


def test_a_process_whose_first_thread_has_ended_lives() -> None:
    """It shows as a zombie while the others run on."""
    code = (
        "import ctypes, threading, time; t = threading.Thread(target=time.sleep, args=(5,)); t.start();"
        "print(flush=True); ctypes.CDLL(None).pthread_exit(None)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert process_tree.look(child.pid) is not None
        child.kill()


def test_a_note_grows_no_older_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its age is told by the clock of this boot; of another boot, or without a time, nothing is known."""
    monkeypatch.setattr("cadencebus.clock.time.monotonic", lambda: 100.0)
    note = {"boot_id": identity.boot_id(), "monotonic": 40.0}
    assert identity.seconds_since(note) == 60
    assert identity.seconds_since(note | {"monotonic": 100.5}) == 0, "it was written while we looked"
    for strange in ({"boot_id": "another"}, {"boot_id": None}, {"monotonic": "40"}, {"monotonic": None}):
        assert identity.seconds_since(note | strange) is None
