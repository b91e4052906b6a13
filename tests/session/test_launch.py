"""Starting: every way in which a start fails has a record of its own, and the record a cure."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from cadencebus.model.ending import Ending
from cadencebus.policy.classes import CLASSES, Class
from cadencebus.policy.failure import classify
from cadencebus.session import launch, life, process_tree, spawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.session.launch import Launcher
    from tests.conftest import Eventually
    from tests.session.conftest import Session, Start

PACKAGE = Path(launch.__file__).parents[2]


def judged(run: Session) -> tuple[Class, str]:
    """The class of a failed start, and its reason in one line."""
    end = life.exit_record(str(run.folder))
    assert end is not None
    verdict = classify(Ending(spawn_error=end.spawn_error, spawn_what=end.spawn_what), now=0.0)
    return verdict.klass, verdict.reason


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    """Write a program."""
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("argv", "record", "reason"),
    [
        (lambda _: ("no-such-program",), "exit.spawn-ENOENT", "binary: not found (ENOENT); install it"),
        (lambda _: ("/no/such/program",), "exit.spawn-ENOENT", "binary: not found (ENOENT); install it"),
        (lambda d: (f"{d}",), "exit.spawn-EACCES", "binary: permission denied (EACCES); it must be a file"),
        (lambda d: (script(d, "#!/bin/sh\n", 0o644),), "exit.spawn-EACCES", "permission denied"),
        (lambda d: (script(d, "\x7fELF rubbish"),), "exit.spawn-ENOEXEC", "not a program (ENOEXEC)"),
        (lambda d: (script(d, "#!/no/python\n"),), "exit.interpreter-ENOENT", "the script's first line"),
        (lambda _: ("true", "x" * 200_000), "exit.spawn-E2BIG", "too long (E2BIG); hand long text over"),
        (lambda _: ("true", "a\0b"), "exit.spawn-NUL", "in the environment (NUL); take it out"),
        (lambda _: (), "exit.spawn-ENOENT", "not found"),
    ],
)
def test_what_can_never_start_says_why(
    start: Start, tmp_path: Path, argv: Callable[[Path], tuple[str, ...]], record: str, reason: str
) -> None:
    """`never_ran`: the cadence is held and nothing is counted, since trying again can't help."""
    run = start(argv=argv(tmp_path))
    assert run.over() == record
    klass, said = judged(run)
    assert klass is Class.NEVER_RAN
    assert reason in said
    assert "changed file releases the hold" in CLASSES[klass].cure


@pytest.mark.parametrize(
    ("cwd", "error"), [("missing", "ENOENT"), ("file", "ENOTDIR"), ("file/below", "ENOTDIR")]
)
def test_a_folder_that_is_none_is_told_apart_from_the_program(
    start: Start, tmp_path: Path, cwd: str, error: str
) -> None:
    """`cwd: not found` is no missing binary."""
    (tmp_path / "file").touch()
    run = start("ok", cwd=str(tmp_path / cwd))
    assert run.over() == f"exit.cwd-{error}"
    klass, said = judged(run)
    assert klass is Class.NEVER_RAN
    assert "cwd: " in said


def test_the_search_path_is_the_runs_own(start: Start, tmp_path: Path) -> None:
    """Not the consumer's; a file that can't be executed hides none further on."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, mode in ((first, 0o644), (second, 0o755)):
        folder.mkdir()
        script(folder, "#!/bin/sh\necho found", mode)
    run = start(argv=("program",), env={"PATH": f"{first}:{second}"})
    assert run.over() == "exit.0"
    assert run.said == "found\n"
    alone = start(argv=("program",), env={"PATH": f"{first}"})
    assert alone.over() == "exit.spawn-EACCES"


@pytest.mark.parametrize("times", [1, 9])
def test_a_disk_in_trouble_is_no_missing_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Its cadence was held as misconfigured, until somebody released it."""
    program, stat, refusals = script(tmp_path, "#!/bin/sh\n"), os.stat, [errno.EIO] * times

    def look(path: str, **how: bool) -> os.stat_result:
        if path == program and refusals:
            raise OSError(refusals.pop(), "refused", path)
        return stat(path, **how)

    monkeypatch.setattr(os, "stat", look)
    search = f"/nowhere:{tmp_path}"
    if times == 1:
        assert spawn.find("program", search) == program
    else:
        with pytest.raises(OSError, match="refused"):
            spawn.find("program", search)


def test_a_lack_of_descriptors_is_a_lack_and_no_fault(
    start: Start, launcher: Launcher, eventually: Eventually
) -> None:
    """EMFILE at the start: the bus is held for a moment, the tick is not to blame."""
    launcher.warm()
    assert launcher._process is not None
    (shim,) = eventually(psutil.Process(launcher._process.pid).children)
    eventually(lambda: os.getsid(shim.pid) == shim.pid, message="it has not let go of what is the launcher's")
    # `alive` and the run's folder; standard input is one too many. What libraries hold open differs.
    few = len(os.listdir(f"/proc/{shim.pid}/fd")) + 2
    resource.prlimit(shim.pid, resource.RLIMIT_NOFILE, (few, few))
    run = start("ok")
    assert run.over() == "exit.files-EMFILE"
    klass, said = judged(run)
    assert klass is Class.NO_RESOURCES
    assert "EMFILE" in said
    assert "descriptors" in CLASSES[klass].cure


IN_A_POOR_PLACE = """
import os, resource, sys
from cadencebus.session.launcher import serve
os.setuid(65534)
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
serve(int(sys.argv[1]))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody with no room for processes")
def test_a_fork_that_fails_is_an_answer(start: Start, launcher: Launcher) -> None:
    """EAGAIN: the consumer hears of it, and the launcher lives on."""
    launcher._line, theirs = socket.socketpair()
    with theirs:
        launcher._process = subprocess.Popen(
            [sys.executable, "-c", IN_A_POOR_PLACE, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={"PYTHONPATH": str(PACKAGE)},
        )
    for _ in range(2):
        with pytest.raises(BlockingIOError) as caught:
            start("ok")
        assert caught.value.errno == errno.EAGAIN
    assert launcher._process.poll() is None


def test_a_killed_launcher_is_replaced(start: Start, launcher: Launcher) -> None:
    """Runs that it started live on; the next start makes a new one."""
    first = start("sleep", "0.3")
    assert launcher._process is not None
    launcher._process.kill()
    launcher._process.wait()
    assert start("ok").over() == "exit.0"
    assert first.over() == "exit.0"


def test_a_launcher_killed_unnoticed_is_replaced_in_mid_request(start: Start, launcher: Launcher) -> None:
    """Whether it was heard nobody knows: it ran once or not at all, and no run is left half alive."""
    launcher.warm()
    assert launcher._process is not None
    os.kill(launcher._process.pid, signal.SIGKILL)
    run = start("say", "once")
    assert run.over() in {"exit.0", "exit.pending"}
    assert run.said in {"once\n", ""}
    assert start("ok").over() == "exit.0"


def waiting_shim(launcher: Launcher, eventually: Eventually) -> int:
    """The pid of the shim that a launcher has forked in advance, once it is there."""
    assert launcher._process is not None
    pid = launcher._process.pid
    eventually(lambda: process_tree.below([pid], process_tree.census()))
    (shim,) = process_tree.below([pid], process_tree.census())
    return shim


def test_a_shim_that_is_killed_while_it_waits_is_replaced(
    start: Start, launcher: Launcher, eventually: Eventually
) -> None:
    """The run that would have been its own has another, and nobody has to be told."""
    launcher.warm()
    shim = waiting_shim(launcher, eventually)
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: process_tree.look(shim) is None)
    assert start("say", "done").over() == "exit.0"


def test_a_shim_without_a_run_goes_with_the_consumer(launcher: Launcher, eventually: Eventually) -> None:
    """Nothing is left of a bus that was stopped while nothing ran."""
    launcher.warm()
    shim = waiting_shim(launcher, eventually)
    launcher.close()
    eventually(lambda: process_tree.look(shim) is None)


A_CONSUMER = """
import os, sys
from cadencebus.session import launch, life
folder = sys.argv[1]
alive = life.open_alive(folder)
env = {"PATH": os.environ["PATH"], "CADENCE_RUN_ID": "holds.1"}
request = launch.LaunchRequest(
    run_dir=folder, argv=("sleep", "30"), env=env, cwd="/", stdin=None, timeout_s=30, ladder=()
)
launch.Launcher().start(request, alive)
print("up", flush=True)
os._exit(0)
"""


def test_the_launcher_holds_nothing_of_the_consumers(tmp_path: Path, eventually: Eventually) -> None:
    """`cadence run | tee log` ends when the consumer ends, whatever runs on."""
    (tmp_path / "exit.pending").touch()
    environment = {"PYTHONPATH": str(PACKAGE), "PATH": os.environ["PATH"]}
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", A_CONSUMER, str(tmp_path)],
        env=environment,
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert ended.stdout == b"up\n"
    assert time.monotonic() - began < 15
    assert life.is_alive(str(tmp_path))
    (tmp_path / "ending.json").write_text("{}")
    life.request_end(str(tmp_path))
    eventually(lambda: not life.is_alive(str(tmp_path)))


def test_a_run_is_alive_from_before_the_fork(tmp_path: Path) -> None:
    """The consumer creates and locks `alive`; a second one can't."""
    fd = life.open_alive(str(tmp_path))
    assert life.is_alive(str(tmp_path))
    with pytest.raises(FileExistsError):
        life.open_alive(str(tmp_path))
    os.close(fd)
    assert not life.is_alive(str(tmp_path))
    assert life.read_alive(str(tmp_path)) is None
    assert not life.is_alive(str(tmp_path / "missing"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("exit.0", "", {"code": 0}),
        ("exit.0", "{torn", {"code": 0}),
        ("exit.sig15", "[]", {"signal": 15}),
        ("exit.fork-EAGAIN", "", {"spawn_error": "EAGAIN", "spawn_what": "fork"}),
        ("exit.7", '{"at": 5.5, "peak_rss": 1, "cpu_s": 2}', {"code": 7, "ended_at": None}),
        (
            "exit.7",
            '{"at": "2026-11-21T00:00:00.000000Z", "peak_rss": 1, "cpu_s": 2, "monotonic": 4}',
            {"code": 7, "peak_rss": 1, "monotonic": 4.0},
        ),
    ],
)
def test_the_records_name_is_enough(
    tmp_path: Path, name: str, text: str, expected: dict[str, object]
) -> None:
    """A full disk leaves no room for content."""
    (tmp_path / name).write_text(text)
    end = life.exit_record(str(tmp_path))
    assert end is not None
    assert {key: getattr(end, key) for key in expected} == expected


def test_no_folder_is_no_record(tmp_path: Path) -> None:
    """Nor is one that is pending."""
    assert life.exit_record(str(tmp_path / "missing")) is None
    (tmp_path / "exit.pending").touch()
    assert life.exit_record(str(tmp_path)) is None


def test_who_is_to_leave_does_not_wait_for_a_stopped_launcher(
    start: Start, launcher: Launcher, slowness: Callable[[], float]
) -> None:
    """Whoever asked it hears at once that there is no process to be had; nobody starts another launcher."""
    start("hang")
    assert launcher._process is not None
    os.kill(launcher._process.pid, signal.SIGSTOP)
    refused: list[OSError] = []

    def ask() -> None:
        # The first shim may have been forked in advance.
        for _ in range(3):
            try:
                start("hang", wait=False)
            except OSError as error:
                refused.append(error)
                return

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(0.5)
    assert asking.is_alive()
    began = time.monotonic()
    launcher.close()
    asking.join()
    assert time.monotonic() - began < 2.0 * slowness()
    assert [error.errno for error in refused] == [errno.ECANCELED]


def test_who_is_to_leave_does_not_wait_for_a_stopped_shim(
    start: Start, launcher: Launcher, eventually: Eventually, slowness: Callable[[], float]
) -> None:
    """It takes no more of a long request than fits on the way, and keeps whoever tells it of a run."""
    launcher.warm()
    assert launcher._process is not None
    serving = launcher._process.pid
    (shim,) = eventually(lambda: process_tree.below([serving], process_tree.census()))
    os.kill(shim, signal.SIGSTOP)

    def tell() -> None:
        with contextlib.suppress(OSError):
            start("ok", env={"LONG": "x" * 1_000_000}, wait=False)

    telling = threading.Thread(target=tell)
    telling.start()
    telling.join(0.3)
    assert telling.is_alive()
    began = time.monotonic()
    launcher.close()
    took = time.monotonic() - began
    os.kill(shim, signal.SIGKILL)
    telling.join()
    assert took < 2.0 * slowness()
