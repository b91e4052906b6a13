"""One consumer a home: an flock on state/ itself, which no crash leaves behind and no pid mistakes."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING, Self

from cadencebus.errors import TryLater
from cadencebus.store.json_file import load_object

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

# To ask whether a lock is held, a process takes it for a moment.
_WITHIN, _PAUSE = 0.2, 0.002


class ConsumerLock:
    """Held by the live consumer; given to no child (close-on-exec)."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._fd: int | None = None

    def __enter__(self) -> Self:
        fd = os.open(self._home.state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            ours = taken(fd)
        except OSError:
            os.close(fd)
            raise
        if not ours:
            os.close(fd)
            raise TryLater(
                f"a consumer already runs on this home{_who(self._home)}",
                next_step="`cadence status` shows what it does, `cadence down` or SIGTERM ends it",
            )
        self._fd = fd
        return self

    def lost(self) -> bool:
        """Whether the folder that is locked is no longer the home's: removed, or another lies in its place.

        One that was moved away, with none in its place, may come back.
        """
        if self._fd is None:
            return True
        ours = os.fstat(self._fd)
        try:
            there = os.stat(self._home.state)
        except OSError:
            return ours.st_nlink == 0
        return (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino)

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def taken(fd: int, within: float = _WITHIN) -> bool:
    """Take a lock, waiting a moment for those who only test it; False where somebody keeps it."""
    for _ in range(round(within / _PAUSE)):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise
            time.sleep(_PAUSE)
        else:
            return True
    return False


def is_held(home: Home) -> bool:
    """Whether a consumer lives on this home."""
    return is_locked(home.state)


def is_locked(folder: str) -> bool:
    """Whether somebody holds the lock of a folder; who only asks does not."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Shared, so that two who ask at the same moment don't see each other as the consumer.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def holder(home: Home) -> int | None:
    """The process that the kernel says took the consumer's lock; None where it says nothing."""
    try:
        at = os.stat(home.state)
        with open("/proc/locks", encoding="ascii", errors="replace") as lines:
            locks = [line.split() for line in lines]
    except OSError:
        return None
    wanted = ["FLOCK", "WRITE", f"{os.major(at.st_dev):02x}:{os.minor(at.st_dev):02x}:{at.st_ino}"]
    # In another pid namespace it has no number here.
    found = (int(fields[4]) for fields in locks if fields[1:6:2] == wanted)
    return next((pid for pid in found if pid > 0), None)


def _who(home: Home) -> str:
    # Its note may be missing still, torn, or another's who was killed.
    if (pid := holder(home)) is not None:
        return f": pid {pid}"
    try:
        return f": pid {load_object(home.consumer)['pid']}"
    except (OSError, ValueError, KeyError):
        return ""
