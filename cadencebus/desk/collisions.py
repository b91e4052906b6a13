"""Where a home's schedules pile up, from how long its runs were measured to take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cadencebus.desk.forecast import schedules
from cadencebus.errors import CadenceError
from cadencebus.model.wording import some
from cadencebus.policy.collisions import DAYS, UNMEASURED, Load, Pileup, Week, week_of
from cadencebus.store.zone import local_zone

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from cadencebus.desk.forecast import Schedule
    from cadencebus.desk.snapshot import Snapshot

# What a run may be weighed by: the key of the cadence's measured averages.
WEIGHTS = {"duration": None, "turns": "turns", "money": "usd"}
# The whole crowd is in `collisions --json`.
_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Pile-ups of the same cadences at the same time of day, on one day or several."""

    days: tuple[str, ...]
    since: str
    until: str
    peak: float
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{spell_days(self.days)} {self.since}-{self.until}: {self.who}"

    @property
    def who(self) -> str:
        """The cadences, as a line can hold them."""
        return some(self.names, _NAMED)


def loads_of(snapshot: Snapshot, weigh: str = "duration") -> tuple[list[Load], list[str]]:
    """What each scheduled cadence asks for; and those whose runs nobody has measured yet."""
    loads, unmeasured = [], []
    for schedule in schedules(snapshot):
        load, measured = _load(snapshot, schedule, weigh)
        if load is not None:
            loads.append(load)
            unmeasured += [] if measured else [schedule.cadence]
    return loads, unmeasured


def _load(snapshot: Snapshot, schedule: Schedule, weigh: str) -> tuple[Load | None, bool]:
    try:
        cadence = snapshot.prompts.load(schedule.cadence)
    except (CadenceError, OSError):
        return None, True
    if cadence.mode == "inline" and weigh == "duration":
        # It runs beside the slots.
        return None, True
    averages = snapshot.memory.cadence(cadence.name, snapshot.now, mend=False).averages
    seconds, key = averages.get("seconds"), WEIGHTS[weigh]
    weight = 1.0 if key is None else averages.get(key)
    load = Load(
        timetable=schedule.timetable,
        lasts=UNMEASURED if seconds is None else max(1.0, seconds),
        weight=weight or 0.0,
        concurrency=cadence.concurrency,
    )
    return load, seconds is not None and weight is not None


def look(snapshot: Snapshot, loads: Sequence[Load], *, limit: float | None, advise: bool = True) -> Week:
    """Lay out this week, Monday to Sunday; without a limit the heaviest five minutes are one."""
    zone = local_zone()
    today = datetime.fromtimestamp(snapshot.now, zone).date()
    monday = today - timedelta(days=today.weekday())
    known = float("inf") if limit is None else limit
    week = week_of(loads, monday, zone, limit=known, advise=advise)
    if limit is None:
        week = replace(week, limit=max((bucket.weight for bucket in week.buckets), default=0.0))
    return week


def crowds(week: Week) -> list[Crowd]:
    """The pile-ups of a week, those that repeat daily in one, the worst first."""
    spelled = [_crowd(pileup, week.zone) for pileup in week.pileups]
    spelled.sort(key=lambda crowd: (crowd.since, crowd.until, crowd.names))
    found = []
    for _, group in groupby(spelled, key=lambda crowd: (crowd.since, crowd.until, crowd.names)):
        same = list(group)
        days = sorted({day for crowd in same for day in crowd.days}, key=DAYS.index)
        found.append(replace(same[0], days=tuple(days), peak=max(crowd.peak for crowd in same)))
    return sorted(found, key=lambda crowd: (-crowd.peak, DAYS.index(crowd.days[0]), crowd.since))


def spell_days(days: Sequence[str]) -> str:
    """Days of the week: `daily`, `Mon-Fri`, `Mon, Wed`."""
    at = [DAYS.index(day) for day in days]
    if len(at) == len(DAYS):
        return "daily"
    if len(at) > 2 and at == list(range(at[0], at[-1] + 1)):  # noqa: PLR2004 - two are named
        return f"{days[0]}-{days[-1]}"
    return ", ".join(days)


def _crowd(pileup: Pileup, zone: tzinfo) -> Crowd:
    start, end = (datetime.fromtimestamp(t, zone) for t in (pileup.start, pileup.end))
    until = f"{end:%H:%M}" if end - start < timedelta(days=1) else f"{end:%a %H:%M}"
    # A week is compared by its days: where clocks change it is an hour shorter or longer.
    always = end.date() - start.date() >= timedelta(days=len(DAYS))
    return Crowd(
        days=tuple(DAYS) if always else (DAYS[start.weekday()],),
        since=f"{start:%H:%M}",
        until="24:00" if always else until,
        peak=pileup.peak,
        names=tuple(sorted(pileup.names)),
    )


def dump(crowd: Crowd) -> dict[str, Any]:
    """The object that `collisions --json` prints."""
    return {
        "days": list(crowd.days),
        "since": crowd.since,
        "until": crowd.until,
        "peak": round(crowd.peak, 3),
        "cadences": list(crowd.names),
    }
