"""Ticks that need no run of their own: absorbed by one that starts, skipped during one, or expired."""

from __future__ import annotations

import asyncio
import contextlib
import json
from itertools import islice
from typing import TYPE_CHECKING

from cadencebus.daemon import checkin
from cadencebus.daemon.packed_names import PackedNames
from cadencebus.model.tick import BadTick, Tick
from cadencebus.store import files, runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.daemon.index import Index
    from cadencebus.model.cadence import Cadence

_AT_ONCE = 200
# How much of ticks is in memory at once: most take some hundred bytes, some a megabyte each.
_MUCH = 4 << 20
# Hexadecimal digits of the hash that stands for a payload.
_MARK, _ALL_BITS = 16, (1 << 64) - 1
# Ticks that are gone, or will be buried when their turn comes: no reason to hold the bus.
_UNFIT = (BadTick, FileNotFoundError, PermissionError)


class Sideline:
    """Absorbs or skips waiting ticks, some at a time, beside the runs.

    Each waiting tick is read once, when a run of its cadence first starts after it came, and remembered by a
    hash of its payload: a queue of different payloads is not read again.
    """

    def __init__(self, gear: Gear, index: Index) -> None:
        self._gear = gear
        self._index = index
        # By cadence: names, each with the mark of its payload in front.
        self._marked: dict[str, PackedNames] = {}
        # By cadence: how many to look at behind the next one that has expired; 0 while that is done.
        self._behind: dict[str, int] = {}
        self.busy = 0

    @contextlib.asynccontextmanager
    async def _at_it(self) -> AsyncIterator[None]:
        """Count as busy meanwhile; where the disk refuses, wait until it does not, and leave the rest."""
        self.busy += 1
        try:
            yield
        except OSError as error:
            await self._gear.trouble(error)
        finally:
            self.busy -= 1
            self._gear.wake()

    async def absorb(self, boarded: Boarded, fresh: Iterable[str]) -> None:
        """Finish as `absorbed` what waits and equals the run's tick; `fresh` came since the last start."""
        marked = self._marked.setdefault(boarded.cadence.name, PackedNames())
        async with self._at_it():
            for some in _pieces(fresh):
                names = self._waiting(some)
                for file, mark in await asyncio.to_thread(self._marks, names):
                    marked.add(mark + file)
            async for some in self._light(_taken(marked, _mark(boarded.tick))):
                names = self._waiting(some)
                for file in await asyncio.to_thread(self._absorb_some, boarded, names):
                    self._index.discard(file)

    def _waiting(self, names: list[str]) -> list[str]:
        return [name for file in names if (name := self._index.now_called(file)) is not None]

    async def skip(self, cadence: str, came: list[str]) -> None:
        """Finish as `skipped` what came during a run of its cadence, unless it is forced or not due yet."""
        async with self._at_it():
            async for some in self._light(came):
                for file in await asyncio.to_thread(self._skip_some, cadence, some):
                    self._index.restore(file)

    async def turn_away(self, cadence: Cadence) -> None:
        """Finish who comes next and needs no run, either; the more of them there are, the more at once."""
        most = self._behind.get(cadence.name, 1)
        names = list(islice(self._index.queue(cadence.name), most))
        if not names:
            return
        self._behind[cadence.name], more = 0, 1
        try:
            async with self._at_it():
                async for some in self._light(names):
                    gone, all_of_them = await asyncio.to_thread(self._turn_some_away, cadence, some)
                    for file in gone:
                        self._index.discard(file)
                    more = min(2 * most, _AT_ONCE) if all_of_them else 1
        finally:
            self._behind[cadence.name] = more

    async def _light(self, names: Iterable[str]) -> AsyncIterator[list[str]]:
        """The names of ticks, as many together as may be in memory at once."""
        for some in _pieces(names):
            for light in await asyncio.to_thread(self._weighed, some):
                yield light

    def _weighed(self, names: list[str]) -> list[list[str]]:
        groups, weight = list[list[str]](), _MUCH + 1
        for file in names:
            size = files.size(f"{self._gear.home.inbox}/{file}")
            weight += size
            if weight > _MUCH:
                groups.append([])
                weight = size
            groups[-1].append(file)
        return groups

    def _skip_some(self, cadence: str, names: list[str]) -> list[str]:
        ticks, spared, now = [], [], self._gear.clock.wall()
        reason = f"it came while a run of {cadence} was going on (overlap: skip)"
        for file in names:
            try:
                tick = self._gear.spool.read("inbox", file)
            except _UNFIT:
                continue
            if tick.force or checkin.early(tick, now):
                spared.append(file)
            else:
                ticks.append((tick, "skipped", reason))
        self._gear.closing.finish_unrun(ticks, now)
        return spared

    def _turn_some_away(self, cadence: Cadence, names: list[str]) -> tuple[list[str], bool]:
        looked_at = []
        for file in names:
            with contextlib.suppress(FileNotFoundError):
                looked_at.append(checkin.unwanted(self._gear, file, cadence))
        unwanted = [one for one in looked_at if one is not None]
        finished = self._gear.closing.finish_unrun(unwanted, self._gear.clock.wall()) if unwanted else []
        return [tick.name.file for tick in finished], len(unwanted) == len(looked_at)

    def _marks(self, names: list[str]) -> list[tuple[str, str]]:
        marks = []
        for file in names:
            try:
                tick = self._gear.spool.read("inbox", file)
            except _UNFIT:
                continue
            if absorbable(tick):
                marks.append((file, _mark(tick)))
        return marks

    def _absorb_some(self, boarded: Boarded, names: list[str]) -> list[str]:
        equal, now = [], self._gear.clock.wall()
        for file in names:
            try:
                # Read again: it may have been edited since, and equal marks are not yet equal payloads.
                tick = self._gear.spool.read("inbox", file)
            except _UNFIT:
                continue
            if (
                absorbable(tick)
                and dict(tick.payload) == dict(boarded.tick.payload)
                # Whose time is not now awaits its turn, to be deferred or to expire.
                and not (checkin.early(tick, now) or checkin.stale(tick, boarded.cadence, now))
            ):
                equal.append(tick)
        if not equal:
            return []
        # Noted before they are finished: if the run dies, its letter must name them.
        if not runs.absorb(boarded.run, [tick.id for tick in equal]):
            return []
        reason = f"the run of {boarded.tick.id} stands for it"
        finished = self._gear.closing.finish_unrun(
            [(tick, "absorbed", reason) for tick in equal], now, absorbed_by=boarded.tick.id
        )
        return [tick.name.file for tick in finished]


def absorbable(tick: Tick) -> bool:
    """Whether another tick's run may stand for this one: not if it was wanted for itself."""
    return tick.key is None and not tick.force and tick.expires_at is None and not tick.attempts


def _mark(tick: Tick) -> str:
    # Equal objects read alike, whatever the order of their members.
    return f"{hash(json.dumps(dict(tick.payload), sort_keys=True)) & _ALL_BITS:0{_MARK}x}"


def _taken(marked: PackedNames, mark: str) -> list[str]:
    """Take out what has this mark, all of it: another run may stand for the rest meanwhile."""
    taken = list(marked.beginning_with(mark))
    for entry in taken:
        marked.discard(entry)
    return [entry[_MARK:] for entry in taken]


def _pieces(names: Iterable[str]) -> Iterator[list[str]]:
    names = iter(names)
    while some := list(islice(names, _AT_ONCE)):
        yield some
