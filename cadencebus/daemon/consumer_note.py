"""consumer.json, read back: whether a consumer lives, and what it says of itself, which may be anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.daemon.presence import HEARTBEAT
from cadencebus.model.foreign import instant, mapping, sequence, whole
from cadencebus.session import identity
from cadencebus.store.json_file import load_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.store.paths import Home

# A consumer that misses three heartbeats hangs, or its disk does.
SILENT = 3 * HEARTBEAT


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """Whether one holds the lock, and what it says of itself; `note` is None where that can't be read."""

    alive: bool
    note: Mapping[str, Any] | None = None
    # For how long it was not heard of: while the machine sleeps nobody is silent.
    silent_seconds: float | None = None
    # Its last word is old by the clock on the wall: it hangs, or the machine has just woken up.
    unheard: bool = False

    @property
    def pid(self) -> int | None:
        """Its process."""
        return whole(self._said("pid"))

    @property
    def version(self) -> str:
        """What it says it is; empty where it does not say."""
        return str(self._said("version") or "")

    @property
    def started_at(self) -> float | None:
        """Since when it is up."""
        return instant(self._said("started_at"))

    @property
    def slots(self) -> int | None:
        """How many sessions it runs at once."""
        return whole(self._said("slots"))

    @property
    def failing_gates(self) -> dict[str, object]:
        """The gates that could not be asked, each with what went wrong."""
        gates = {name: mapping(gate) for name, gate in mapping(self._said("gates")).items()}
        return {name: gate.get("detail") for name, gate in gates.items() if gate.get("failing")}

    @property
    def starving(self) -> list[dict[str, Any]]:
        """Who waits for room for too long."""
        return [mapping(row) for row in sequence(self._said("starving"))]

    def _said(self, key: str) -> object:
        return (self.note or {}).get(key)

    def dump(self) -> dict[str, Any] | None:
        """As JSON, as it stands in the file; null where no consumer lives, or has left a note."""
        if self.note is None:
            return {"alive": True} if self.alive else None
        keys = ("pid", "started_at", "version", "heartbeat_at", "slots", "gates", "starving")
        said = {key: self.note.get(key) for key in keys}
        return {"alive": self.alive, **said, "silent_seconds": self.silent_seconds}


def look(home: Home, now: float, *, alive: bool) -> Consumer:
    """Read it; one that left its file without holding the lock (`alive`) has crashed."""
    try:
        note = load_object(home.consumer)
    except (OSError, ValueError):
        return Consumer(alive=alive)
    beat, awake = instant(note.get("heartbeat_at")), identity.seconds_since(note)
    by_the_wall = None if beat is None else now - beat
    return Consumer(
        alive=alive,
        note=note,
        silent_seconds=by_the_wall if awake is None else awake,
        unheard=(by_the_wall or 0.0) > SILENT,
    )
