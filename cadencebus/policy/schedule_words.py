"""A schedule in words: `at 07:00 on Mon–Fri (Europe/Berlin)`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from cadencebus.model.duration import in_digits, spell_duration

if TYPE_CHECKING:
    from datetime import tzinfo

    from cadencebus.policy.timetable import Timetable

_ROUND = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))


def describe(timetable: Timetable) -> str:
    """Say it to a person: `every 5 minutes`, `at 07:00 on Mon-Fri (Europe/Berlin)`."""
    if timetable.line is not None:
        said = timetable.line.words()
    elif timetable.every is not None:
        said = _interval(timetable.every)
    else:
        said = f"once at {_local(timetable.once_at or 0.0, timetable.zone)}"
    if timetable.every is None and not timetable.local:
        said += f" ({timetable.zone})"
    if timetable.offset:
        said += f", shifted by {spell_duration(timetable.offset)}"
    if timetable.max_firings is not None:
        said += ", once at most" if timetable.max_firings == 1 else f", {timetable.max_firings} times at most"
    if timetable.expires_at is not None:
        said += f", until {_local(timetable.expires_at, timetable.zone)}"
    return said


def _interval(every: float) -> str:
    for size, unit in _ROUND:
        if every == size:
            return f"every {unit}"
        if every > size and every % size == 0:
            return f"every {in_digits(every / size)} {unit}s"
    return f"every {in_digits(every)} seconds"


def _local(t: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(t, zone):%Y-%m-%d %H:%M}"
