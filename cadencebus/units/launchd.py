"""Property lists for launchd: the consumer as an agent, and one agent for each cadence."""

from __future__ import annotations

import plistlib
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from cadencebus.model.cronline import ALL_DAYS, ALL_HOURS, ALL_MINUTES, ALL_MONTHS, ALL_WEEKDAYS
from cadencebus.model.duration import in_digits
from cadencebus.units.seal import seal
from cadencebus.units.site import Inexpressible, Unit

if TYPE_CHECKING:
    from cadencebus.model.cronline import CronLine
    from cadencebus.units.site import Producer, Site

# A day by the minute: launchd keeps every entry in memory, and nobody reads more.
MOST_ENTRIES = 1440
_BELOW_DOCTYPE = 2
# However short the interval, launchd waits so long before it starts a job again.
_LEAST = 10
_HOUR, _DAY = 3600, 86400


def label(site: Site, cadence: str | None = None) -> str:
    """What launchctl calls it."""
    return f"cadencebus.{site.slug}" if cadence is None else f"cadencebus.{site.slug}.{cadence}"


def consumer(site: Site) -> Unit:
    """The consumer: started at login, restarted when it fails, stopped alone."""
    log = f"{site.logs}/consumer.log"
    members = {
        "Label": label(site),
        "ProgramArguments": [*site.program, "run"],
        "EnvironmentVariables": site.environment,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        # Where a person is needed (exit 78) it fails again and again: not every ten seconds.
        "ThrottleInterval": 30,
        # Sessions outlive the consumer; the next one adopts them.
        "AbandonProcessGroup": True,
        # Background would slow down every session that it starts.
        "ProcessType": "Standard",
        # Sessions inherit it, and launchd's own 256 is soon too few for an agent that watches a folder.
        "SoftResourceLimits": {"NumberOfFiles": 8192},
        "ExitTimeOut": 10,
        "StandardOutPath": log,
        "StandardErrorPath": log,
    }
    return _unit(members)


def producer(site: Site, wanted: Producer) -> Unit:
    """One cadence: an agent that puts its tick in and ends."""
    members = {
        "Label": label(site, wanted.name),
        "ProgramArguments": [*wanted.argv(site, "launchd")],
        "EnvironmentVariables": {"CADENCE_HOME": site.home},
        "RunAtLoad": False,
        **_when(wanted),
        "ProcessType": "Background",
        # The id of each tick is of no use there; what goes wrong is.
        "StandardErrorPath": f"{site.logs}/producers.log",
    }
    return _unit(members, caveats=_caveats(wanted.catch_up, by_calendar="StartCalendarInterval" in members))


def calendar_intervals(line: CronLine) -> list[dict[str, int]]:
    """Every minute that the line names, as launchd wants them: one entry each, what is left out means any."""
    if line.last_day or line.last_workday or line.nth_weekdays:
        raise Inexpressible(f"launchd can't say {line.text!r}: it knows no last or n-th day")
    parts = (
        _choices("Month", line.months, ALL_MONTHS),
        _days(line),
        _choices("Hour", line.hours, ALL_HOURS),
        _choices("Minute", line.minutes, ALL_MINUTES),
    )
    if (count := prod(len(part) for part in parts)) > MOST_ENTRIES:
        raise Inexpressible(f"launchd would need {count} entries for {line.text!r}, over {MOST_ENTRIES}")
    return [month | day | hour | minute for month, day, hour, minute in product(*parts)]


def _when(wanted: Producer) -> dict[str, Any]:
    if wanted.zone is not None:
        raise Inexpressible(f"launchd knows only the machine's own time zone, not {wanted.zone}")
    if wanted.line is None:
        return _interval(wanted.every or 0.0)
    entries = calendar_intervals(wanted.line)
    # An entry that leaves out everything would mean every minute; say so in plain words.
    return {"StartInterval": 60} if entries == [{}] else {"StartCalendarInterval": entries}


def _interval(every: float) -> dict[str, Any]:
    if every < _LEAST:
        raise Inexpressible(f"launchd starts a job no more often than every {_LEAST} s")
    if every != int(every):
        raise Inexpressible(f"launchd counts whole seconds, not {in_digits(every)}")
    if every % _HOUR or _DAY % every:
        return {"StartInterval": int(every)}
    # An interval that ends while the machine sleeps is passed over: a laptop might never see its day end.
    hours = range(0, len(ALL_HOURS), int(every) // _HOUR)
    return {"StartCalendarInterval": [{"Hour": hour, "Minute": 0} for hour in hours]}


def _days(line: CronLine) -> list[dict[str, int]]:
    dates = _choices("Day", line.days, ALL_DAYS)
    weekdays = _choices("Weekday", line.weekdays, ALL_WEEKDAYS)
    if line.either_day:
        # Together in one entry launchd would also take either, but not say which was meant.
        return [{}] if [{}] in (dates, weekdays) else [*dates, *weekdays]
    if [{}] not in (dates, weekdays):
        raise Inexpressible(f"launchd can't say {line.text!r}: it takes day or weekday, never both at once")
    return dates if weekdays == [{}] else weekdays


def _choices(key: str, values: frozenset[int], everything: frozenset[int]) -> list[dict[str, int]]:
    return [{}] if values == everything else [{key: value} for value in sorted(values)]


def _caveats(catch_up: str, *, by_calendar: bool) -> tuple[str, ...]:
    if by_calendar and catch_up == "one":
        return ("launchd makes up for sleep, but not for a machine that was off",)
    if by_calendar:
        return (f"launchd fires once after sleep: catch_up {catch_up} is not kept",)
    if catch_up == "none":
        return ()
    return (f"launchd passes over what falls into sleep: catch_up {catch_up} is not kept",)


def _unit(members: dict[str, Any], caveats: tuple[str, ...] = ()) -> Unit:
    lines = plistlib.dumps(members, sort_keys=False).decode().removesuffix("\n").split("\n")
    text = seal(lines, at=_BELOW_DOCTYPE, opening="<!-- ", closing=" -->")
    return Unit(file=f"{members['Label']}.plist", text=text, caveats=caveats)
