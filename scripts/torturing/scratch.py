"""Where torture works: one folder for each program, gone with it, or, if that was killed, with the next."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from functools import cache
from pathlib import Path

_PREFIX = "cadence-torture-"
# For whoever has to mend it: homes stay where they were made, and nobody clears them away.
KEEP = bool(os.environ.get("TORTURE_KEEP"))
_KEPT = "kept-torture-"


def fast_folder() -> str:
    """Where homes cost no disk time; what a kill leaves behind is the same everywhere."""
    shared = "/dev/shm"  # noqa: S108 - mkdtemp makes a name of its own
    return shared if os.access(shared, os.W_OK) else tempfile.gettempdir()


def new(word: str) -> Path:
    """Make a folder for one thing."""
    return Path(tempfile.mkdtemp(prefix=f"{word}-", dir=workshop()))


@cache
def workshop() -> Path:
    """The folder of this program, locked for as long as it lives, after clearing away those of the dead."""
    clear()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_KEPT if KEEP else _PREFIX, dir=fast_folder()))
        lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            break
        # Somebody who was clearing away came before the lock.
        os.close(lock)
    if not KEEP:
        atexit.register(_remove, folder)
    return folder


def clear() -> None:
    """Remove what torture that was killed has left: its homes, their processes, their small disks."""
    for folder in Path(fast_folder()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.geteuid():
                    _remove(folder)
            finally:
                os.close(lock)


def _remove(folder: Path) -> None:
    put_down(folder)
    for disk in _mounted(folder):
        subprocess.run(["umount", "-l", disk], check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _mounted(folder: Path) -> list[str]:
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return []
    return [at for line in lines if (at := line.split()[1]).startswith(f"{folder}/")]


def put_down(folder: Path) -> None:
    """End every process of a home in this folder, consumers first: nothing of a trial outlives it."""
    for runs in (False, True):
        for pid in _of_homes_in(folder, runs=runs):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _of_homes_in(folder: Path, *, runs: bool) -> list[int]:
    """The processes of homes in this folder that bear a run's mark, or those that bear none."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            block = Path(f"/proc/{entry}/environ").read_bytes()
        except OSError:
            continue
        told = block.split(b"\0")
        if any(item.startswith(f"CADENCE_HOME={folder}/".encode()) for item in told) and runs == any(
            item.startswith(b"CADENCE_RUN_ID=") for item in told
        ):
            found.append(int(entry))
    return found
