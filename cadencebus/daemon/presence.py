"""What the consumer shows of itself: consumer.json, circuit-open.json, a line when something ends."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339
from cadencebus.store import files, open_circuits
from cadencebus.store.json_file import save_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cadencebus.daemon.flight import Flight
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.settlement import Settlement

HEARTBEAT = 30.0
# What the consumer writes into state/ for others: events about these files are none of its business.
OWN_DRAWINGS = frozenset({"consumer.json", "circuit-open.json"})
# A busy consumer ends a hundred runs a second: its picture is drawn at most this often.
_REDRAW = 0.5


class Presence:
    """Writes small files that others read; none of them is needed for anything to work."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._next = self._last = self._beat_at = 0.0
        self._drawn: object = None
        self._circuits_moved = False
        self.picture: Callable[[], dict[str, Any]] = dict

    def due_in(self) -> float:
        """Seconds until the next heartbeat."""
        return max(0.0, self._next - self._gear.clock.monotonic())

    def beat(self) -> None:
        """Write consumer.json if its time has come or what runs has changed, and what circuits are open."""
        self._draw_circuits()
        now = self._gear.clock.monotonic()
        if self._last and now < self._last + _REDRAW:
            # It was drawn just now: look once whether it has changed, when it may be drawn again.
            self._next = min(self._next, self._last + _REDRAW)
            return
        picture = self.picture()
        sketch = _sketch(picture)
        if sketch == self._drawn and now < self._beat_at:
            self._next = self._beat_at
            return
        self._drawn = sketch
        self._last, self._next = now, now + HEARTBEAT
        self._beat_at = self._next
        with contextlib.suppress(OSError):
            save_object(self._gear.home, self._gear.home.consumer, picture, durable=False)

    def snapshot_circuits(self) -> None:
        """Rewrite circuit-open.json, at every transition and at start; it is absent when none is open."""
        # Once a turn: in a bad night a thousand are open, and several runs end between two turns.
        self._circuits_moved = True

    def _draw_circuits(self) -> None:
        # It is derived: what can't be read now is drawn at the next transition, and no run's end fails by it.
        if self._circuits_moved:
            self._circuits_moved = False
            with contextlib.suppress(OSError):
                open_circuits.draw(self._gear.home, self._gear.memory, self._gear.clock.wall())

    def leave(self) -> None:
        """A clean exit leaves no consumer.json; that of another home's consumer is none of our business."""
        if not self._gear.lost():
            self._draw_circuits()
            files.discard(self._gear.home.consumer)

    def noticed(self, flight: Flight, settlement: Settlement) -> None:
        """Say in one line how a tick fared."""
        word = {"done": "done", "dead": "DEAD", "inbox": "again"}[settlement.target]
        said = (settlement.outcome or {}).get("reason") or settlement.attempt.get("reason") or ""
        seconds = ""
        if flight.boarded is not None and (ended_at := settlement.attempt.get("ended_at")):
            took = max(0.0, parse_rfc3339(ended_at) - flight.boarded.started_at)
            seconds = f" after {took:.1f} s"
        detail = "" if settlement.klass == "ok" else f" {settlement.klass}: {said}"
        self._gear.say(f"{word} {flight.cadence.name}{seconds}{detail}")


def _sketch(picture: Mapping[str, Any]) -> object:
    """The parts of a picture that are worth a new one when they change; a load of 0.32 after 0.31 is not."""
    gates = {name: (gate["shut"], gate["failing"]) for name, gate in picture.get("gates", {}).items()}
    starving = [row["cadence"] for row in picture.get("starving", ())]
    return picture.get("slots"), picture.get("running"), gates, starving
