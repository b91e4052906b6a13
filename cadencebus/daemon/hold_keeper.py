"""The holds in force: what is over is released, what a cadence's own rules ask for is set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.clock import spelled
from cadencebus.model.hold import BUS, Hold, cadence_held, hold_event, hold_file, on_cadence
from cadencebus.model.memory import bus_memory
from cadencebus.policy import brakes, budgets, wider_effects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.memory import CadenceMemory


class HoldKeeper:
    """Keeps the folder holds/ in accord with the rules, turn after turn."""

    def __init__(
        self, gear: Gear, tell: Callable[[Mapping[str, Any]], None], circuits: Callable[[], None]
    ) -> None:
        self._gear = gear
        self._tell = tell
        self._circuits = circuits
        self._changed = False
        # Not looked at yet.
        self._open: dict[str, float | None] | None = None

    def in_force(self, now: float) -> list[Hold]:
        """Every hold in force; release those that are over, and report that."""
        current = []
        for hold in self._gear.holds.all(now):
            if not hold.over(now):
                current.append(hold)
            elif (first := wider_effects.one_first(hold, now)) is not None:
                self._gear.holds.set(first, durable=False)
                self._tell(_set(first))
                current.append(first)
            elif hold.reason != "disk_full" and self._gear.holds.release(hold.file):
                self._tell(hold_event("hold.released", hold.file))
                if hold.reason == "circuit_open":
                    self._tell({"event": "circuit.half_open", "cadence": cadence_held(hold.scope)})
        self._look_at_circuits(current)
        bus_brake = self._bus_brake(current, now)
        return current if bus_brake is None else [*current, bus_brake]

    def _look_at_circuits(self, holds: Sequence[Hold]) -> None:
        """Have circuit-open.json rewritten where a circuit opened, ended or was released, whoever did it."""
        standing = {hold.file: hold.until for hold in holds if hold.reason == "circuit_open"}
        if standing != self._open:
            self._open = standing
            self._circuits()

    def changed(self) -> bool:
        """Whether a brake was set or released since this was asked last: then all is to be looked at anew."""
        changed, self._changed = self._changed, False
        return changed

    def _bus_brake(self, holds: Sequence[Hold], now: float) -> Hold | None:
        """The brake of the bus itself: the money of a day, all cadences together."""
        limit = self._gear.settings.current.max_usd_per_day
        hold = None
        if limit:
            spending = bus_memory(self._gear.memory.load("_bus", now)).spending
            hold = budgets.used_up(BUS, limit, spending, None, now)
        there = {known.file for known in holds if known.scope == BUS and known.own}
        return self._braked(BUS, hold, there, now)

    def brake(
        self, cadence: Cadence, memory: CadenceMemory, running: int, there: Collection[str], now: float
    ) -> Hold | None:
        """The hold that a cadence's own rules put on it; `there` are those it has of the consumer's own."""
        hold = brakes.brake(cadence, memory, running=running, now=now)
        return self._braked(on_cadence(cadence.name), hold, there, now)

    def _braked(self, scope: str, hold: Hold | None, there: Collection[str], now: float) -> Hold | None:
        """Write a brake down as a hold, and release what a changed rule no longer asks for."""
        for reason in brakes.REASONS if there else ():
            file = hold_file(scope, reason)
            if file in there and (hold is None or hold.file != file) and self._gear.holds.release(file):
                self._tell(hold_event("hold.released", file))
                self._changed = True
        if hold is None or self._gear.holds.spared(hold.file, now):
            return None
        if hold.file not in there:
            self._gear.holds.set(hold, durable=False)
            self._changed = True
            self._tell(_set(hold))
        return hold


def _set(hold: Hold) -> dict[str, Any]:
    return {**hold_event("hold.set", hold.file), "detail": hold.detail, "until": spelled(hold.until)}
