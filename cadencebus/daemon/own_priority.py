"""Ticks whose producers gave no priority: renamed once, at first sight, to that of their cadence."""

from __future__ import annotations

import contextlib
from itertools import chain
from typing import TYPE_CHECKING

from cadencebus.model.naming import DEFAULT_PRIORITY, parse_name
from cadencebus.model.tick import BadTick
from cadencebus.store import files, tomb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cadencebus.clock import Clock
    from cadencebus.daemon.index import Index
    from cadencebus.model.naming import Name
    from cadencebus.store.spool import Spool

# How long ticks that waited before are looked at before anything starts, and then in each turn.
_AT_A_START = 1.0
_BESIDE = 0.02


class OwnPriority:
    """Renames what waits in inbox/; whoever renamed some syncs the folder once for all of it."""

    def __init__(self, spool: Spool, index: Index, clock: Clock, own: Callable[[str], int]) -> None:
        self._spool = spool
        self._index = index
        self._clock = clock
        self.of = own
        # What waited before this consumer came, and has not been looked at.
        self._former: Iterator[str] = iter(())
        # The one of them that is being looked at: if the disk refuses, it is the next one again.
        self._unsettled: str | None = None
        self._renamed = False

    def name(self, file: str, name: Name) -> str:
        """The file's name in inbox/ after the one rename to its cadence's priority, if there is one."""
        if name.priority != DEFAULT_PRIORITY:
            return file
        target = name.at(self.of(name.cadence)).file
        if target == file or not self._silent(file):
            return file
        # A power cut may undo it: then it is done again, before any claim.
        if not self._spool.rename("inbox", file, target, durable=False):
            return file
        self._renamed = True
        return target

    def sync(self) -> None:
        """Make the renames durable, if there were any."""
        if self._renamed:
            files.sync_folder(self._spool.home.inbox)
            self._renamed = False

    def begin(self) -> None:
        """Look at what waits already: the index was filled without that."""
        self._former = chain.from_iterable([self._in_turn(cadence) for cadence in self._index.cadences()])
        self.go_on(_AT_A_START)

    def _in_turn(self, cadence: str) -> Iterator[str]:
        """The oldest stays the head meanwhile: where all have to go back, the last goes first."""
        own = self.of(cadence)
        if own == DEFAULT_PRIORITY:
            return iter(())
        return self._index.queue(cadence) if own < DEFAULT_PRIORITY else self._index.backwards(cadence)

    def go_on(self, within: float = _BESIDE) -> bool:
        """Treat what waited before as if it were seen arriving, for a while; True where more is left."""
        ends = self._clock.monotonic() + within
        while (file := self._unsettled or next(self._former, None)) is not None:
            self._unsettled = file
            self._settle(file)
            self._unsettled = None
            if self._clock.monotonic() >= ends:
                self.sync()
                return True
        self.sync()
        return False

    def _settle(self, file: str) -> None:
        name = parse_name(file)
        if name is None or file not in self._index:
            return
        # What may not be moved at all is judged at its claim.
        with contextlib.suppress(PermissionError):
            if (target := self.name(file, name)) != file:
                self._index.rename(file, target)

    def _silent(self, file: str) -> bool:
        path = f"{self._spool.home.inbox}/{file}"
        try:
            return "priority" not in tomb.examine(path, self._spool.max_tick_bytes)
        except (BadTick, OSError):
            return False
