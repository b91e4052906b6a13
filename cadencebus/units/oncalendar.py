"""A cron line in systemd's words: one OnCalendar= for each part that holds by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.model.cronline import (
    ALL_DAYS,
    ALL_HOURS,
    ALL_MINUTES,
    ALL_MONTHS,
    LAST,
    WEEKDAYS,
    runs,
    stride,
)
from cadencebus.units.site import Inexpressible

if TYPE_CHECKING:
    from cadencebus.model.cronline import CronLine

_CLOCK = ((1, 60, "*-*-* *:*:{}"), (60, 3600, "*-*-* *:{}:00"), (3600, 86400, "*-*-* {}:00:00"))
_WORKDAYS = "Mon..Fri"


def on_calendar(line: CronLine, zone: str | None = None) -> list[str]:
    """Calendar events that together elapse whenever the line fires."""
    times = f"{_part(line.hours, ALL_HOURS)}:{_part(line.minutes, ALL_MINUTES)}:00"
    months = _part(line.months, ALL_MONTHS)
    suffix = f" {zone}" if zone else ""
    return [f"{weekdays} *-{months}{date} {times}{suffix}".lstrip() for weekdays, date in _days_of(line)]


def every_on_calendar(every: float) -> str | None:
    """An interval that goes round a minute, an hour or a day evenly, as a calendar event; None for others."""
    for unit, cycle, form in _CLOCK:
        steps, odd = divmod(every, unit)
        if not odd and cycle % every == 0:
            return form.format("00" if every == cycle else f"00/{steps:g}")
    return None


def _days_of(line: CronLine) -> list[tuple[str, str]]:
    """Pairs of weekdays and date; systemd wants both to match, so cron's `either` is two events."""
    if line.either_day:
        if line.any_day or line.any_weekday:
            return [("", "-*")]
        return [*_dates(line, ""), *_weekdays(line, ALL_DAYS)]
    if line.any_weekday:
        return _dates(line, "")
    if line.any_day:
        return _weekdays(line, ALL_DAYS)
    if line.last_day or line.last_workday or any(n == LAST for _, n in line.nth_weekdays):
        raise Inexpressible(f"systemd can't say {line.text!r}: a last day that must also be another")
    return _weekdays(line, line.days)


def _dates(line: CronLine, weekdays: str) -> list[tuple[str, str]]:
    found = [(weekdays, f"-{_part(line.days, ALL_DAYS)}")] if line.days else []
    if line.last_day:
        found.append((weekdays, "~01"))
    if line.last_workday:
        # The last day itself, or the Friday before a month that ends on Saturday or Sunday.
        found += [(_WORKDAYS, "~01"), ("Fri", "~02"), ("Fri", "~03")]
    return found


def _weekdays(line: CronLine, days: frozenset[int]) -> list[tuple[str, str]]:
    found = [(_weekday_names(line.weekdays), f"-{_part(days, ALL_DAYS)}")] if line.weekdays else []
    for weekday, n in sorted(line.nth_weekdays):
        if n == LAST:
            found.append((WEEKDAYS[weekday], "~07/1"))
        elif week := days & frozenset(range(7 * n - 6, 7 * n + 1)):
            found.append((WEEKDAYS[weekday], f"-{_part(week, ALL_DAYS)}"))
    return found


def _weekday_names(weekdays: frozenset[int]) -> str:
    # systemd's week starts on Monday, and a range may not run backwards.
    names = (*WEEKDAYS[1:], WEEKDAYS[0])
    spans = runs((day - 1) % 7 for day in weekdays)
    return ",".join(names[a] if a == b else f"{names[a]}..{names[b]}" for a, b in spans)


def _part(values: frozenset[int], everything: frozenset[int]) -> str:
    if values == everything:
        return "*"
    step = stride(values)
    if step is not None and step > 1:
        return f"{min(values):02d}..{max(values):02d}/{step}"
    return ",".join(f"{a:02d}" if a == b else f"{a:02d}..{b:02d}" for a, b in runs(values))
