"""Completing the journal after a restart: lines that the folders imply and that it lacks are written."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, TypeVar

from cadencebus.clock import day
from cadencebus.daemon.closing import done_event
from cadencebus.daemon.hash_set import HashSet
from cadencebus.daemon.heap import trim_heap
from cadencebus.model.naming import name_in, parse_name
from cadencebus.model.tick import BadTick
from cadencebus.store import journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.tick import Tick

    Item = TypeVar("Item")

_AT_ONCE = 200
# The loop that starts ticks comes first: this takes a tenth of the interpreter's time.
_REST = 9.0
_BACK = 2 * 86400
# The events that can be told from the folders.
_IMPLIED = frozenset({"tick.accepted", "run.ended", "tick.done", "tick.dead"})


class Retelling:
    """One pass over journal and folders: slow beside the runs, faster on request, and it can be given up."""

    def __init__(self, gear: Gear, given_up: Callable[[], bool]) -> None:
        self._gear = gear
        self._given_up = given_up
        self._hurried = False
        self._over = asyncio.Event()

    async def do(self, unfinished: Iterable[str]) -> None:
        """Write all that is missing; a disk that refuses delays that until the next start."""
        try:
            await asyncio.to_thread(self.retell, unfinished)
        except OSError as error:
            self._gear.say(f"the journal could not be completed: {error}")
        finally:
            self._over.set()
            await asyncio.to_thread(trim_heap)

    async def hurry(self) -> None:
        """Go on at full speed, and wait for the end: nothing else is left to do."""
        self._hurried = True
        await self._over.wait()

    def retell(self, unfinished: Iterable[str]) -> int:
        """Re-emit what the folders imply and the journal lacks; how many lines that took."""
        since = day(self._gear.clock.wall() - _BACK)
        # Hashes rather than ids: a million waiting ticks have a million lines.
        told = HashSet()
        for fact in self._gently(journal.facts(self._gear.home, since)):
            if fact[0] in _IMPLIED:
                told.add(hash(fact))
        if self._given_up():
            return 0
        count = 0
        for lines in _batches(self._untold(unfinished, told, since)):
            self._gear.journal.write(self._gear.clock.wall(), lines)
            count += len(lines)
        if count:
            # Synced once: what a power cut takes of it, the next start finds missing again.
            self._gear.journal.write(self._gear.clock.wall(), (), durable=True)
        return count

    def _gently(self, items: Iterable[Item]) -> Iterator[Item]:
        """Pass items on, resting most of the time; stop once it is given up."""
        began = time.thread_time()
        for number, item in enumerate(items, 1):
            yield item
            if number % _AT_ONCE == 0:
                if self._given_up():
                    return
                if not self._hurried:
                    time.sleep(_REST * (time.thread_time() - began))
                began = time.thread_time()

    def _untold(self, unfinished: Iterable[str], told: HashSet, since: str) -> Iterator[dict[str, Any]]:
        for file in self._gently(unfinished):
            name = name_in(file)
            # Older ones have their line in the journal of their day, which is not read again.
            if name is None or _day_of(name.stamp) < since:
                continue
            if hash(("tick.accepted", name.id)) not in told:
                yield {"event": "tick.accepted", "cadence": name.cadence, "tick": name.id}
        days = [("tick.done", f"done/{today}") for today in self._gear.spool.done_days() if today >= since]
        for event, place in [("tick.dead", "dead"), *days]:
            for file in self._gently(list(self._gear.spool.names(place))):
                yield from self._untold_end(event, place, file, told, since)

    def _untold_end(
        self, event: str, place: str, file: str, told: HashSet, since: str
    ) -> Iterator[dict[str, Any]]:
        name = parse_name(file)
        if name is None or _day_of(name.stamp) < since:
            return
        untold = [what for what in ("tick.accepted", event) if hash((what, name.id)) not in told]
        if not untold:
            return
        with contextlib.suppress(BadTick, OSError):
            tick = self._gear.spool.read(place, file)
            # Rubbish was never accepted, only buried.
            if "tick.accepted" in untold and "raw" not in (tick.outcome or {}):
                yield {"event": "tick.accepted", "cadence": name.cadence, "tick": name.id}
            if event in untold:
                if hash(("run.ended", name.id)) not in told:
                    yield from _runs_of(tick)
                yield done_event(tick)


def _runs_of(tick: Tick) -> Iterator[dict[str, Any]]:
    """The lines of a tick's runs, made of its attempts, each with the time of that attempt."""
    for attempt in tick.attempts:
        about = {"cadence": tick.cadence, "tick": tick.id, "attempt": attempt.get("n")}
        about["run"] = attempt.get("run")
        began, ended = ({"at": at} if (at := attempt.get(key)) else {} for key in ("started_at", "ended_at"))
        yield {"event": "tick.claimed", **began, **about}
        yield {"event": "run.started", **began, **about}
        how = {key: attempt.get(key) for key in ("class", "exit_code", "signal", "reason")}
        yield {"event": "run.ended", **ended, **about, **how}


def _batches(lines: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for line in lines:
        batch.append(line)
        if len(batch) == _AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _day_of(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:8]}"
