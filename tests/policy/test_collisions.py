"""Where schedules pile up in a real week, and what would spread them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cadencebus.policy import collisions
from cadencebus.policy.collisions import BUCKET, Load, Week, picture, week_of
from cadencebus.policy.timetable import Timetable, cron_line

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 5, 4)


def load(name: str, line: str, *, minutes: float = 20, **more: float) -> Load:
    """A cadence with a cron line and a measured duration."""
    timetable = Timetable(name=name, line=cron_line(line), zone=BERLIN)
    return Load(timetable=timetable, lasts=minutes * 60, weight=more.get("weight", 1.0))


def laid(*loads: Load, limit: float = 2, monday: date = MONDAY) -> Week:
    """The week of these loads."""
    return week_of(loads, monday, BERLIN, limit=limit)


def clock(t: float) -> str:
    """What clocks in Berlin show."""
    return f"{datetime.fromtimestamp(t, BERLIN):%a %H:%M}"


def test_three_long_runs_at_nine_are_one_pileup_of_their_length() -> None:
    """Three times twenty minutes where two may run: four buckets too full, on one morning of the week."""
    week = laid(*(load(name, "0 9 * * mon") for name in "abc"))
    (pileup,) = week.pileups
    assert (clock(pileup.start), clock(pileup.end)) == ("Mon 09:00", "Mon 09:20")
    assert pileup.peak == pytest.approx(3.0)
    assert pileup.names == ("a", "b", "c")


def test_runs_of_seconds_do_not_collide() -> None:
    """Ten of them in one minute ask for a fraction of the bucket."""
    week = laid(*(load(f"c{n}", "0 9 * * *", minutes=0.25) for n in range(10)))
    assert week.pileups == ()
    assert max(bucket.weight for bucket in week.buckets) == pytest.approx(0.5)


def test_a_run_fills_the_buckets_it_lasts_through_and_part_of_the_last() -> None:
    """Seven minutes from nine: one whole bucket and two fifths of the next."""
    week = laid(load("a", "0 9 * * tue", minutes=7))
    assert [(clock(b.at), round(b.weight, 3)) for b in week.buckets if b.weight] == [
        ("Tue 09:00", 1.0),
        ("Tue 09:05", 0.4),
    ]


def test_a_run_of_sunday_night_is_still_there_on_monday() -> None:
    """The week before reaches into this one."""
    week = laid(load("a", "50 23 * * sun", minutes=30))
    assert [clock(b.at) for b in week.buckets if b.weight][:4] == [
        "Mon 00:00",
        "Mon 00:05",
        "Mon 00:10",
        "Mon 00:15",
    ]


def test_a_cadence_never_counts_for_more_runs_than_it_may_have() -> None:
    """Every five minutes for half an hour is one session all day long, not six."""
    week = laid(load("a", "*/5 * * * *", minutes=30), limit=1)
    assert {round(bucket.weight, 6) for bucket in week.buckets} == {1.0}
    assert week.pileups == ()


def test_a_rapid_interval_weighs_by_its_rate() -> None:
    """Six seconds of every minute are a tenth of a session, found without a hundred thousand firings."""
    rapid = Load(timetable=Timetable(name="x", every=60.0), lasts=6.0)
    assert {bucket.weight for bucket in laid(rapid).buckets} == {0.1}


def test_turns_or_money_can_be_the_weight() -> None:
    """Two dear cadences are a pile-up where the limit is money."""
    week = laid(load("a", "0 9 * * mon", weight=3.0), load("b", "10 9 * * mon", weight=4.0), limit=5)
    (pileup,) = week.pileups
    assert (clock(pileup.start), round(pileup.peak, 6), pileup.names) == ("Mon 09:10", 7.0, ("b", "a"))


@pytest.mark.parametrize(
    ("monday", "hours"), [(date(2026, 3, 23), 167), (date(2026, 10, 19), 169), (MONDAY, 168)]
)
def test_the_week_is_a_real_one(monday: date, hours: int) -> None:
    """It ends at the next Monday's midnight, whatever clocks did in between."""
    week = laid(load("a", "0 9 * * *"), monday=monday)
    assert len(week.buckets) * BUCKET == hours * 3600
    assert sum(1 for b in week.buckets if clock(b.at).endswith("09:00") and b.weight) == 7


def test_a_suggestion_is_a_line_that_ends_the_pileup() -> None:
    """Taking it leaves the week without one."""
    loads = [load(name, "0 9 * * mon-fri") for name in "abc"]
    (suggestion,) = laid(*loads).suggestions
    assert (suggestion.name, suggestion.line, suggestion.minutes) == ("a", "20 9 * * mon-fri", 20)
    assert suggestion.excess_before == pytest.approx(5 * 20)
    assert suggestion.excess_after == 0
    moved = [load(suggestion.name, suggestion.line), *loads[1:]]
    assert laid(*moved).pileups == ()


def test_a_suggestion_belongs_to_the_cadence_that_can_move() -> None:
    """The one at five to has no room left in its hour; the other has."""
    week = laid(load("z", "55 8 * * *", minutes=10), load("y", "0 9 1-31 * *", minutes=10), limit=1)
    assert [(s.name, s.line, s.minutes) for s in week.suggestions] == [("y", "5 9 1-31 * *", 5)]
    assert week.suggestions[0].excess_before == pytest.approx(7 * 5)


def test_suggestions_build_on_each_other() -> None:
    """Five at once where one may run: each goes to a place of its own, as far as the hour has room."""
    week = laid(*(load(name, "0 9 * * *", minutes=10) for name in "abcde"), limit=1)
    assert sorted(suggestion.minutes for suggestion in week.suggestions) == [10, 20, 30, 40]
    assert week.suggestions[-1].excess_after == pytest.approx(0, abs=1e-6)


def test_advice_is_eight_lines_at_most_and_worth_a_little() -> None:
    """Nobody moves everybody; what still brings seconds a week is said, what brings nothing is not."""
    crowd = laid(*(load(f"c{n:02d}", "0 9 * * mon", minutes=5) for n in range(11)), limit=1).suggestions
    assert [suggestion.excess_after for suggestion in crowd] == [5.0 * n for n in range(9, 1, -1)]
    (little,) = laid(load("a", "0 9 * * mon"), load("b", "0 9 * * mon", minutes=0.5), limit=1).suggestions
    assert little.excess_before == pytest.approx(0.5)


def test_only_plain_minutes_are_moved() -> None:
    """A step, an interval and a line whose hour has no room left stay where they are."""
    loads = [load("a", "*/30 * * * *"), load("b", "0-30/30 * * * *"), load("c", "55 9 * * *", minutes=10)]
    every = Load(timetable=Timetable(name="d", every=1800.0), lasts=1200)
    week = laid(*loads, every, limit=0.5)
    assert week.pileups
    assert week.suggestions == ()


def test_where_nothing_helps_nothing_is_suggested() -> None:
    """All three run all the time."""
    assert laid(*(load(name, "0 * * * *", minutes=60) for name in "abc")).suggestions == ()


def test_the_picture_shows_days_hours_and_what_is_over() -> None:
    """Plain characters, a row a day, in the width that it is given."""
    week = laid(*(load(name, "0 9 * * mon") for name in "abc"), load("d", "0 12 * * *", minutes=60))
    assert picture(week, 54) == [
        "    00  02  04  06  08  10  12  14  16  18  20  22",
        "Mon                   !     ==",
        "Tue                         ==",
        "Wed                         ==",
        "Thu                         ==",
        "Fri                         ==",
        "Sat                         ==",
        "Sun                         ==",
        "    '.:-=+*#' up to 2 at once, '!' more",
    ]
    assert picture(laid(load("d", "0 12 * * *", minutes=60), limit=1), 54)[1] == "Mon" + " " * 25 + "##"
    assert all(line.isascii() for line in picture(week, 400))


@pytest.mark.parametrize(
    ("width", "cells", "first", "last"),
    [
        (10, 24, "00 03 06", "18 21"),
        (51, 24, "00 03 06", "18 21"),
        (52, 48, "00  02  04", "20  22"),
        (80, 72, "00 01 02", "22 23"),
        (291, 264, "00         01", "22         23"),
        (400, 288, "00          01", "22          23"),
    ],
)
def test_a_picture_is_as_wide_as_its_hours_are_even(width: int, cells: int, first: str, last: str) -> None:
    """The day's last cell is its last five minutes, at most one for each, at least one for an hour."""
    lines = picture(laid(load("a", "55 23 * * *", minutes=0.1)), width)
    assert (lines[0].startswith(f"    {first}"), lines[0].endswith(last)) == (True, True)
    assert [line[4:] for line in lines[1:8]] == [".".rjust(cells)] * 7


def test_only_who_stands_in_a_crowd_is_tried_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five thousand cadences may be spread over the week: whoever leaves no crowd makes nothing better."""
    tried: list[str] = []
    real = collisions._tries

    def noted(load: Load, *rest: Any) -> Any:
        tried.append(load.name)
        return real(load, *rest)

    monkeypatch.setattr(collisions, "_tries", noted)
    alone = [load(f"alone-{hour}", f"0 {hour} * * *") for hour in range(10, 20)]
    week = laid(*(load(name, "0 9 * * *") for name in "abc"), *alone)
    assert len(week.suggestions) == 1
    assert set(tried) == {"a", "b", "c"}
