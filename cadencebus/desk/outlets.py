"""The three streams that a command is given: one may be closed, its disk full, its reader gone."""

from __future__ import annotations

import contextlib
import os
import sys

from cadencebus.model.legible import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def stand_in() -> None:
    """Give a closed stream a descriptor that fails, before a file of the home is opened in its place."""
    # Where nobody can read or write, the first try says EBADF; nobody misses what goes to standard error.
    for fd, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(os.open(os.devnull, mode | os.O_CLOEXEC), fd)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def aside(text: str) -> None:
    """Tell a person on standard error; that nobody can be told is no reason to fail."""
    with contextlib.suppress(OSError):
        sys.stderr.write(clean(text).replace("\n", " ") + "\n")


def spent(stream: TextIO) -> bool:
    """Whether what is written there no longer arrives; if so the interpreter's own last try goes nowhere."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())
        return True
    return False
