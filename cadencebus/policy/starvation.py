"""Who has been waiting for room for too long: ready, held by nothing, and never let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# After this long without room a cadence is starving: worth one notice.
STARVING = 3600.0
# The waits that other cadences cause. All others are the cadence's own, and shown as such.
FOR_ROOM = frozenset({"full", "group", "exclusive"})
# The waits that end with a run of the cadence's own, and not before its tick is settled.
OWN_RUN = frozenset({"running", "probing"})


def waited_for_room(before: Mapping[str, float], waits: Mapping[str, str], passed: float) -> dict[str, float]:
    """How long each cadence has waited for room, after some more time; a start, or no tick, ends it.

    A hold in between neither counts nor forgets: a gate that shuts for half a minute gives nobody room.
    """
    return {
        name: before.get(name, 0.0) + (passed if name in before and reason in FOR_ROOM else 0.0)
        for name, reason in waits.items()
        if reason not in OWN_RUN and (name in before or reason in FOR_ROOM)
    }


def starving(waited: Mapping[str, float]) -> dict[str, float]:
    """Those cadences that have waited too long."""
    return {name: seconds for name, seconds in waited.items() if seconds >= STARVING}
