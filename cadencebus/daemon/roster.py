"""What the files say of the cadences that wait, asked again no sooner than it pays."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

from cadencebus.errors import CadenceError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence

# So long, for each cadence that was asked for, an answer will do: asking takes a twentieth of it. What
# somebody touches is announced, as a rule; with thousands that wait, all else may go unseen for a second.
_GOOD_FOR = 0.0002
_AT_MOST = 1.0


class Roster:
    """Cadences and their memories, as they were when they were last asked for."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._cadences: dict[str, Cadence] = {}
        self._memories: dict[str, Mapping[str, Any]] = {}
        self._asked_at = -math.inf
        self._touched: object = None

    def open(self, holds: Collection[str]) -> bool:
        """A look at all that waits begins; True where all of it is to be asked for anew."""
        now = self._gear.clock.monotonic()
        # Whoever resets a circuit changes a memory, and the hold that stands for it.
        touched = (self._gear.edits, self._gear.settings.current, holds)
        lasts = min(_AT_MOST, _GOOD_FOR * len(self._cadences))
        if now < self._asked_at + lasts and touched == self._touched:
            return False
        self._cadences.clear()
        self._memories.clear()
        self._asked_at, self._touched = now, touched
        return True

    def cadence(self, name: str) -> Cadence:
        """A cadence; what keeps its file from being read raises, and is asked for again each time."""
        known = self._cadences.get(name)
        if known is None:
            known = self._cadences[name] = self._gear.prompts.current(name)
        return known

    def memory(self, name: str, now: float) -> Mapping[str, Any]:
        """What is remembered of a cadence."""
        known = self._memories.get(name)
        if known is None:
            known = self._memories[name] = self._gear.memory.load(name, now)
        return known

    def forget(self, name: str) -> None:
        """One of its runs was settled: its memory is another one now."""
        self._memories.pop(name, None)

    def confirmed(self, name: str) -> bool:
        """Whether the file reads this moment as it was taken for; if not, all is asked for anew."""
        with contextlib.suppress(CadenceError, OSError):
            if self._gear.prompts.current(name) == self._cadences.get(name):
                return True
        self._asked_at = -math.inf
        return False
