"""The same work written by hand: what a durable queue must do and nothing else, to be read and disputed.

strict   gives at a power cut what the bus gives: a claim is durable before the spawn, in the folder it came
         to and in the one it left; so is the run's record; so is the outcome before the tick leaves cur/.
whole    also keeps what the bus keeps of a run: copies of tick and prompt, the lock of a live run, logs, a
         process that outlives its consumer and records the end, a memory of the cadence, a journal.
lean     what many would write: a synced file and a synced target folder. After a power cut a tick may lie in
         two folders, and there is no record of a run that was going on.

Nothing here is shared with the bus. No time limit, no retries, nobody watches the tree.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

TICK = b'{"cadence": "x", "source": "cli", "created_at": "2026-11-21T02:30:00.000000Z"}\n'
RECORD = b'{"started_at": "2026-11-21T02:30:00.000000Z"}\n'
OUTCOME = b'{"cadence": "x", "exit": %d}\n'
PROMPT = b"Do what is to be done.\n"
PENDING = "exit.pending"
MEMORY = b'{"failures": 0, "last_ok_at": "2026-11-21T02:30:00.000000Z", "last_run": "x"}\n'
STARTED = b'{"event": "run.started", "cadence": "x"}\n'
ENDED = b'{"event": "run.ended", "cadence": "x", "exit": 0}\n'


def make(maildir: str) -> None:
    """Make the folders of a queue."""
    os.mkdir(maildir)
    for name in ("tmp", "new", "cur", "runs", "done"):
        os.mkdir(f"{maildir}/{name}")


def write(path: str, data: bytes) -> None:
    """Write a new file, and sync it."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, data)
    os.fsync(fd)
    os.close(fd)


def sync(folder: str) -> None:
    """Sync the names in a folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(fd)
    os.close(fd)


def put(name: str) -> None:
    """Write, sync, name, sync: less can't be durable."""
    write(f"tmp/{name}", TICK)
    os.rename(f"tmp/{name}", f"new/{name}")
    sync("new")


def put_batch(names: list[str]) -> None:
    """Write all, sync the file system once, name all, sync the folder once."""
    for name in names:
        with open(f"tmp/{name}", "wb") as file:
            file.write(TICK)
    sync_file_system("tmp")
    for name in names:
        os.rename(f"tmp/{name}", f"new/{name}")
    sync("new")


def sync_file_system(folder: str) -> None:
    """Sync all that was written to a file system; where it can't be told apart, to all of them."""
    try:
        call = ctypes.CDLL(None).syncfs
    except AttributeError:
        os.sync()
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    call(fd)
    os.close(fd)


def run_strictly(name: str, command: list[str]) -> None:
    """Claim, record, spawn, settle: eight syncs."""
    begin_strictly(name)
    settle_strictly(name, spawn(command))


def begin_strictly(name: str) -> None:
    """Claim, and record that it is about to run."""
    os.rename(f"new/{name}", f"cur/{name}")
    sync("cur")
    sync("new")
    os.mkdir(f"runs/{name}")
    write(f"runs/{name}/run.json", RECORD)
    sync(f"runs/{name}")
    sync("runs")


def settle_strictly(name: str, code: int) -> None:
    """Write the outcome down, and let go of the claim."""
    write(f"tmp/{name}", OUTCOME % code)
    os.rename(f"tmp/{name}", f"done/{name}")
    sync("done")
    os.unlink(f"cur/{name}")
    sync("cur")


def run_wholly(name: str, command: list[str]) -> None:
    """Claim, record, lead, remember, tell, settle: fourteen syncs."""
    os.rename(f"new/{name}", f"cur/{name}")
    run = f"runs/{name}"
    os.mkdir(run)
    for file, data in {"tick.json": TICK, "prompt.md": PROMPT, "run.json": RECORD, PENDING: b""}.items():
        write(f"{run}/{file}", data)
    for folder in ("cur", "new", run, "runs"):
        sync(folder)
    tell(STARTED)
    alive = os.open(f"{run}/alive", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(alive, fcntl.LOCK_EX)
    leader = os.fork()
    if leader == 0:
        lead(run, command)
    os.close(alive)
    os.waitpid(leader, 0)
    code = next(int(file[5:]) for file in os.listdir(run) if file[5:].isdigit())
    replace(f"cur/{name}", OUTCOME % code)
    sync("cur")
    replace("memory", MEMORY)
    sync(".")
    tell(ENDED, durable=True)
    os.rename(f"cur/{name}", f"done/{name}")
    sync("done")
    sync("cur")


def lead(run: str, command: list[str]) -> NoReturn:
    """In a process of its own: run the command with its logs, and record its end by a rename."""
    os.setsid()
    logs = [os.open(f"{run}/{log}", os.O_WRONLY | os.O_CREAT, 0o600) for log in ("stdout.log", "stderr.log")]
    to = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(logs, 1)]
    code = spawn(command, file_actions=to)
    os.rename(f"{run}/{PENDING}", f"{run}/exit.{code}")
    os._exit(0)


def replace(path: str, data: bytes) -> None:
    """Write anew, and sync, before the name points to it."""
    temporary = f"tmp/{os.getpid()}"
    write(temporary, data)
    os.rename(temporary, path)


def tell(line: bytes, *, durable: bool = False) -> None:
    """Add a line to the journal."""
    fd = os.open("journal", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, line)
    if durable:
        os.fsync(fd)
    os.close(fd)


def run_leanly(name: str, command: list[str]) -> None:
    """Claim, spawn, settle: three syncs."""
    os.rename(f"new/{name}", f"cur/{name}")
    sync("cur")
    code = spawn(command)
    write(f"tmp/{name}", OUTCOME % code)
    os.rename(f"tmp/{name}", f"done/{name}")
    sync("done")
    os.unlink(f"cur/{name}")


def spawn(command: list[str], **how: Any) -> int:  # noqa: ANN401
    """Run a command to its end, by the quickest way there is."""
    return os.waitstatus_to_exitcode(os.waitpid(start(command, **how), 0)[1])


def start(command: list[str], **how: Any) -> int:  # noqa: ANN401
    """Start a command."""
    return os.posix_spawnp(command[0], command, os.environ, **how)


def each_with(run: Callable[[str, list[str]], None], command: list[str]) -> None:
    """Take what waits in new/, beside others who do."""
    for name in sorted(os.listdir("new")):
        try:
            run(name, command)
        except FileNotFoundError:  # another one was quicker
            continue


def two_at_a_time(command: list[str]) -> None:
    """Be one strict loop that keeps two commands running; while it waits for the disk, it does nothing."""
    waiting, running = sorted(os.listdir("new"), reverse=True), dict[int, str]()
    while waiting or running:
        while waiting and len(running) < 2:  # noqa: PLR2004
            begin_strictly(name := waiting.pop())
            running[start(command)] = name
        pid, status = os.wait()
        settle_strictly(running.pop(pid), os.waitstatus_to_exitcode(status))


def rate(maildir: str, count: int, workers: int, work: Callable[[], None]) -> float:
    """Ticks a second that so many processes take to their end in a maildir they share."""
    make(maildir)
    for n in range(count):
        with open(f"{maildir}/new/{n:06}", "wb") as file:
            file.write(TICK)
    os.sync()
    began, children = time.perf_counter(), []
    for _ in range(workers):
        pid = os.fork()
        if pid == 0:
            os.chdir(maildir)
            work()
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    took = time.perf_counter() - began
    if (done := len(os.listdir(f"{maildir}/done"))) != count:
        raise RuntimeError(f"by hand: {done} of {count} were done")
    return count / took
