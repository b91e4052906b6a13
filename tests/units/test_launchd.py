"""Property lists: valid, complete, and firing at the minutes that the line names."""

from __future__ import annotations

import plistlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.policy.timetable import Timetable, cron_line
from cadencebus.units.launchd import MOST_ENTRIES, calendar_intervals, consumer, producer
from cadencebus.units.seal import Condition, condition
from cadencebus.units.site import Inexpressible, Producer, Site, Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Faults = Callable[[dict[str, Any]], list[str]]

START = datetime(2026, 2, 20, tzinfo=UTC)
INBOX = Producer(name="inbox", line=cron_line("*/5 8-19 * * mon-fri"), delay=7.5)


def members(unit: Unit) -> dict[str, Any]:
    """What launchd reads."""
    found = plistlib.loads(unit.text.encode())
    assert isinstance(found, dict)
    return found


def test_the_consumer_is_kept_alive_and_leaves_its_sessions_alone(site: Site) -> None:
    """Restarted after a failure, not after a clean stop; its process group is abandoned, not killed."""
    unit = consumer(site)
    assert unit.file == f"cadencebus.{site.slug}.plist"
    assert members(unit) == {
        "Label": f"cadencebus.{site.slug}",
        "ProgramArguments": ["/srv/ann/.local/bin/cadence", "run"],
        "EnvironmentVariables": {"CADENCE_HOME": site.home, "PATH": site.path},
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "AbandonProcessGroup": True,
        "ProcessType": "Standard",
        "SoftResourceLimits": {"NumberOfFiles": 8192},
        "ExitTimeOut": 10,
        "StandardOutPath": "/srv/ann/Library/Logs/cadencebus/consumer.log",
        "StandardErrorPath": "/srv/ann/Library/Logs/cadencebus/consumer.log",
    }


def test_a_cadence_is_an_agent_that_does_not_run_when_loaded(site: Site) -> None:
    """Its share of the jitter waits in deferred/."""
    unit = producer(site, INBOX)
    plist = members(unit)
    assert unit.file == f"cadencebus.{site.slug}.inbox.plist"
    assert len(plist.pop("StartCalendarInterval")) == 12 * 12 * 5
    assert plist == {
        "Label": f"cadencebus.{site.slug}.inbox",
        "ProgramArguments": [*site.program, "enqueue", "inbox", "--source", "launchd", "--in", "7.5s"],
        "EnvironmentVariables": {"CADENCE_HOME": site.home},
        "RunAtLoad": False,
        "ProcessType": "Background",
        "StandardErrorPath": "/srv/ann/Library/Logs/cadencebus/producers.log",
    }


@pytest.mark.parametrize(
    "line",
    [
        "*/5 8-19 * * mon-fri",
        "0 9 * * sun",
        "30 * * * *",
        "* 9 * * *",
        "0 9 1,15 * mon",
        "15 6 */7 feb *",
        "0 9 1 * 0-6",
        "0 0 28-31 2,3 *",
        "*/20 1,2 * mar 0,7",
    ],
)
def test_entries_match_the_minutes_that_the_line_names(line: str) -> None:
    """Sixty days minute by minute, by the rule of the manual: what is left out means any."""
    entries = calendar_intervals(cron_line(line))
    asked = {tuple(entry): set[tuple[int, ...]]() for entry in entries}
    for entry in entries:
        asked[tuple(entry)].add(tuple(entry.values()))
    minutes = (START + timedelta(minutes=minute) for minute in range(60 * 1440))
    matched = [
        moment.timestamp()
        for moment, face in ((moment, shown(moment)) for moment in minutes)
        if any(tuple(map(face.__getitem__, keys)) in wanted for keys, wanted in asked.items())
    ]
    timetable = Timetable(name="x", line=cron_line(line))
    assert matched == list(timetable.firings(START.timestamp() - 1, START.timestamp() + 60 * 86400 - 1))


def shown(moment: datetime) -> dict[str, int]:
    """What launchd compares with an entry at that minute."""
    return {
        "Minute": moment.minute,
        "Hour": moment.hour,
        "Day": moment.day,
        "Month": moment.month,
        "Weekday": moment.isoweekday() % 7,
    }


def test_no_entry_names_day_and_weekday_together() -> None:
    """Whichever of them matched, the job would start."""
    for line in ("0 9 1,15 * mon", "0 9 13 5 fri"):
        assert not any({"Day", "Weekday"} <= entry.keys() for entry in calendar_intervals(cron_line(line)))
    assert calendar_intervals(cron_line("0 9 1 * 0-6")) == [{"Hour": 9, "Minute": 0}]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (Producer(name="x", every=10.0), 10),
        (Producer(name="x", every=90.0), 90),
        (Producer(name="x", every=1800.0), 1800),
        (Producer(name="x", every=5400.0), 5400),
        (Producer(name="x", every=18000.0), 18000),
        (Producer(name="x", every=172800.0), 172800),
        (Producer(name="x", line=cron_line("* * * * *")), 60),
    ],
)
def test_an_interval_is_a_count_of_seconds(site: Site, asked: Producer, expected: int) -> None:
    """Also every minute, which would be an entry that says nothing."""
    plist = members(producer(site, asked))
    assert plist["StartInterval"] == expected
    assert "StartCalendarInterval" not in plist


@pytest.mark.parametrize(
    ("every", "hours"),
    [(3600.0, range(24)), (7200.0, range(0, 24, 2)), (43200.0, (0, 12)), (86400.0, (0,))],
)
def test_hours_that_divide_a_day_go_by_the_calendar(site: Site, every: float, hours: Iterable[int]) -> None:
    """An interval that ends in sleep is passed over: a laptop would never see its day."""
    plist = members(producer(site, Producer(name="x", every=every)))
    assert plist["StartCalendarInterval"] == [{"Hour": hour, "Minute": 0} for hour in hours]
    assert "StartInterval" not in plist


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (Producer(name="x", every=9.0), "no more often than every 10 s"),
        (Producer(name="x", every=90.5), "whole seconds, not 90.5"),
        (Producer(name="x", line=cron_line("0 9 */2 * mon")), "never both at once"),
        (Producer(name="x", line=cron_line("0 9 L * *")), "no last or n-th day"),
        (Producer(name="x", line=cron_line("0 9 LW * *")), "no last or n-th day"),
        (Producer(name="x", line=cron_line("0 9 * * fri#2")), "no last or n-th day"),
        (Producer(name="x", line=cron_line("0 9 * * *"), zone="Asia/Tokyo"), "own time zone, not Asia/Tokyo"),
        (Producer(name="x", line=cron_line("1-59 1-23 2-31 2-12 *")), f"over {MOST_ENTRIES}"),
    ],
)
def test_what_launchd_has_no_words_for_is_refused(site: Site, asked: Producer, why: str) -> None:
    """The bus's own clock keeps it."""
    with pytest.raises(Inexpressible, match=why):
        producer(site, asked)


def test_a_promise_that_launchd_does_not_keep_is_named(site: Site) -> None:
    """It catches up after sleep, once, and never after the machine was off."""
    assert producer(site, INBOX).caveats == (
        "launchd makes up for sleep, but not for a machine that was off",
    )
    for mode in ("none", "all"):
        unit = producer(site, replace(INBOX, catch_up=mode))
        assert unit.caveats == (f"launchd fires once after sleep: catch_up {mode} is not kept",)


def test_an_interval_that_ends_in_sleep_is_passed_over(site: Site) -> None:
    """By its manual: what only the calendar has is not promised of an interval."""
    odd = Producer(name="x", every=5400.0)
    for mode in ("one", "all"):
        unit = producer(site, replace(odd, catch_up=mode))
        assert unit.caveats == (f"launchd passes over what falls into sleep: catch_up {mode} is not kept",)
    assert producer(site, replace(odd, catch_up="none")).caveats == ()
    assert producer(site, Producer(name="x", every=7200.0)).caveats == producer(site, INBOX).caveats


def test_paths_survive_the_xml(nasty: Site) -> None:
    """Quotes, ampersands, angle brackets and letters beyond ASCII."""
    plist = members(consumer(nasty))
    assert plist["EnvironmentVariables"] == nasty.environment
    assert plist["ProgramArguments"] == [*nasty.program, "run"]


def test_every_list_passes_the_schema_and_knows_itself_again(nasty: Site, faults: Faults) -> None:
    """The comments with the fingerprint do not disturb the reader."""
    for unit in (consumer(nasty), producer(nasty, INBOX), producer(nasty, Producer(name="x", every=60.0))):
        assert faults(members(unit)) == []
        assert condition(unit.text, unit.text) is Condition.CURRENT


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"KeepAlive": {"Successfulexit": False}}, "KeepAlive.Successfulexit is not a key of launchd"),
        ({"Keepalive": True}, "Keepalive is not a key of launchd"),
        ({"RunAtLoad": 1}, "RunAtLoad can't be 1"),
        ({"ThrottleInterval": True}, "ThrottleInterval can't be True"),
        ({"StartInterval": 0}, "StartInterval can't be 0"),
        ({"StartCalendarInterval": [{"Hour": 24}]}, "StartCalendarInterval[0].Hour can't be 24"),
        ({"ProcessType": "background"}, "ProcessType can't be 'background'"),
        ({"ProgramArguments": ["a", 5]}, "ProgramArguments[1] can't be 5"),
        ({"EnvironmentVariables": {"A": 5}}, "EnvironmentVariables.A can't be 5"),
        ({"EnvironmentVariables": ["A"]}, "EnvironmentVariables can't be ['A']"),
    ],
)
def test_the_schema_finds_what_launchd_would_pass_over(
    site: Site, faults: Faults, change: dict[str, object], fault: str
) -> None:
    """A typing error is a consumer that stays down."""
    assert faults(members(consumer(site)) | change) == [fault]


def test_the_schema_wants_a_label_and_a_program(faults: Faults) -> None:
    """Without them there is nothing to start."""
    assert faults({}) == ["Label is missing", "neither Program nor ProgramArguments is there"]
