"""Whether a file changed since it was read, for the price of one stat."""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple

# A file that was written this lately may be written again within the same stamp: some file systems stamp
# in whole seconds, or every second one; the others by a clock that the kernel sets a hundred times a second.
_SECOND = 1_000_000_000
_COARSE, _FINE = 2 * _SECOND, 50_000_000


class Glance(NamedTuple):
    """What one stat says of a file, links followed."""

    mtime_ns: int
    ctime_ns: int
    size: int
    inode: int
    regular: bool
    settled: bool


def glance(path: str) -> Glance | None:
    """Look at a file; None where there is none, other troubles raise."""
    try:
        return glance_at(os.stat(path))
    except FileNotFoundError:
        return None


def glance_at(at: os.stat_result) -> Glance:
    """The same, made of a stat that was taken already."""
    # A program may set any mtime, and often whole seconds; the ctime is the file system's own.
    grain = _FINE if at.st_ctime_ns % _SECOND else _COARSE
    age = time.time_ns() - max(at.st_mtime_ns, at.st_ctime_ns)
    return Glance(
        mtime_ns=at.st_mtime_ns,
        ctime_ns=at.st_ctime_ns,
        size=at.st_size,
        inode=at.st_ino,
        regular=stat.S_ISREG(at.st_mode),
        # A stamp from the future says nothing of now, and is as good as any other.
        settled=not 0 <= age < grain,
    )


def unchanged(before: Glance | None, now: Glance | None) -> bool:
    """Whether what was read at the first glance is what a reader would find now."""
    if before is None or now is None:
        return before is now
    return before.settled and before[:-1] == now[:-1]
