"""Every schedule fires exactly as its words promise, in every zone, through every change of clocks."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.model.firing_rule import FiringRule
from cadencebus.policy import timetable
from cadencebus.policy.schedule_words import describe
from cadencebus.policy.timetable import Timetable, cron_line, timetable_of

if TYPE_CHECKING:
    from collections.abc import Iterator

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = timedelta(minutes=1)


Asked = partial(FiringRule, name="inbox-processor")


def made(asked: FiringRule) -> Timetable:
    """The timetable of something that has one."""
    timetable = timetable_of(asked, local=BERLIN)
    assert timetable is not None
    return timetable


def next_after(timetable: Timetable, moment: float) -> float | None:
    """Find the first firing later than this moment."""
    return next(timetable.firings(moment, math.inf), None)


def at(text: str, zone: str = "Europe/Berlin") -> float:
    """The moment at which clocks there show this."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def shown(moments: Iterator[float], zone: str = "Europe/Berlin", *, most: int = 12) -> list[str]:
    """What clocks show at these moments."""
    return [f"{datetime.fromtimestamp(t, ZoneInfo(zone)):%m-%d %H:%M%z}" for t in islice(moments, most)]


# ── an oracle that knows nothing of cronsim: a person who looks at the clock on the wall every minute ──────


@dataclass(frozen=True, slots=True)
class Rule:
    """A cron line as five sets, read the plainest way."""

    fields: tuple[str, ...]
    sets: tuple[frozenset[int], ...]

    @property
    def wild(self) -> bool:
        """Debian cron: a star in front of minute or hour makes it a job by interval."""
        return self.fields[0].startswith("*") or self.fields[1].startswith("*")

    def names(self, wall: datetime) -> bool:
        """Whether the line names what the wall shows."""
        minutes, hours, days, months, weekdays = self.sets
        if wall.minute not in minutes or wall.hour not in hours or wall.month not in months:
            return False
        by_date, by_weekday = wall.day in days, wall.isoweekday() % 7 in weekdays
        starred = self.fields[2].startswith("*") or self.fields[4].startswith("*")
        return (by_date and by_weekday) if starred else (by_date or by_weekday)


def rule(line: str) -> Rule:
    """Read numbers, lists, ranges and steps."""
    bounds = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
    fields = tuple(line.split())
    sets = []
    for field, (low, high) in zip(fields, bounds, strict=True):
        chosen: set[int] = set()
        for term in field.split(","):
            span, _, step = term.partition("/")
            first, _, last = span.partition("-")
            start, end = (low, high) if span == "*" else (int(first), int(last or first))
            chosen |= set(range(start, end + 1, int(step or 1)))
        sets.append(frozenset(chosen))
    return Rule(fields, (*sets[:4], frozenset(day % 7 for day in sets[4])))


def looked_up(lines: list[str], zone: str, start: float, end: float) -> dict[str, list[float]]:
    """Walk the real minutes one by one, as cron does, and note when each line fires."""
    here, fired = ZoneInfo(zone), {line: list[float]() for line in lines}
    # Two years are a million minutes: each asks only those lines whose minute it is.
    rules = [(fired[line], rule(line)) for line in lines]
    of_minute = [[(told, read) for told, read in rules if minute in read.sets[0]] for minute in range(60)]
    intervals = [[(told, read) for told, read in asked if read.wild] for asked in of_minute]
    times = [[(told, read) for told, read in asked if not read.wild] for asked in of_minute]
    # What the wall has shown so far: clocks set back show it again, clocks set forward leave minutes out.
    newest = datetime.fromtimestamp(start, here)
    for now in range(int(start) + 60, int(end) + 1, 60):
        wall = datetime.fromtimestamp(now, here)
        for told, read in intervals[wall.minute]:
            if read.names(wall):
                told.append(float(now))
        # Both are of one zone: what is compared and subtracted is what walls show.
        while newest < wall:
            newest += MINUTE
            for told, read in times[newest.minute]:
                if read.names(newest) and now not in told[-1:]:
                    told.append(float(now))
    return fired


LINES = [
    "* * * * *",
    "*/5 8-19 * * 1-5",
    "*/30 1-3 * * *",
    "0 * * * *",
    "15 */2 * * *",
    "30 2 * * *",
    "0,15,30,45 1,2,3 * * *",
    "5 2-3 * * 0",
    "59 23 31 12 *",
    "0 9 13 * 5",
    "0 9 */2 * 1",
    "45 1 1-7 4,10 *",
]
CHANGES = {
    "Europe/Berlin": ["2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"],
    "America/New_York": ["2026-03-08", "2026-11-01", "2027-03-14", "2027-11-07"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04", "2027-04-04", "2027-10-03"],
    "America/Santiago": ["2026-04-05", "2026-09-06"],
    "Asia/Kolkata": ["2026-03-29"],
}


@pytest.mark.parametrize(("zone", "days"), CHANGES.items())
def test_around_each_change_of_clocks_every_line_fires_as_a_watcher_of_the_wall_says(
    zone: str, days: list[str]
) -> None:
    """Gaps, repeats, a shift of half an hour, a change at midnight, and a zone without any."""
    for day in days:
        middle = at(day, zone)
        start, end = middle - 2 * 86400, middle + 2 * 86400
        for line, expected in looked_up(LINES, zone, start, end).items():
            timetable = made(Asked(schedule=line, timezone=zone))
            assert list(timetable.firings(start, end)) == expected, (line, day)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_two_simulated_years_agree_minute_by_minute(zone: str) -> None:
    """From one new year to the next but one, no slot is lost, doubled or moved."""
    start, end = at("2026-01-01", zone), at("2028-01-01", zone)
    for line, expected in looked_up(LINES[1:], zone, start, end).items():
        assert list(made(Asked(schedule=line, timezone=zone)).firings(start, end)) == expected, line


@settings(max_examples=60)
@given(
    line=st.sampled_from(LINES),
    zone=st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"]),
    data=st.data(),
)
def test_asking_at_any_moment_gives_the_next_of_the_same_firings(
    line: str, zone: str, data: st.DataObject
) -> None:
    """A restart in the middle of a repeated hour sees what a long walk saw."""
    middle = at(data.draw(st.sampled_from(CHANGES[zone])), zone)
    timetable = made(Asked(schedule=line, timezone=zone))
    walked = list(timetable.firings(middle - 86400, middle + 2 * 86400))
    moment = data.draw(st.floats(middle - 86400, middle + 86400))
    later = [firing for firing in walked if firing > moment]
    if later:
        assert next_after(timetable, moment) == later[0]
    assert all(a < b for a, b in pairwise(walked))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"])
def test_asking_every_few_minutes_of_the_night_gives_the_next_firing(zone: str) -> None:
    """In either pass of a repeated hour, and right before and after a skipped one."""
    for day in CHANGES[zone]:
        start = at(day, zone) - 1800
        for line in LINES[:9]:
            timetable = made(Asked(schedule=line, timezone=zone))
            walked = list(timetable.firings(start, start + (8 if "31 12" not in line else 366) * 86400))
            for moment in range(int(start), int(start) + 5 * 3600, 450):
                assert next_after(timetable, moment) == next(f for f in walked if f > moment), (line, moment)


def test_a_time_of_day_that_clocks_skip_fires_once_when_they_go_on() -> None:
    """02:30 and 02:45 do not exist on that night; both are due at 03:00, which is one moment."""
    timetable = made(Asked(schedule="30,45 2 * * *"))
    assert shown(timetable.firings(at("2026-03-28 12:00"), at("2026-03-30 12:00"))) == [
        "03-29 03:00+0200",
        "03-30 02:30+0200",
        "03-30 02:45+0200",
    ]


def test_a_time_of_day_that_clocks_repeat_fires_once() -> None:
    """The second 02:30 of that night is not another one, whenever one asks."""
    timetable = made(Asked(schedule="30 2 * * *"))
    assert shown(timetable.firings(at("2026-10-24 12:00"), at("2026-10-26 12:00"))) == [
        "10-25 02:30+0200",
        "10-26 02:30+0100",
    ]
    between = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=BERLIN).timestamp()
    assert shown(timetable.firings(between, between + 86400 * 1.5)) == ["10-26 02:30+0100"]


def test_an_interval_runs_through_the_repeated_hour() -> None:
    """A star in front makes it an interval: it goes on every half hour of real time."""
    timetable = made(Asked(schedule="*/30 * * * *"))
    found = list(timetable.firings(at("2026-10-25 00:00"), at("2026-10-25 06:00")))
    assert len(found) == 14
    assert {b - a for a, b in pairwise(found)} == {1800.0}


def test_every_is_a_lattice_that_nothing_moves() -> None:
    """Wherever one starts to ask, the firings are the same, and summer time does not shift them."""
    timetable = made(Asked(every=420.0))
    start = at("2026-03-28 00:00")
    walked = list(timetable.firings(start, start + 3 * 86400))
    assert {b - a for a, b in pairwise(walked)} == {420.0}
    for n in range(0, 300, 7):
        assert next_after(timetable, walked[n]) == walked[n + 1]
        assert next_after(timetable, walked[n] - 0.001) == walked[n]


@given(
    every=st.floats(0.001, 1e6),
    after=st.floats(1.6e9, 2.2e9),
    name=st.text("abcdef.-", min_size=1, max_size=9),
)
def test_an_interval_of_any_length_comes_next_within_its_length(
    every: float, after: float, name: str
) -> None:
    """Rounding neither swallows a slot nor gives one that has passed."""
    following = next_after(made(Asked(name=name, every=every)), after)
    assert following is not None
    assert after < following <= after + every + 1e-5


def test_cadences_with_one_interval_do_not_all_fire_at_once() -> None:
    """Each name has its own phase."""
    phases = {(next_after(made(Asked(name=f"c{n}", every=3600.0)), 0.0) or 0) % 3600 for n in range(20)}
    assert len(phases) > 15


def test_jitter_is_one_shift_for_all_firings_and_only_the_name_decides_it() -> None:
    """The same on every host and after every restart; it neither reorders firings nor swallows one."""
    start, end = at("2026-05-01"), at("2026-05-03")
    plain = list(made(Asked(schedule="0 * * * *")).firings(start, end))
    shifts = set()
    for name in ("a", "b", "c", "d"):
        timetable = made(Asked(name=name, schedule="0 * * * *", jitter=5000.0))
        assert 0 <= timetable.offset < 5000
        shifted = timetable.firings(start + timetable.offset, end + timetable.offset)
        assert list(shifted) == [firing + timetable.offset for firing in plain]
        assert next_after(timetable, start + timetable.offset) == plain[0] + timetable.offset
        shifts.add(timetable.offset)
    assert len(shifts) == 4
    # A number of old: a release that changed it would move everybody's firings.
    assert made(Asked(name="a", schedule="0 * * * *", jitter=600.0)).offset == pytest.approx(471.825)


def test_a_single_moment_fires_once() -> None:
    """Before it, it is next; afterwards nothing is."""
    timetable = made(Asked(once_at=1000.0))
    assert next_after(timetable, 999.0) == 1000.0
    assert next_after(timetable, 1000.0) is None


def test_nothing_fires_at_or_after_the_end() -> None:
    """`expires_at` is the first moment at which there is no firing."""
    timetable = made(Asked(schedule="0 * * * *", expires_at=at("2026-05-01 03:00")))
    assert shown(timetable.slots(at("2026-05-01 00:00"))) == ["05-01 01:00+0200", "05-01 02:00+0200"]
    shifted = replace(timetable, jitter=3600.0, expires_at=at("2026-05-01 02:00") + 1)
    assert shifted.offset > 1
    assert shown(shifted.slots(at("2026-05-01 00:00"))) == ["05-01 01:00+0200"]


def test_the_fingerprint_knows_an_edit_from_a_journey() -> None:
    """Another line, zone key or end is an edit; the machine's own zone and the jitter are not."""
    asked = Asked(schedule="0 7 * * *")
    here = made(asked)
    assert here.fingerprint == made(Asked(schedule="0 7 * * *", jitter=60.0)).fingerprint
    assert here.fingerprint == here.at(ZoneInfo("Asia/Tokyo")).fingerprint
    assert (here.place, here.at(ZoneInfo("Asia/Tokyo")).place) == ("Europe/Berlin", "Asia/Tokyo")
    assert made(Asked(schedule="0 7 * * *", timezone="Europe/Berlin")).place == ""
    assert made(Asked(every=60.0)).place == ""
    edits = [
        Asked(schedule="0 8 * * *"),
        Asked(schedule="0 7 * * *", timezone="Europe/Berlin"),
        Asked(schedule="0 7 * * *", max_firings=3),
        Asked(schedule="0 7 * * *", expires_at=5.0),
        Asked(every=60.0),
        Asked(once_at=60.0),
    ]
    assert len({here.fingerprint, *(made(edit).fingerprint for edit in edits)}) == len(edits) + 1


def test_an_upgrade_takes_no_schedule_for_edited_and_moves_no_firing() -> None:
    """What fell due meanwhile would be a new schedule's past, and its ticks would come at other times."""
    for asked, known in (
        (Asked(schedule="*/5 8-19 * * mon-fri"), "d1b2e288e7e5267f"),
        (Asked(schedule="*/5 8-19 * * mon-fri", timezone="Europe/Berlin"), "38e57a3e05913105"),
        (Asked(every=300.0), "33fbb6f2843d40ca"),
        (Asked(once_at=1.8e9, max_firings=3, expires_at=1.9e9), "fc3948320e0c41bc"),
    ):
        assert made(asked).fingerprint == known
    brief = Timetable(name="brief", every=3600.0, jitter=600.0)
    assert (brief.offset, next(brief.slots(1.8e9))) == (367.712, 1.8e9 + 3556)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        (" @Hourly", "0 * * * *"),
    ],
)
def test_a_word_stands_for_the_line_that_crontab_says(word: str, line: str) -> None:
    """As crontab(5) has them, `@reboot` apart, which is no time."""
    assert cron_line(word) == cron_line(line)


def test_a_cadence_without_any_of_the_keys_has_no_timetable() -> None:
    """launchd, cron or a shell enqueue it."""
    assert timetable_of(Asked()) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(schedule="99 * * * *"), "schedule: bad minute in '99 * * * *'"),
        (Asked(schedule="* * * *"), "schedule: '* * * *' has 4 fields"),
        (Asked(schedule="* * * * * *"), "for seconds there is `every`"),
        (Asked(schedule="@reboot"), "'@reboot' is not a shorthand"),
        (Asked(schedule="0 0 30 2 *"), "bad day-of-month"),
        (Asked(schedule="* * */20 * 1L"), "names a day that never comes"),
        (Asked(schedule="0 0 * * *", every=5.0), "schedule and every: only one"),
        (Asked(every=0.0), "every: 0 is not an interval"),
        (Asked(every=float("nan")), "every: nan is not an interval"),
        (
            Asked(schedule="0 0 * * *", timezone="Europe/Berlyn"),
            "timezone: 'Europe/Berlyn' is not a time zone",
        ),
        (Asked(schedule="0 0 * * *", timezone="Europe"), "timezone: 'Europe' is not a time zone"),
        (Asked(schedule="0 0 * * *", timezone="../../etc/passwd"), "is not a time zone"),
    ],
)
def test_what_can_never_fire_is_refused_with_its_key(asked: FiringRule, said: str) -> None:
    """The message names the key, what was found and what is allowed."""
    with pytest.raises(ValueError, match=re.escape(said)):
        timetable_of(asked)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(schedule="*/5 * * * *"), "every 5 minutes"),
        (
            Asked(schedule="0 7 * * mon-fri", timezone="Europe/Berlin"),
            "at 07:00 on Mon\N{EN DASH}Fri (Europe/Berlin)",
        ),
        (Asked(schedule="*/5 8-19 * * 1-5"), "every 5 minutes from 08:00 to 19:55 on Mon\N{EN DASH}Fri"),
        (Asked(schedule="30 2,14 1 * *"), "at 02:30 and 14:30 on the 1st of the month"),
        (Asked(schedule="0 9 1,15 * mon"), "at 09:00 on the 1st and the 15th of the month or on Mon"),
        (Asked(schedule="0 9 */2 * mon"), "at 09:00 on every 2nd day of the month from the 1st if it is Mon"),
        (Asked(schedule="0 9 * * 5L"), "at 09:00 on the last Fri of the month"),
        (Asked(schedule="0 0 L * *"), "at 00:00 on the last day of the month"),
        (Asked(schedule="7 */2 * * *"), "every 2 hours from 00:07"),
        (Asked(schedule="0 9-17 * * sat,sun"), "every hour from 09:00 to 17:00 on Sat and Sun"),
        (Asked(schedule="@hourly"), "every hour at :00"),
        (Asked(schedule="*/7 * * * *"), "every 7 minutes of the hour"),
        (Asked(schedule="3,9 * * * *"), "at :03 and :09"),
        (Asked(schedule="0 1,2,5,9,20 * * *"), "at 01:00, 02:00, 05:00, 09:00 and 20:00"),
        (Asked(schedule="0 */6 * * *"), "at 00:00, 06:00, 12:00 and 18:00"),
        (Asked(schedule="0 0 1,11,21 * *"), "at 00:00 on the 1st, the 11th and the 21st of the month"),
        (
            Asked(schedule="0 9 LW jan-mar *"),
            "at 09:00 on the last working day of the month in Jan\N{EN DASH}Mar",
        ),
        (Asked(schedule="0 0 29 feb *"), "at 00:00 on the 29th of the month in Feb"),
        (Asked(schedule="0 9 1 * 0-6"), "at 09:00"),
        (Asked(every=300.0), "every 5 minutes"),
        (Asked(every=5400.0), "every 90 minutes"),
        (Asked(every=86400.0), "every day"),
        (Asked(every=0.5), "every 0.5 seconds"),
        (Asked(every=1234567.0), "every 1234567 seconds"),
        (Asked(once_at=at("2026-12-24 18:00")), "once at 2026-12-24 18:00"),
        (Asked(every=60.0, max_firings=3), "every minute, 3 times at most"),
        (Asked(every=60.0, expires_at=at("2027-01-01")), "every minute, until 2027-01-01 00:00"),
    ],
)
def test_a_timetable_says_itself_in_words(asked: FiringRule, words: str) -> None:
    """What `cadences` and `next` show."""
    assert describe(made(asked)) == words


def test_a_cron_line_is_read_without_regard_to_case_and_blanks() -> None:
    """Names of days and months, the Sunday that is 7, and spaces in plenty."""
    assert cron_line("  0  9 * JAN   Mon-fri ") == cron_line("0 9 * jan mon-fri")
    assert cron_line("0 9 * * 7").weekdays == cron_line("0 9 * * sun").weekdays == frozenset({0})


@pytest.mark.parametrize(
    "line",
    [
        "* * * * *",
        "*/7 8-19/3 * * mon-fri",
        "59 23 31 * *",
        "0 0 L * *",
        "30 6 LW * 5L",
        "0 9 1 * 0-6",
        "0 9 */2 * 2#2",
        "15,45 0,12 29 feb *",
    ],
)
@pytest.mark.parametrize("after", ["2026-03-28 00:00:00", "2026-10-31 23:59:59", "2024-02-29 12:15:30"])
def test_the_walls_show_what_cronsim_would_walk_through(line: str, after: str) -> None:
    """Minute for minute, from wherever one starts."""
    since = datetime.fromisoformat(after)
    mine = timetable._walls(cron_line(line), since)
    assert list(islice(mine, 200)) == list(islice(CronSim(line, since), 200))


def test_cronsim_is_asked_for_days_and_not_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A week of minutes are eight days: five thousand schedules are laid into a week by this walk."""
    days = []

    class Counting(CronSim):
        def __next__(self) -> datetime:
            days.append(super().__next__())
            return days[-1]

    line = cron_line("* * * * *")
    monkeypatch.setattr(timetable, "CronSim", Counting)
    minutes = list(islice(timetable._walls(line, datetime(2026, 5, 4)), 7 * 1440))  # noqa: DTZ001
    assert minutes[-1] == datetime(2026, 5, 11)  # noqa: DTZ001
    assert len(days) == 8
