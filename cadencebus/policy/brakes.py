"""The brakes that a cadence puts on itself: its active hours, its runs an hour, its money a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model.hold import Hold, on_cadence
from cadencebus.policy import budgets
from cadencebus.policy.local_time import local, next_time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.memory import CadenceMemory

_HOUR = 3600.0
# The brakes are asked anew whenever a tick waits, so that a changed rule takes effect at once.
REASONS = frozenset({"active_hours", "runs_per_hour", "daily_budget"})


def brake(cadence: Cadence, memory: CadenceMemory, *, running: int, now: float) -> Hold | None:
    """The hold that a cadence's own rules put on it now."""
    scope = on_cadence(cadence.name)
    if cadence.active_hours is not None:
        opens = opens_at(cadence.active_hours.start, cadence.active_hours.end, cadence.timezone, now)
        if opens is not None:
            return Hold(
                scope=scope, reason="active_hours", since=now, until=opens, detail="outside its active hours"
            )
    spent = budgets.used_up(scope, cadence.max_usd_per_day, memory.spending, cadence.timezone, now)
    if spent is not None:
        return spent
    most = cadence.max_runs_per_hour
    if most:
        recent = sorted(at for at in _since(now - _HOUR, memory.recent) if at <= rfc3339(now))
        if len(recent) + running >= most and recent:
            # The number of starts that must be an hour old before one more may run.
            too_many = min(len(recent) - 1, max(0, len(recent) + running - most))
            until = parse_rfc3339(recent[too_many]) + _HOUR
            detail = f"{len(recent) + running} runs in the last hour (max_runs_per_hour: {most}): a loop?"
            return Hold(scope=scope, reason="runs_per_hour", since=now, until=until, detail=detail)
    return None


def recent_with(started_at: float, recent: Sequence[str], *, most: int, now: float) -> list[str]:
    """The starts of the last hour, and one more: what is remembered for the brake on runs an hour."""
    return [*_since(now - _HOUR, recent), rfc3339(started_at)][-most:]


def _since(moment: float, recent: Sequence[str]) -> list[str]:
    """The starts after a moment; instants in files sort as text."""
    first = rfc3339(moment)
    return [at for at in recent if at > first]


def opens_at(start: int, end: int, zone: str | None, now: float) -> float | None:
    """When the active hours (minutes of the day, possibly over midnight) begin next; None: they are now."""
    here = local(now, zone)
    minute = here.hour * 60 + here.minute
    inside = start <= minute < end if start <= end else minute >= start or minute < end
    if inside or start == end:
        return None
    return next_time(now, zone, hour=start // 60, minute=start % 60)
