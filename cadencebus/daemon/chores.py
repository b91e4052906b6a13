"""What the consumer does by itself when its time comes, beside the ticks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from cadencebus.daemon.clockwork import Clockwork
from cadencebus.daemon.gc_daily import DailyGc
from cadencebus.daemon.hold_causes import HoldCauses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.daemon.crew import Crew
    from cadencebus.daemon.gear import Gear

# How long a chore is left alone after a failure of its own: it must not spin.
_AFTER_A_FAULT = 60.0


class Chore(Protocol):
    """Something to be done now and then: fire what is due, ask a gate, run gc."""

    def due_in(self) -> float:
        """Seconds until it wants to be done; infinite where only something else can make it due."""
        ...

    async def do(self) -> None:
        """Do it, blocking calls in a thread; OSError where the state folder refuses."""
        ...


def chores_of(gear: Gear) -> list[Chore]:
    """Every chore of a consumer that lives on."""
    mine: list[Chore] = [Clockwork(gear), DailyGc(gear)] if gear.lasting else []
    return [HoldCauses(gear), *mine]


class Chores:
    """Begins each chore when it is due, never twice at a time."""

    def __init__(self, gear: Gear, crew: Crew, chores: Sequence[Chore]) -> None:
        self._gear = gear
        self._crew = crew
        self._idle = list(chores)
        self._count = len(chores)
        # When the first of the idle ones is due, as they said when they were asked last.
        self._due_at = 0.0
        self._shunned: dict[int, float] = {}

    def begin(self) -> None:
        """Begin what is due, beside the turns."""
        soonest = math.inf
        for chore in list(self._idle):
            if (seconds := self._due_in(chore)) <= 0:
                self._idle.remove(chore)
                self._crew.take_on(self._see_to(chore))
            else:
                soonest = min(soonest, seconds)
        self._due_at = self._gear.clock.monotonic() + soonest

    @property
    def busy(self) -> bool:
        """Whether one is being done."""
        return len(self._idle) < self._count

    def due_in(self) -> float:
        """Seconds until the next chore is due, as far as was known when they were begun."""
        return self._due_at - self._gear.clock.monotonic()

    def _due_in(self, chore: Chore) -> float:
        shunned = self._shunned.get(id(chore), -math.inf) - self._gear.clock.monotonic()
        return max(shunned, chore.due_in())

    async def _see_to(self, chore: Chore) -> None:
        # Lifted where it ends well, or where only the disk refused.
        self._shunned[id(chore)] = self._gear.clock.monotonic() + _AFTER_A_FAULT
        try:
            await chore.do()
            del self._shunned[id(chore)]
        except OSError as error:
            await self._gear.trouble(error)
            del self._shunned[id(chore)]
        finally:
            self._idle.append(chore)
            self._gear.wake()
