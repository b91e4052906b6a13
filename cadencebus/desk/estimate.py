"""How long something has to wait, from what the runs before it were measured to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk import clockface
from cadencebus.desk.finding import listing
from cadencebus.model.foreign import mapping
from cadencebus.store import runs

if TYPE_CHECKING:
    from cadencebus.desk.finding import Found
    from cadencebus.desk.reasons import Reasons
    from cadencebus.policy.admit import Wait

# Waits that end when some run does: of the same cadence, or of any.
_ITS_OWN = frozenset({"running", "probing"})
_ANY = frozenset({"full", "exclusive"})


def expected(scene: Reasons, cadence: str, wait: Wait) -> float | None:
    """Seconds until it may start; None where nobody can know."""
    if wait.until is not None:
        return max(0.0, wait.until - scene.now)
    if wait.reason in _ITS_OWN:
        left = _left(scene, cadence)
    elif wait.reason in _ANY:
        left = _left(scene, None)
    else:
        return None
    # One that was never measured, or takes longer than ever, may end at any moment, or not.
    known = [seconds for seconds in left if seconds is not None]
    if wait.reason == "exclusive":
        # It must be alone: all have to end.
        return max(known, default=None) if len(known) == len(left) else None
    return min(known, default=None)


def _left(scene: Reasons, cadence: str | None) -> list[float | None]:
    """Seconds that each run should still take, by its cadence's average."""
    return [_of(scene, found) for found in listing(scene.home, ("claimed",), cadence)]


def _of(scene: Reasons, found: Found) -> float | None:
    run = runs.latest(scene.home, found.name.id)
    record = (runs.record(run) if run else None) or {}
    began = clockface.instant(record.get("started_at"))
    memory = scene.memory.load(found.name.cadence, scene.now, mend=False)
    usual = mapping(memory.get("averages")).get("seconds")
    if began is None or not isinstance(usual, int | float):
        return None
    left = usual - (scene.now - began)
    return left if left > 0 else None
