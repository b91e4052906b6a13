"""A cron line, taken apart: which minutes of which days, and the same in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.model.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# The fifth Monday of a month may be missing; its last never is.
LAST = -1
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_DASH = "\N{EN DASH}"
_FEW = 4
_PAIR = 2

ALL_MINUTES = frozenset(range(60))
ALL_HOURS = frozenset(range(24))
ALL_DAYS = frozenset(range(1, 32))
ALL_MONTHS = frozenset(range(1, 13))
ALL_WEEKDAYS = frozenset(range(7))


@dataclass(frozen=True, slots=True, kw_only=True)
class CronLine:
    """The five fields as sets; Sunday is 0."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    last_day: bool = False
    last_workday: bool = False
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()

    @property
    def fields(self) -> tuple[str, ...]:
        """The five fields as they were written."""
        return tuple(self.text.split())

    @property
    def fixed(self) -> bool:
        """Whether it names times of day; a `*` in front of minute or hour makes it an interval instead."""
        return not (self.fields[0].startswith("*") or self.fields[1].startswith("*"))

    @property
    def any_day(self) -> bool:
        """Whether the day of the month does not matter."""
        return self.days == ALL_DAYS

    @property
    def any_weekday(self) -> bool:
        """Whether the day of the week does not matter."""
        return self.weekdays == ALL_WEEKDAYS

    @property
    def either_day(self) -> bool:
        """Whether one of the two day fields is enough: cron's old rule where neither starts with `*`."""
        return not (self.fields[2].startswith("*") or self.fields[4].startswith("*"))

    def words(self) -> str:
        """Say it: `at 07:00 on Mon-Fri`."""
        return " ".join(part for part in (_times(self), _days(self), _months(self.months)) if part)


def runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Fold numbers into stretches without a hole: 1, 2, 3, 7 is (1, 3), (7, 7)."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def stride(values: frozenset[int]) -> int | None:
    """The even step between numbers, three at least; None where there is none."""
    low, high = min(values, default=0), max(values, default=0)
    step = (high - low) // max(1, len(values) - 1)
    even = len(values) > _PAIR and values == frozenset(range(low, high + 1, step))
    return step if even else None


def goes_round(values: frozenset[int], size: int) -> bool:
    """Whether an even step also leads from the last number to the first of the next round."""
    return len(values) > 1 and size % len(values) == 0 and stride(values | {min(values) + size}) is not None


def _times(line: CronLine) -> str:
    if line.minutes == ALL_MINUTES:
        return _within("every minute", line)
    if len(line.minutes) * len(line.hours) <= _FEW:
        return "at " + listed([_clock(h, m) for h in sorted(line.hours) for m in sorted(line.minutes)], "and")
    first = min(line.minutes)
    if len(line.minutes) == 1:
        return _hourly(line, first)
    if goes_round(line.minutes, len(ALL_MINUTES)):
        return _within(f"every {len(ALL_MINUTES) // len(line.minutes)} minutes", line, start=first)
    if step := stride(line.minutes):
        return _within(f"every {step} minutes of the hour", line, start=first)
    return _within("at " + listed([f":{minute:02d}" for minute in sorted(line.minutes)], "and"), line)


def _hourly(line: CronLine, minute: int) -> str:
    if line.hours == ALL_HOURS:
        return f"every hour at :{minute:02d}"
    first, last = _clock(min(line.hours), minute), _clock(max(line.hours), minute)
    step = stride(line.hours)
    if step is None:
        return "at " + listed([_clock(hour, minute) for hour in sorted(line.hours)], "and")
    if goes_round(line.hours, len(ALL_HOURS)):
        return f"every {step} hours from {first}"
    return f"every {'hour' if step == 1 else f'{step} hours'} from {first} to {last}"


def _within(what: str, line: CronLine, *, start: int = 0) -> str:
    if line.hours == ALL_HOURS:
        return f"{what} from :{start:02d}" if start else what
    first, last = min(line.minutes), max(line.minutes)
    spans = [f"{_clock(a, first)} to {_clock(b, last)}" for a, b in runs(line.hours)]
    return f"{what} from {listed(spans, 'and')}"


def _days(line: CronLine) -> str:
    dates, weekdays = _dates(line), _weekdays(line)
    if not (dates and weekdays):
        # `0 9 1 * 0-6` means every day: one of the two is enough, and every day is a weekday.
        return "" if line.either_day else dates or weekdays
    return f"{dates} or {weekdays}" if line.either_day else f"{dates} if it is {weekdays.removeprefix('on ')}"


def _dates(line: CronLine) -> str:
    if line.any_day:
        return ""
    step = stride(line.days) or 1
    if step > 1 and max(line.days) + step > max(ALL_DAYS):
        return f"on every {_ordinal(step)} day of the month from the {_ordinal(min(line.days))}"
    named = [
        f"the {_ordinal(a)}" if a == b else f"the {_ordinal(a)}{_DASH}{_ordinal(b)}"
        for a, b in runs(line.days)
    ]
    named += ["the last day"] if line.last_day else []
    named += ["the last working day"] if line.last_workday else []
    return f"on {listed(named, 'and')} of the month"


def _weekdays(line: CronLine) -> str:
    if line.any_weekday:
        return ""
    # People's weeks start on Monday: Sat and Sun are neighbours.
    plain = _spans([(day - 1) % 7 for day in line.weekdays], (*WEEKDAYS[1:], WEEKDAYS[0]))
    nth = [f"the {_ORDINALS[n]} {WEEKDAYS[day]} of the month" for day, n in sorted(line.nth_weekdays)]
    return f"on {listed([*plain, *nth], 'and')}"


def _months(months: frozenset[int]) -> str:
    return (
        "" if months == ALL_MONTHS else f"in {listed(_spans([month - 1 for month in months], MONTHS), 'and')}"
    )


def _spans(values: Iterable[int], names: Sequence[str]) -> list[str]:
    found = []
    for first, last in runs(values):
        if last - first > 1:
            found.append(f"{names[first]}{_DASH}{names[last]}")
        else:
            found += [names[value] for value in range(first, last + 1)]
    return found


def _ordinal(day: int) -> str:
    suffix = "th" if day in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{suffix}"


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02d}:{minute:02d}"
