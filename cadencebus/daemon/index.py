"""The names of what waits: names only, so a million fit and none is read before its turn."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# As strict as it must be to be cheap; the claim takes the name apart for real.
_CANONICAL = re.compile(
    r"[0-9]-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-([a-z0-9][a-z0-9._-]{0,63})-[0-9a-hjkmnp-tv-z]{8}\.json", re.ASCII
)


def cadence_in(file: str) -> str | None:
    """The cadence a canonical name speaks of; None for every other name."""
    found = _CANONICAL.fullmatch(file)
    return found[1] if found and ".." not in found[1] else None


def _leave(known: set[str], file: str) -> None:
    known.discard(file)
    if not known:
        # An empty set keeps the room of the million that were in it.
        known.clear()


class Index:
    """What lies in inbox/, by cadence, each queue in `ls` order.

    Removal is lazy: `_known` says what is there, the heaps may still hold names that went.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._queues: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()
        # What came since somebody last asked, by cadence.
        self._fresh: dict[str, list[str]] = {}
        # The cadences whose queue changed since somebody last asked.
        self._stirred: set[str] = set()

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, file: str) -> bool:
        return file in self._known

    def add(self, file: str) -> bool:
        """Take up one canonical name; False where it is known or not canonical."""
        cadence = cadence_in(file)
        if cadence is None or file in self._known:
            return False
        self._known.add(file)
        self._counts[cadence] += 1
        self._stirred.add(cadence)
        self._fresh.setdefault(cadence, []).append(file)
        heapq.heappush(self._queues.setdefault(cadence, []), file)
        return True

    def fill(self, names: Iterable[str]) -> list[str]:
        """Take up a whole folder at once; the names that are not canonical come back."""
        strange: list[str] = []
        touched: set[str] = set()
        known, queues = self._known, self._queues
        for file in names:
            cadence = cadence_in(file)
            if cadence is None:
                strange.append(file)
            elif file not in known:
                known.add(file)
                self._counts[cadence] += 1
                queues.setdefault(cadence, []).append(file)
                touched.add(cadence)
        self._stirred |= touched
        for cadence in touched:
            queues[cadence].sort()
            self._fresh.setdefault(cadence, []).extend(queues[cadence])
        return strange

    def take_fresh(self, cadence: str) -> list[str]:
        """What came for a cadence since this was last asked; some of it may be gone already."""
        return self._fresh.pop(cadence, [])

    def take_stirred(self) -> set[str]:
        """The cadences whose queue changed since this was last asked."""
        stirred, self._stirred = self._stirred, set()
        return stirred

    def discard(self, file: str) -> bool:
        """Forget a name; False where it was not known."""
        if file not in self._known:
            return False
        _leave(self._known, file)
        cadence = cadence_in(file) or ""
        self._counts[cadence] -= 1
        self._stirred.add(cadence)
        if not self._counts[cadence]:
            del self._counts[cadence]
            self._queues.pop(cadence, None)
            self._fresh.pop(cadence, None)
        return True

    def head(self, cadence: str) -> str | None:
        """The next tick of a cadence."""
        queue = self._queues.get(cadence, [])
        while queue:
            if queue[0] in self._known:
                return queue[0]
            heapq.heappop(queue)
        return None

    def cadences(self) -> list[str]:
        """The cadences that have something waiting."""
        return list(self._counts)

    def count(self, cadence: str) -> int:
        """How many ticks of a cadence wait."""
        return self._counts[cadence]

    def queue(self, cadence: str) -> list[str]:
        """Every waiting name of a cadence, in order."""
        return sorted({file for file in self._queues.get(cadence, ()) if file in self._known})

    def names(self) -> set[str]:
        """Every waiting name."""
        return self._known


def _id_in(deferred: str) -> str:
    """The id that a name of deferred/ speaks of, from where it stands in it."""
    return f"{deferred[26:49]}{deferred[-14:-5]}"


class Calendar:
    """What lies in deferred/, by due time: the due stamp stands in front of the name."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._heap: list[str] = []
        # Counted once somebody asks: a million ids are dear, and few homes are ever asked for one.
        self._ids: Counter[str] | None = None

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, file: str) -> bool:
        return file in self._known

    def add(self, file: str) -> bool:
        """Take up one name of deferred/; False where it is known."""
        if file in self._known:
            return False
        self._known.add(file)
        heapq.heappush(self._heap, file)
        if self._ids is not None:
            self._ids[_id_in(file)] += 1
        return True

    def discard(self, file: str) -> None:
        """Forget a name."""
        if file not in self._known:
            return
        _leave(self._known, file)
        if self._ids is not None:
            self._ids[tick_id := _id_in(file)] -= 1
            if not self._ids[tick_id]:
                del self._ids[tick_id]

    def holds(self, tick_id: str) -> bool:
        """Whether a tick of this id waits here."""
        if self._ids is None:
            self._ids = Counter(map(_id_in, self._known))
        return self._ids[tick_id] > 0

    def first(self) -> str | None:
        """The name that is due first."""
        while self._heap:
            if self._heap[0] in self._known:
                return self._heap[0]
            heapq.heappop(self._heap)
        return None

    def due(self, now_stamp: str, most: int = 1000) -> list[str]:
        """Take out the names whose time has come."""
        ready: list[str] = []
        while (
            len(ready) < most and (file := self.first()) is not None and file[: len(now_stamp)] <= now_stamp
        ):
            heapq.heappop(self._heap)
            self.discard(file)
            ready.append(file)
        return ready

    def names(self) -> set[str]:
        """Every waiting name."""
        return self._known
