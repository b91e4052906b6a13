"""What may be spent: the money of a day, the turns and the money of a run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model.hold import Hold
from cadencebus.policy.local_time import local, next_time
from cadencebus.policy.timetable import timetable_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.memory import Spending

# The share of a day's money whose spending is worth a warning, once that day.
WARN_AT = 0.8
# Days kept in a memory: a clock that jumps to and fro must not lose what was spent.
_DAYS_KEPT = 4
# For how many schedule intervals breaches don't count after a limit was changed.
_GRACE_INTERVALS = 2
_NO_SCHEDULE = 1800.0
_MOST_USD = 1e15


def today(now: float, zone: str | None) -> str:
    """The local day that money is counted by."""
    return f"{local(now, zone):%Y-%m-%d}"


def booked(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A memory's change as it is to be merged: a booking is added to what was booked meanwhile."""
    if "booking" not in patch:
        return dict(patch)
    rest = {key: value for key, value in patch.items() if key != "booking"}
    day, usd = patch["booking"]["day"], patch["booking"]["usd"]
    before: Mapping[str, float] = old.get("spent", {})
    days = {known: amount for known, amount in before.items() if known != day}
    # To the millionth of a cent: sums of floats must not creep. And within what a memory may hold, whatever
    # an agent claims to have cost.
    days[day] = min(round(before.get(day, 0.0) + usd, 8), _MOST_USD)
    return {**rest, "spent": dict(islice(days.items(), max(0, len(days) - _DAYS_KEPT), None))}


def posting(
    usd: float | None, limit: float | None, spending: Spending, zone: str | None, now: float
) -> tuple[dict[str, Any], str | None]:
    """What a run's money changes in a memory, and the warning that comes of it, once a day."""
    if not usd or usd <= 0:
        return {}, None
    day = today(now, zone)
    patch: dict[str, Any] = {"booking": {"day": day, "usd": usd}}
    total = spending.on(day) + usd
    if not limit or total < WARN_AT * limit or spending.warned == day:
        return patch, None
    said = f"${total:.2f} of today's ${limit:.2f} are spent ({100 * total / limit:.0f} %)"
    return {**patch, "warned": day}, said


def used_up(scope: str, limit: float | None, spending: Spending, zone: str | None, now: float) -> Hold | None:
    """The hold until local midnight, where a day's money is spent."""
    if not limit or (total := spending.on(today(now, zone))) < limit:
        return None
    detail = f"${total:.2f} spent today, the limit is ${limit:.2f} (max_usd_per_day)"
    return Hold(scope=scope, reason="daily_budget", since=now, until=next_time(now, zone), detail=detail)


def limits(cadence: Cadence, known: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    """The limits of a run as they are to be remembered, with when they were changed last."""
    current = {"max_turns": cadence.max_turns, "max_usd": cadence.max_usd}
    if known is None:
        return {**current, "changed_at": None}
    same = all(known.get(key) == value for key, value in current.items())
    return {**current, "changed_at": known.get("changed_at") if same else rfc3339(now)}


def in_grace(cadence: Cadence, known: Mapping[str, Any], now: float) -> bool:
    """Whether the limits were changed so lately that a breach says nothing yet."""
    changed = known.get("changed_at")
    if not isinstance(changed, str):
        return False
    return 0 <= now - parse_rfc3339(changed) <= _GRACE_INTERVALS * _interval(cadence, now)


def _interval(cadence: Cadence, now: float) -> float:
    """How far apart the firings of a cadence are about now; without a schedule nobody can say."""
    if cadence.every is not None:
        return cadence.every
    timetable = timetable_of(cadence) if cadence.schedule else None
    slots = list(islice(timetable.slots(now), 2)) if timetable else []
    return slots[1] - slots[0] if len(slots) == 2 else _NO_SCHEDULE  # noqa: PLR2004 - a pair
