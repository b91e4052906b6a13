"""The same id in two places (backup, `mv`, power cut): who has the better right to it.

Done or dead before a claim whose run lives, that before the longer past, that before all others. An id
is one tick whatever the priority its name begins with: a copy from before a `bump` has another name.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from cadencebus.daemon.hash_set import HashSet
from cadencebus.daemon.index import cadence_in
from cadencebus.model.tick import BadTick
from cadencebus.session import life
from cadencebus.store import runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.daemon.index import Calendar, Index
    from cadencebus.store.spool import Spool

# A name without its priority, `5-`.
_PRIORITY = 2
_DUE = 24
_ORDER = ("done", "dead", "claimed", "inbox", "deferred")

Place = tuple[str, str]


class Twins:
    """Finds the ids that lie in several places; the waiting ones are asked of the index and the calendar."""

    def __init__(self, spool: Spool, index: Index, calendar: Calendar) -> None:
        self._spool = spool
        self._index = index
        self._calendar = calendar

    def losers(self) -> Iterator[tuple[str, str, str]]:
        """Folder, file and why, for each that must make way."""
        twice = self._twice()
        if not twice:
            return
        places: defaultdict[str, list[Place]] = defaultdict(list)
        for folder, file, tail in (*self._elsewhere(), *self._ready()):
            if tail in twice:
                places[tail].append((folder, file))
        for several in places.values():
            winner, *others = sorted(several, key=self._right, reverse=True)
            for folder, file in others:
                yield folder, file, f"the same id lay in two places: it is in {winner[0]}/, too"

    def _twice(self) -> set[str]:
        """What is found more than once; of what only waits in inbox/ or is done nothing is remembered."""
        twice, seen = set[str](), HashSet()
        priorities = sorted({file[:_PRIORITY] for file in self._index.names()})
        for folder, _, tail in self._elsewhere():
            mark = hash(tail)
            again = mark in seen if folder.startswith("done") else not seen.add(mark)
            if again or any(priority + tail in self._index for priority in priorities):
                twice.add(tail)
        if len(priorities) > 1:
            for _, file, tail in self._ready():
                if any(priority + tail in self._index for priority in priorities if priority != file[:2]):
                    twice.add(tail)
        return twice

    def _ready(self) -> Iterator[tuple[str, str, str]]:
        for file in self._index.names():
            yield "inbox", file, file[_PRIORITY:]

    def _elsewhere(self) -> Iterator[tuple[str, str, str]]:
        """All but inbox/; done/ comes last, and is the longest."""
        for late in self._calendar.names():
            # In front of the name stands when it is due, `20261121T023000.123456Z~`.
            yield "deferred", late, late[_DUE + _PRIORITY :]
        for folder in ("claimed", "dead", *(f"done/{day}" for day in self._spool.done_days())):
            for file in self._spool.names(folder):
                # Only as strict as the index: there may be a million finished ones.
                if cadence_in(file) is not None:
                    yield folder, file, file[_PRIORITY:]

    def _right(self, place: Place) -> tuple[int, int, int, str]:
        """How good a claim to the id this place has: the greatest wins."""
        folder, file = place
        where = folder.partition("/")[0]
        try:
            tick = self._spool.read(folder, file)
        except (BadTick, OSError):
            return (2 if where in {"done", "dead"} else -1), 0, 0, file
        last = runs.latest(self._spool.home, tick.id) if where == "claimed" else None
        living = last is not None and life.is_alive(last.path)
        standing = 2 if where in {"done", "dead"} else int(living)
        return standing, len(tick.attempts), -_ORDER.index(where), file
