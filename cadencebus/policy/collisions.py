"""Schedules that pile up: a real week in five-minute buckets, where it is too full, and what to move.

A bucket's weight is how many sessions it asks for at once, averaged over its five minutes: three runs of
twenty minutes that start together are 3.0 for four buckets, three runs of ten seconds are 0.1 in one. With
another weight per run (its turns, its money) the same picture shows those.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from cadencebus.policy.timetable import Timetable, cron_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, tzinfo

BUCKET = 300.0
# What a run that was never measured is taken for: one bucket.
UNMEASURED = BUCKET
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# From nothing to just full; what is over stands out.
_SHADES = " .:-=+*#"
_OVER = "!"
# Less than a hundredth of a session-minute is no reason to move anybody, and nobody moves everybody.
_WORTH_IT = 0.01
_ENOUGH_ADVICE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a cadence asks for: when, for how long, how heavy one run is, how many of its runs at a time."""

    timetable: Timetable
    lasts: float = UNMEASURED
    weight: float = 1.0
    concurrency: int = 1

    @property
    def name(self) -> str:
        """The cadence."""
        return self.timetable.name


@dataclass(frozen=True, slots=True)
class Bucket:
    """Five minutes of the week: since when, how heavy, and who is in it, the heaviest first."""

    at: float
    weight: float
    shares: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pileup:
    """A stretch of the week in which more is asked for than there is."""

    start: float
    end: float
    peak: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A cron line that would spread the week better; the excess is in session-minutes of the week."""

    name: str
    line: str
    minutes: int
    excess_before: float
    excess_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """A week from a Monday's midnight, a little shorter or longer where clocks change."""

    zone: tzinfo
    limit: float
    buckets: tuple[Bucket, ...]
    pileups: tuple[Pileup, ...]
    suggestions: tuple[Suggestion, ...]


def week_of(loads: Sequence[Load], monday: date, zone: tzinfo, *, limit: float, advise: bool = True) -> Week:
    """Lay every firing of the week into its buckets, and look where they are more than the limit."""
    start, end = (
        datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        for day in (monday, monday + timedelta(days=7))
    )
    columns = {load.name: _column(load, start, end) for load in loads}
    buckets = tuple(
        _bucket(start + n * BUCKET, {name: column[n] for name, column in columns.items()})
        for n in range(int((end - start) // BUCKET))
    )
    return Week(
        zone=zone,
        limit=limit,
        buckets=buckets,
        pileups=tuple(_pileups(buckets, limit)),
        suggestions=tuple(_suggestions(loads, columns, limit)) if advise else (),
    )


def picture(week: Week, width: int = 80) -> list[str]:
    """The week as lines of plain characters: a row a day, `!` where it is over the limit."""
    columns = max(24, min(288, (width - 4) // 24 * 24))
    per_hour = columns // 24
    days: dict[str, list[float]] = {day: [0.0] * columns for day in DAYS}
    for bucket in week.buckets:
        there = datetime.fromtimestamp(bucket.at, week.zone)
        row, place = days[DAYS[there.weekday()]], (there.hour * 60 + there.minute) * columns // 1440
        row[place] = max(row[place], bucket.weight)
    step = next(hours for hours in (1, 2, 3, 6) if hours * per_hour > len("00"))
    axis = "".join(f"{hour:02d}".ljust(per_hour * step) for hour in range(0, 24, step))
    rows = ["".join(_shade(weight, week.limit) for weight in row) for row in days.values()]
    lines = [f"    {axis.rstrip()}", *(f"{day} {row}".rstrip() for day, row in zip(DAYS, rows, strict=True))]
    return [*lines, f"    '{_SHADES[1:]}' up to {week.limit:g} at once, '{_OVER}' more"]


def _shade(weight: float, limit: float) -> str:
    if weight > limit:
        return _OVER
    if weight <= 0 or limit <= 0:
        return _SHADES[0]
    return _SHADES[max(1, round(weight / limit * (len(_SHADES) - 1)))]


def _bucket(at: float, shares: Mapping[str, float]) -> Bucket:
    present = [(name, share) for name, share in shares.items() if share]
    heaviest_first = sorted(present, key=lambda pair: (-pair[1], pair[0]))
    return Bucket(at, sum(share for _, share in present), tuple(heaviest_first))


def _column(load: Load, start: float, end: float) -> list[float]:
    """How much of each bucket the runs of one cadence fill, never more than it may run at a time."""
    count = int((end - start) // BUCKET)
    every = load.timetable.every
    if every is not None and every < BUCKET:
        share = min(load.lasts / every, load.concurrency) * load.weight
        return [share] * count
    filled = [0.0] * count
    # A run that began on Sunday night is still there on Monday morning.
    for firing in load.timetable.firings(start - load.lasts, end):
        _fill(filled, firing - start, firing - start + load.lasts)
    return [min(share, load.concurrency) * load.weight for share in filled]


def _fill(filled: list[float], since: float, until: float) -> None:
    first, last = max(0, int(since // BUCKET)), min(len(filled), int(-(-until // BUCKET)))
    for n in range(first, last):
        inside = min(until, (n + 1) * BUCKET) - max(since, n * BUCKET)
        filled[n] += max(0.0, inside) / BUCKET


def _pileups(buckets: Sequence[Bucket], limit: float) -> list[Pileup]:
    found = []
    for over, group in groupby(buckets, key=lambda bucket: bucket.weight > limit):
        if over:
            together = list(group)
            peak = max(together, key=lambda bucket: bucket.weight)
            found.append(
                Pileup(
                    start=together[0].at,
                    end=together[-1].at + BUCKET,
                    peak=peak.weight,
                    names=tuple(name for name, _ in peak.shares),
                )
            )
    return found


def _suggestions(loads: Sequence[Load], columns: Mapping[str, list[float]], limit: float) -> list[Suggestion]:
    """Move one cadence after the other to where it helps most, as long as it helps."""
    columns, found = dict(columns), list[Suggestion]()
    movable = [load for load in loads if _shifts(load.timetable) and any(columns[load.name])]
    while movable and len(found) < _ENOUGH_ADVICE:
        total = [sum(shares) for shares in zip(*columns.values(), strict=True)]
        before = _excess(total, limit)
        if before <= 0:
            break
        choices = [
            choice for load in movable for choice in _tries(load, columns[load.name], total, limit, before)
        ]
        after, minutes, name = min(choices)
        if before - after < _WORTH_IT:
            break
        load = next(load for load in movable if load.name == name)
        movable.remove(load)
        columns[name] = _rolled(columns[name], minutes)
        found.append(
            Suggestion(
                name=name,
                line=_shifted(load.timetable, minutes),
                minutes=minutes,
                excess_before=before,
                excess_after=after,
            )
        )
    return found


def _tries(
    load: Load, column: list[float], total: list[float], limit: float, before: float
) -> list[tuple[float, int, str]]:
    """The excess after each move that a cadence could make, from the buckets that it touches."""
    own = [(n, share) for n, share in enumerate(column) if share]
    found = []
    for minutes in _shifts(load.timetable):
        steps = int(minutes * 60 // BUCKET)
        change = dict.fromkeys((n for n, _ in own), 0.0)
        for n, share in own:
            there = (n + steps) % len(column)
            change[n] -= share
            change[there] = change.get(there, 0.0) + share
        more = sum(
            max(0.0, total[n] + by - limit) - max(0.0, total[n] - limit) for n, by in change.items() if by
        )
        found.append((round(before + more * BUCKET / 60, 6), minutes, load.name))
    return found


def _rolled(column: list[float], minutes: int) -> list[float]:
    steps = int(minutes * 60 // BUCKET)
    return column[-steps:] + column[:-steps] if steps else column


def _excess(total: Sequence[float], limit: float) -> float:
    """Session-minutes over the limit."""
    return sum(max(0.0, weight - limit) for weight in total) * BUCKET / 60


def _shifts(timetable: Timetable) -> range:
    """By how many minutes a line may move later without leaving its hour: only plain minutes can."""
    if timetable.line is None or not timetable.line.fields[0].replace(",", "").isdigit():
        return range(0)
    return range(5, 60 - max(timetable.line.minutes), 5)


def _shifted(timetable: Timetable, minutes: int) -> str:
    if timetable.line is None:
        raise ValueError(f"{timetable.name} has no cron line to move")
    _, *others = timetable.line.fields
    moved = ",".join(str(minute + minutes) for minute in sorted(timetable.line.minutes))
    return cron_line(" ".join((moved, *others))).text
