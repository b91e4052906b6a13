"""Standard input, output and error, any of which may be closed, full, or without a reader."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys

from cadencebus.model.legible import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def fill_closed() -> None:
    """Give each closed stream a descriptor that fails, or the next file opened would get its number."""
    # Where nobody can read or write, the first try says EBADF; nobody misses what goes to standard error.
    for fd, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(os.open(os.devnull, mode | os.O_CLOEXEC), fd)
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


# What our own signs become where the locale can't spell them: a `?` would say "can't tell".
_PLAIN = {"✗": "x", "→": "->", "…": "...", "–": "-", "—": "-", "“": '"', "”": '"', "·": ".", "▸": ">"}
_PLAIN |= dict(zip("▁▂▃▄▅▆▇█░↑↓", "_,-~=+*#:^v", strict=True))


def spell_plainly(stream: TextIO) -> None:
    """Let a sign, or a name, that the locale can't spell not end the answer that it stands in."""
    codecs.register_error("plainly", _plainly)
    stream.reconfigure(errors="plainly")  # type: ignore[attr-defined]


def _plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


def to_stderr(text: str) -> None:
    """Write a line to standard error; where nobody can read it, that is no reason to fail."""
    with contextlib.suppress(OSError):
        sys.stderr.write(clean(text).replace("\n", " ") + "\n")


def silence_if_broken(stream: TextIO) -> bool:
    """Whether writing there fails; if so, what the interpreter flushes at its exit is thrown away."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), stream.fileno())
        return True
    return False
