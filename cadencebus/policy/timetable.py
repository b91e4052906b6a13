"""When a cadence fires: a cron line in its zone, an interval or a single moment, slot by slot.

A *slot* is the moment a schedule names. A *firing* is its slot plus the cadence's own share of the jitter:
one fixed shift for all slots, the same on every host, so that it can neither reorder nor skip them.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from cadencebus.model.cronline import LAST, CronLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.firing_rule import FiringRule

SHORTHANDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS = 5
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - walls have no zone: this is what local clocks are counted from
_DAWN = datetime(1, 1, 2)  # noqa: DTZ001
# A leap year, so that the 29th of February is found at once.
_SOME_DAY = datetime(2000, 1, 1)  # noqa: DTZ001


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """The slots of one cadence: a cron line in a zone, an even interval, or a single moment."""

    name: str
    line: CronLine | None = None
    every: float | None = None
    once_at: float | None = None
    zone: tzinfo = UTC
    local: bool = True
    max_firings: int | None = None
    expires_at: float | None = None
    catch_up: str = "one"
    jitter: float = 0.0

    @property
    def offset(self) -> float:
        """How long after its slot this cadence fires: in [0, jitter), drawn from its name."""
        return math.floor(_share(self.name, "jitter") * self.jitter * 1000) / 1000

    @property
    def place(self) -> str:
        """The machine's zone as far as it matters; empty for a cadence that names its own, or needs none."""
        return str(self.zone) if self.line and self.local else ""

    @property
    def fingerprint(self) -> str:
        """What an edit changes, and what a restart, a journey or another jitter does not."""
        zone = str(self.zone) if self.line and not self.local else ""
        rule = (
            self.line and self.line.text,
            self.every,
            self.once_at,
            self.max_firings,
            self.expires_at,
            zone,
        )
        return hashlib.sha256(repr(rule).encode()).hexdigest()[:16]

    def at(self, zone: tzinfo) -> Timetable:
        """The same words read in another zone."""
        return replace(self, zone=zone)

    def firings(self, after: float, until: float) -> Iterator[float]:
        """Every firing later than the one moment, up to and with the other."""
        offset = self.offset
        fired = (slot + offset for slot in self.slots(after - offset))
        return takewhile(lambda firing: firing <= until, fired)

    def slots(self, after: float) -> Iterator[float]:
        """Every slot later than this moment, in order, exact to the microsecond, for ever if need be."""
        if self.line is not None:
            found = _cron_slots(self.line, self.zone, after)
        elif self.every is not None:
            found = _lattice(self.name, self.every, after)
        else:
            found = iter(() if self.once_at is None or self.once_at <= after else (self.once_at,))
        if (ends := self.expires_at) is None:
            return found
        offset = self.offset
        return takewhile(lambda slot: slot + offset < ends, found)


def timetable_of(cadence: Cadence | FiringRule, *, local: tzinfo = UTC) -> Timetable | None:
    """The timetable of a cadence, None where somebody else enqueues it; ValueError names the wrong key."""
    asked = [key for key in ("schedule", "every", "once_at") if getattr(cadence, key) is not None]
    if not asked:
        return None
    if len(asked) > 1:
        raise ValueError(f"{' and '.join(asked)}: only one of them can say when")
    if cadence.every is not None and not 0 < cadence.every < math.inf:
        raise ValueError(f"every: {cadence.every:g} is not an interval; it must be more than 0")
    return Timetable(
        name=cadence.name,
        line=None if cadence.schedule is None else cron_line(cadence.schedule),
        every=cadence.every,
        once_at=cadence.once_at,
        zone=local if cadence.timezone is None else zone_named(cadence.timezone),
        local=cadence.timezone is None,
        max_firings=cadence.max_firings,
        expires_at=cadence.expires_at,
        catch_up=cadence.catch_up,
        jitter=cadence.jitter,
    )


def cron_line(text: str) -> CronLine:
    """Read five cron fields, or a shorthand such as `@daily`; ValueError says which field is wrong."""
    spelled = SHORTHANDS.get(text.strip().lower(), text)
    if spelled.strip().startswith("@"):
        raise ValueError(f"schedule: {text!r} is not a shorthand; known are {', '.join(SHORTHANDS)}")
    fields = spelled.lower().split()
    if len(fields) != _FIELDS:
        raise ValueError(
            f"schedule: {text!r} has {len(fields)} fields; needed are minute, hour, day, month and weekday"
            + ("; for seconds there is `every`" if len(fields) == _FIELDS + 1 else "")
        )
    try:
        parsed = CronSim(" ".join(fields), _SOME_DAY)
    except CronSimError as error:
        raise ValueError(f"schedule: {str(error).lower()} in {text!r}") from None
    weekdays = {day for day in parsed.weekdays if isinstance(day, int)}
    nth = {pair for pair in parsed.weekdays if isinstance(pair, tuple)}
    if next(parsed, None) is None:
        raise ValueError(f"schedule: {text!r} names a day that never comes")
    return CronLine(
        text=" ".join(fields),
        minutes=frozenset(parsed.minutes),
        hours=frozenset(parsed.hours),
        days=frozenset(day for day in parsed.days if day > 0),
        months=frozenset(parsed.months),
        weekdays=frozenset(day % 7 for day in weekdays),
        last_day=CronSim.LAST in parsed.days,
        last_workday=CronSim.LAST_WEEKDAY in parsed.days,
        nth_weekdays=frozenset((day % 7, LAST if n == CronSim.LAST else n) for day, n in nth),
    )


def zone_named(name: str) -> ZoneInfo:
    """A zone of the tz database; ValueError where there is none of that name."""
    try:
        return ZoneInfo(name)
    # A folder's name, such as `Europe`, ends as an OSError, a path as a ValueError.
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"timezone: {name!r} is not a time zone; write it like Europe/Berlin or UTC"
        ) from None


def _share(name: str, purpose: str) -> float:
    digest = hashlib.sha256(f"{purpose}:{name}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _lattice(name: str, every: float, after: float) -> Iterator[float]:
    """Multiples of the interval since the epoch, shifted by the name: nothing but an edit moves them."""
    phase = math.floor(_share(name, "phase") * every)
    # A division may land one step beside the truth: start a step early and look.
    n = math.floor((after - phase) / every) - 1
    while True:
        # Rounded to what a file holds, or a slot read back would differ from itself and fire again.
        if (slot := round(phase + n * every, 6)) > after:
            yield slot
        n += 1


def _cron_slots(line: CronLine, zone: tzinfo, after: float) -> Iterator[float]:
    """Walk the wall clock, and bring each local time to the moments when walls show it.

    What summer time does is decided here and not by cronsim, which loses slots where clocks shift by half
    an hour, and steps back when asked during the second pass of a repeated one. The rule is Debian cron's: a
    line that names times of day runs at once for what was skipped, and never twice; one whose minute or hour
    starts with `*` runs whenever clocks show its time.
    """
    last, second_passes, fixed = after, deque[float](), line.fixed
    for local in _walls(line, _wall_before(zone, after)):
        first, second = _moments(local, zone, skipped_counts=fixed)
        while second_passes and (first is None or second_passes[0] < first):
            if (again := second_passes.popleft()) > last:
                yield again
        if second is not None and not fixed:
            second_passes.append(second)
        # Two slots of one skipped hour are both due at its end: that is one moment.
        if first is not None and first > last:
            last = first
            yield first
    yield from second_passes


def _walls(line: CronLine, after: datetime) -> Iterator[datetime]:
    """Every local time of a line later than this: cronsim finds its days, which all have the same times."""
    hours, minutes = sorted(line.hours), sorted(line.minutes)
    days = " ".join(("0", "0", *line.fields[2:]))
    eve = max(after.replace(hour=0, minute=0, second=0), _DAWN) - timedelta(minutes=1)
    for day in CronSim(days, eve):
        for hour in hours:
            if day.replace(hour=hour, minute=59) > after:
                times = (day.replace(hour=hour, minute=minute) for minute in minutes)
                yield from (local for local in times if local > after)


def _wall_before(zone: tzinfo, moment: float) -> datetime:
    """The local time to walk from: in the first pass of a repeated hour, early enough for the second."""
    here = datetime.fromtimestamp(math.floor(moment), zone)
    repeated = _ahead(here) - _ahead(here.replace(fold=1))
    return here.replace(tzinfo=None, fold=0) - max(repeated, timedelta())


def _moments(local: datetime, zone: tzinfo, *, skipped_counts: bool) -> tuple[float | None, float | None]:
    """When clocks show a local time: once, twice, or never; then at the end of the skip, if that counts."""
    before, after = (_ahead(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    seconds = (local - _EPOCH).total_seconds()
    early, late = seconds - before.total_seconds(), seconds - after.total_seconds()
    if before == after:
        return early, None
    if before > after:
        return early, late
    return (_change_between(zone, int(late), int(early)), None) if skipped_counts else (None, None)


def _change_between(zone: tzinfo, start: int, end: int) -> float:
    """The second at which clocks were changed."""
    old = _ahead(datetime.fromtimestamp(start, zone))
    seconds = range(start, end)
    changed = bisect_left(seconds, x=True, key=lambda s: _ahead(datetime.fromtimestamp(s, zone)) != old)
    return float(start + changed)


def _ahead(moment: datetime) -> timedelta:
    return moment.utcoffset() or timedelta()
