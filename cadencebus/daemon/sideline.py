"""Ticks that need no run of their own: a run that starts stands for the equal ones that wait behind it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cadencebus.model.tick import BadTick, Tick
from cadencebus.store import runs

if TYPE_CHECKING:
    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.daemon.index import Index
    from cadencebus.model.cadence import Cadence

_AT_ONCE = 200


class Sideline:
    """Absorbs and skips waiting ticks, some at a time, beside the runs."""

    def __init__(self, gear: Gear, index: Index) -> None:
        self._gear = gear
        self._index = index
        self.busy = 0

    def snapshot(self, cadence: Cadence) -> list[str]:
        """The names that wait behind a run which starts now; empty where every tick runs."""
        return self._index.queue(cadence.name) if cadence.overlap == "coalesce" else []

    async def absorb(self, boarded: Boarded, snapshot: list[str]) -> None:
        """Finish as `absorbed` what equals the run's tick and waited when it started."""
        self.busy += 1
        try:
            for at in range(0, len(snapshot), _AT_ONCE):
                names = [file for file in snapshot[at : at + _AT_ONCE] if file in self._index]
                finished = await asyncio.to_thread(self._absorb_some, boarded, names)
                for file in finished:
                    self._index.discard(file)
        except OSError as error:
            await self._gear.trouble(error)
        finally:
            self.busy -= 1

    def _absorb_some(self, boarded: Boarded, names: list[str]) -> list[str]:
        equal = []
        for file in names:
            try:
                tick = self._gear.spool.read("inbox", file)
            except (BadTick, FileNotFoundError):
                continue
            if absorbable(tick, boarded.tick):
                equal.append(tick)
        if not equal:
            return []
        # Noted before they are finished: if the run dies, its letter must name them.
        runs.absorb(boarded.run, [tick.id for tick in equal])
        reason = f"the run of {boarded.tick.id} stands for it"
        now = self._gear.clock.wall()
        finished = self._gear.closing.finish_unrun(
            [(tick, "absorbed", reason) for tick in equal], now, absorbed_by=boarded.tick.id
        )
        return [tick.name.file for tick in finished]


def absorbable(tick: Tick, leader: Tick) -> bool:
    """Whether a run of the leader may stand for this tick."""
    wanted_itself = tick.key is not None or tick.force or tick.expires_at is not None or tick.attempts
    return not wanted_itself and dict(tick.payload) == dict(leader.payload)
