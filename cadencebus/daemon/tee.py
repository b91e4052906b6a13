"""`run -v`: what a run says on standard error, as it comes, each line behind its cadence's name."""

from __future__ import annotations

import contextlib
import sys

from cadencebus.model.legible import clean
from cadencebus.store import runs
from cadencebus.streams.feed import Feed

_CHUNK = 1 << 16


class Tee:
    """Reads one log on, and repeats it; the file has it in any case."""

    def __init__(self, path: str, name: str) -> None:
        self._path = path
        self._name = name
        self._feed = Feed()
        self._offset = 0

    def read_on(self, size: int) -> None:
        """Repeat what has come up to this size of the log, in whole lines."""
        # Only this far: a run that prints without end must not keep others from being looked at.
        while self._offset < size and (piece := runs.read_at(self._path, self._offset, _CHUNK)):
            self._offset += len(piece)
            for line in self._feed.push(piece):
                self._repeat(line)

    def finish(self) -> None:
        """Repeat the last line, which nothing may have ended."""
        if rest := self._feed.rest():
            self._repeat(rest)

    def _repeat(self, line: bytes) -> None:
        # The reader or the terminal is gone: that is no trouble of the state folder.
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{self._name}: {clean(line.decode('utf-8', 'replace'))}\n")
