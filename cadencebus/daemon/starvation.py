"""Cadences that have waited for room for too long: counted from turn to turn, reported once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.policy import starvation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from cadencebus.daemon.gear import Gear
    from cadencebus.policy.admit import Wait


# Seconds between two looks, for there may be thousands who wait; it is hours that are counted.
_OFTEN = 1.0


class Starvation:
    """Counts the time that each cadence waits for room; a start ends it."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._waited: dict[str, float] = {}
        self._looked = gear.clock.monotonic()
        self._told: set[str] = set()
        self.starving: list[dict[str, Any]] = []

    def started(self, cadence: str) -> None:
        """A tick of this cadence starts."""
        self._waited.pop(cadence, None)

    def look(self, waits: Mapping[str, Wait]) -> None:
        """Count on with the reasons for which cadences wait now; tell of those that begin to starve."""
        now = self._gear.clock.monotonic()
        if now - self._looked < _OFTEN:
            return
        reasons = {name: wait.reason for name, wait in waits.items()}
        self._waited = starvation.waited_for_room(self._waited, reasons, now - self._looked)
        self._looked = now
        starving = starvation.starving(self._waited)
        wall = self._gear.clock.wall()
        self.starving = [
            {"cadence": name, "since": rfc3339(wall - seconds), "reason": waits[name].detail}
            for name, seconds in sorted(starving.items())
        ]
        for row in self.starving:
            if row["cadence"] not in self._told:
                self._gear.tell({"event": "cadence.starving", **row})
        self._told = set(starving)
