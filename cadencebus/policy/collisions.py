"""Schedules that pile up: a real week in five-minute buckets, where it is too full, and what to move.

A bucket's weight is how many sessions it asks for at once, averaged over its five minutes: three runs of
twenty minutes that start together are 3.0 for four buckets, three runs of ten seconds are 0.1 in one. With
another weight per run (its turns, its money) the same picture shows those.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from cadencebus.policy.timetable import Timetable, cron_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, tzinfo

BUCKET = 300.0
# What a cadence asks for in the buckets of the week, by their number; nothing in all others.
Column = dict[int, float]
# How long a run is taken to last that was never measured: one bucket.
UNMEASURED = BUCKET
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# From nothing to just full; what is over the limit stands out.
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
    columns = {load.name: _column(load, start, end) for load in sorted(loads, key=lambda load: load.name)}
    buckets = _buckets(columns, start, int((end - start) // BUCKET))
    return Week(
        zone=zone,
        limit=limit,
        buckets=buckets,
        pileups=tuple(_pileups(buckets, limit)),
        suggestions=tuple(_suggestions(loads, columns, buckets, limit)) if advise else (),
    )


def picture(week: Week, width: int) -> list[str]:
    """The week as lines of plain characters: a row a day, `!` where it is over the limit."""
    columns = max(24, min(288, (width - 4) // 24 * 24))
    per_hour = columns // 24
    days: dict[str, list[float]] = {day: [0.0] * columns for day in DAYS}
    for bucket in week.buckets:
        there = datetime.fromtimestamp(bucket.at, week.zone)
        row, place = days[DAYS[there.weekday()]], (there.hour * 60 + there.minute) * columns // 1440
        row[place] = max(row[place], bucket.weight)
    step = next(hours for hours in (1, 2, 3) if hours * per_hour > len("00"))
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


def _buckets(columns: Mapping[str, Column], start: float, count: int) -> tuple[Bucket, ...]:
    present: list[list[tuple[str, float]]] = [[] for _ in range(count)]
    for name, column in columns.items():
        # Most shares of a cadence are alike: five thousand cadences fill millions of places.
        pairs = {share: (name, share) for share in column.values()}
        for n, share in column.items():
            present[n].append(pairs[share])
    # They came by name, and stay so where they are as heavy.
    return tuple(
        Bucket(
            start + n * BUCKET,
            sum(share for _, share in shares),
            tuple(sorted(shares, key=itemgetter(1), reverse=True)),
        )
        for n, shares in enumerate(present)
    )


def _column(load: Load, start: float, end: float) -> Column:
    """How much of each bucket the runs of one cadence fill, never more than it may run at a time."""
    count = int((end - start) // BUCKET)
    every = load.timetable.every
    if every is not None and every < BUCKET:
        share = min(load.lasts / every, load.concurrency) * load.weight
        return dict.fromkeys(range(count), share) if share else {}
    filled: defaultdict[int, float] = defaultdict(float)
    # A run that began on Sunday night is still there on Monday morning.
    for firing in load.timetable.firings(start - load.lasts, end):
        _fill(filled, count, firing - start, firing - start + load.lasts)
    capped = ((n, min(share, load.concurrency) * load.weight) for n, share in filled.items())
    return {n: share for n, share in capped if share}


def _fill(filled: defaultdict[int, float], count: int, since: float, until: float) -> None:
    first, last = max(0, int(since // BUCKET)), min(count, int(-(-until // BUCKET)))
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


def _suggestions(
    loads: Sequence[Load], columns: Mapping[str, Column], buckets: Sequence[Bucket], limit: float
) -> list[Suggestion]:
    """Move one cadence after the other to where it helps most, as long as it helps."""
    found: list[Suggestion] = []
    total = [bucket.weight for bucket in buckets]
    movable = {load.name: load for load in loads if _shifts(load.timetable) and columns[load.name]}
    while len(found) < _ENOUGH_ADVICE:
        before = _excess(total, limit)
        choices = (
            choice
            for name, load in movable.items()
            # Only a cadence that is where it is too full can make it better by moving.
            if any(total[n] > limit for n in columns[name])
            for choice in _tries(load, columns[name], total, limit, before)
        )
        after, minutes, name = min(choices, default=(before, 0, ""))
        if before - after < _WORTH_IT:
            break
        load = movable.pop(name)
        _move(total, columns[name], minutes)
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
    load: Load, column: Column, total: list[float], limit: float, before: float
) -> list[tuple[float, int, str]]:
    """The excess after each move that a cadence could make, from the buckets that it touches."""
    found = []
    for minutes in _shifts(load.timetable):
        change: defaultdict[int, float] = defaultdict(float)
        for n, there, share in _moved(column, minutes, len(total)):
            change[n] -= share
            change[there] += share
        more = sum(
            max(0.0, total[n] + by - limit) - max(0.0, total[n] - limit) for n, by in change.items() if by
        )
        found.append((round(before + more * BUCKET / 60, 6), minutes, load.name))
    return found


def _moved(column: Column, minutes: int, count: int) -> Iterator[tuple[int, int, float]]:
    """What a move takes from where to where; from the end of the week to its beginning."""
    steps = int(minutes * 60 // BUCKET)
    return ((n, (n + steps) % count, share) for n, share in column.items())


def _move(total: list[float], column: Column, minutes: int) -> None:
    for n, there, share in _moved(column, minutes, len(total)):
        total[n] -= share
        total[there] += share


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
