"""Where a folder really lies: links followed, and in its own upper and lower case where both lead to it."""

from __future__ import annotations

import fcntl
import os

# What F_GETPATH wants to have room for, and the most that Python hands over: both 1024.
_PATH_MOST = 1024


def real_path(folder: str) -> str:
    """The one name of a folder that is there, whatever it was called: on a Mac Bus is bus."""
    command = getattr(fcntl, "F_GETPATH", None)
    if command is None:
        return os.path.realpath(folder)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return os.fsdecode(fcntl.fcntl(fd, command, bytes(_PATH_MOST)).partition(b"\0")[0])
    finally:
        os.close(fd)
