"""Bytes in, lines out: a log that grows in arbitrary pieces, cut into lines with bounded memory."""

from __future__ import annotations

from cadencebus.model.legible import clean

# The longest line that is kept whole. Parsing one costs some four times its size for a moment.
LINE_MAX = 4 << 20
# What is kept of a longer one: enough to see what it was, and how it ended.
EDGE = 64 << 10
_ESCAPE, _BYTE_ORDER_MARK = b"\x1b", b"\xef\xbb\xbf"


class Overlong(bytes):
    """A line too long to keep: its first bytes and its last ones."""

    __slots__ = ()

    @property
    def head(self) -> bytes:
        """How the line began."""
        return self[:EDGE]

    @property
    def tail(self) -> bytes:
        """How the line ended."""
        return self[-EDGE:]


def bare(line: bytes) -> bytes:
    """A line without what a wrapper puts around it for a terminal; the same where there is no such thing."""
    if isinstance(line, Overlong) or (_ESCAPE not in line and not line.startswith(_BYTE_ORDER_MARK)):
        return line
    return clean(line.decode("utf-8", "replace")).lstrip("\ufeff").encode()


class Feed:
    """Cuts what it is pushed into lines; the same lines however the bytes were cut before."""

    __slots__ = ("_head", "_held", "_limit", "_size")

    def __init__(self, limit: int = LINE_MAX) -> None:
        self._limit = limit
        self._head = b""
        self._held = bytearray()
        self._size = 0

    def push(self, data: bytes) -> list[bytes]:
        """The lines that are complete now, without their line ends."""
        lines = data.split(b"\n")
        if len(lines) > 1:
            self._hold(lines[0])
            lines[0] = self.rest()
        self._hold(lines.pop())
        if len(data) > self._limit:
            lines = [
                Overlong(line[:EDGE] + line[-EDGE:]) if len(line) > self._limit else line for line in lines
            ]
        return lines

    def rest(self) -> bytes:
        """Take the last line, which nothing ended."""
        held = bytes(self._held)
        line = Overlong(self._head + held[-EDGE:]) if self._size > self._limit else held
        self._head, self._size = b"", 0
        self._held.clear()
        return line

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        self._held += piece
        if self._size <= self._limit:
            return
        if not self._head:
            self._head = bytes(self._held[:EDGE])
        # Of a line that grows too long only the ends are kept; trimmed now and then: the cost stays linear.
        if len(self._held) > 4 * EDGE:
            del self._held[:-EDGE]
