"""The names of what waits: names only, so a million fit and none is read before its turn."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from cadencebus.daemon.packed_names import PackedNames
from cadencebus.model.naming import SUFFIX, Name, parse_deferred

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# As strict as it must be to be cheap; the claim takes the name apart for real.
_CANONICAL = re.compile(
    r"[0-9]-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-([a-z0-9][a-z0-9._-]{0,63})-[0-9a-hjkmnp-tv-z]{8}\.json", re.ASCII
)
# How many queues are looked through for one file: a flood of files must not keep the loop from its signals.
_FEW = 64
# Names of deferred/ that are right at a glance; of all others, as of the last days of a month, the parser
# decides: nobody looks at what is taken up until its time has come.
_STAMP = (
    r"[1-9][0-9]{3}(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])T(?:[01][0-9]|2[0-3])(?:[0-5][0-9]){2}\.[0-9]{6}Z"
)
_DEFERRED = re.compile(
    rf"{_STAMP}~[0-9]-{_STAMP}-[a-z0-9][a-z0-9_-]{{0,63}}-[0-9a-hjkmnp-tv-z]{{8}}\.json", re.ASCII
)


def cadence_in(file: str) -> str | None:
    """The cadence a canonical name speaks of; None for every other name."""
    found = _CANONICAL.fullmatch(file)
    return found[1] if found and ".." not in found[1] else None


class Index:
    """What lies in inbox/, by cadence, each queue in `ls` order."""

    def __init__(self) -> None:
        # Only of cadences that have something waiting.
        self._queues: dict[str, PackedNames] = {}
        # What came since somebody last asked, by cadence; all that waits where nobody has asked yet.
        self._fresh: dict[str, list[str]] = {}
        # The cadences whose queue changed since somebody last asked.
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def __contains__(self, file: str) -> bool:
        # Where a canonical name has its cadence; no other name is known.
        queue = self._queues.get(file[26:-14])
        return queue is not None and file in queue

    def add(self, file: str) -> bool:
        """Take up one canonical name; False where it is known or not canonical."""
        cadence = cadence_in(file)
        if cadence is None or not self._queues.setdefault(cadence, PackedNames()).add(file):
            return False
        self._changed.add(cadence)
        if cadence in self._fresh:
            self._fresh[cadence].append(file)
        return True

    def restore(self, file: str) -> None:
        """Take up again what was discarded; it did not come anew for that."""
        cadence = file[26:-14]
        came = list(self._fresh.get(cadence, self.queue(cadence)))
        if self.add(file):
            self._fresh[cadence] = came

    def fill(self, names: Iterable[str]) -> list[str]:
        """Take up a whole folder at once; return the names that are not canonical."""
        strange: list[str] = []
        found: dict[str, list[str]] = {}
        for file in names:
            cadence = cadence_in(file)
            if cadence is None:
                strange.append(file)
            else:
                found.setdefault(cadence, []).append(file)
        self._changed.update(found)
        while found:
            cadence, files = found.popitem()
            files.extend(self.queue(cadence))
            self._queues[cadence] = PackedNames(files)
            # A queue of which some was asked for already is asked for anew.
            self._fresh.pop(cadence, None)
        return strange

    def take_fresh(self, cadence: str) -> list[str]:
        """What came for a cadence since this was last asked; some of it may be gone already."""
        fresh = self._fresh.get(cadence)
        came = list(self.queue(cadence)) if fresh is None else fresh
        self.pass_over(cadence)
        return came

    def pass_over(self, cadence: str) -> None:
        """Forget which of a cadence's waiting ticks are fresh."""
        if cadence in self._queues:
            self._fresh[cadence] = []

    def take_changed(self) -> set[str]:
        """The cadences whose queue changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed

    def discard(self, file: str) -> bool:
        """Forget a name; False where it was not known."""
        cadence = file[26:-14]
        queue = self._queues.get(cadence)
        if queue is None or not queue.discard(file):
            return False
        self._changed.add(cadence)
        if not queue:
            del self._queues[cadence]
            self._fresh.pop(cadence, None)
        return True

    def rename(self, file: str, target: str) -> None:
        """Know a waiting tick of the same cadence by another name; it did not come later for that."""
        cadence = file[26:-14]
        queue = self._queues.get(cadence)
        if queue is not None and queue.discard(file):
            queue.add(target)
            self._changed.add(cadence)

    def now_called(self, file: str) -> str | None:
        """The name under which a tick waits, which may have got another priority; None: it does not wait."""
        names = (file, *(f"{priority}{file[1:]}" for priority in range(10)))
        return next((name for name in names if name in self), None)

    def head(self, cadence: str) -> str | None:
        """The next tick of a cadence."""
        queue = self._queues.get(cadence)
        return None if queue is None else queue.first()

    def front(self, cadence: str) -> list[str]:
        """The next few ticks of a cadence, in order."""
        queue = self._queues.get(cadence)
        return [] if queue is None else queue.front()

    def elsewhere(self, name: Name) -> list[str]:
        """What waits for another cadence under this id; with many of them the claim finds that out."""
        if len(self._queues) > _FEW:
            return []
        return [
            file
            for cadence, queue in self._queues.items()
            if cadence != name.cadence
            for file in Name(name.priority, name.stamp, cadence, name.random).copies()
            if file in queue
        ]

    def cadences(self) -> list[str]:
        """The cadences that have something waiting."""
        return list(self._queues)

    def count(self, cadence: str) -> int:
        """How many ticks of a cadence wait."""
        return len(self._queues.get(cadence, ()))

    def queue(self, cadence: str) -> Iterator[str]:
        """Every waiting name of a cadence, in order, as it is now."""
        return iter(self._queues.get(cadence, ()))

    def backwards(self, cadence: str) -> Iterator[str]:
        """The same, from the end of the queue."""
        return reversed(self._queues.get(cadence, ()))

    def names(self) -> Iterator[str]:
        """Every waiting name, as it is now."""
        return chain.from_iterable([iter(queue) for queue in self._queues.values()])


class Calendar:
    """What lies in deferred/, by due time: the due stamp stands in front of the name."""

    def __init__(self) -> None:
        self._names = PackedNames()
        # Each with its due time, once somebody asks: few homes are ever asked for one.
        self._ids: PackedNames | None = None

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, file: str) -> bool:
        return file in self._names

    def add(self, file: str) -> bool:
        """Take up one name of deferred/; False where it is known."""
        if not self._names.add(file):
            return False
        if self._ids is not None:
            self._ids.add(_by_id(file))
        return True

    def fill(self, names: Iterable[str]) -> list[str]:
        """Take up a whole folder at once; return the names that say no time."""
        strange: list[str] = []
        self._names = PackedNames(_sound(names, strange))
        self._ids = None
        return strange

    def discard(self, file: str) -> None:
        """Forget a name."""
        if self._names.discard(file) and self._ids is not None:
            self._ids.discard(_by_id(file))

    def of(self, tick_id: str) -> list[str]:
        """The names of this id."""
        if self._ids is None:
            self._ids = PackedNames(map(_by_id, self._names))
        return [
            f"{name[33:58]}-{name[:23]}{name[58:]}{name[23:32]}{SUFFIX}"
            for name in self._ids.beginning_with(tick_id)
        ]

    def first(self) -> str | None:
        """The name that is due first."""
        return self._names.first()

    def due(self, now_stamp: str, most: int = 1000) -> list[str]:
        """Take out the names whose time has come."""
        ready: list[str] = []
        while len(ready) < most and (file := self.first()) and file[: len(now_stamp)] <= now_stamp:
            self.discard(file)
            ready.append(file)
        return ready

    def names(self) -> Iterator[str]:
        """Every waiting name, as it is now."""
        return iter(self._names)


def _sound(names: Iterable[str], strange: list[str]) -> Iterator[str]:
    """Pass on the names that may lie in deferred/; collect the others in `strange`."""
    for file in names:
        if _DEFERRED.fullmatch(file) or parse_deferred(file) is not None:
            yield file
        else:
            strange.append(file)


def _by_id(deferred: str) -> str:
    """A name of deferred/ with the id that it speaks of in front, then what else tells it from others."""
    return f"{deferred[26:49]}{deferred[-14:-5]}~{deferred[:25]}{deferred[49:-14]}"
