"""`cadence collisions`: a real week, from what runs were measured to take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence


def measured(home: Path, name: str, **averages: float) -> None:
    """Let its runs have taken so long, so many turns, so much money."""
    (home / "state" / "cadences" / f"{name}.json").write_text(json.dumps({"averages": averages}))


def crowded(home: Path, define: Define) -> None:
    """Three at nine on weekdays where two may run; one runs beside the slots."""
    for name in "abc":
        define(name, schedule="0 9 * * 1-5", timezone="UTC")
        measured(home, name, seconds=1200, usd=2.0)
    define("beside", schedule="0 9 * * *", timezone="UTC", mode="inline")


def test_what_never_ends_is_daily(home: Path, cadence: Cadence, define: Define) -> None:
    """From Monday to Monday at the same hour would be no time at all."""
    for name in "abc":
        define(name, schedule="* * * * *", timezone="UTC")
    (pileup,) = json.loads(cadence("collisions", "--json", env={"TZ": "UTC"}).stdout)["pileups"]
    assert (len(pileup["days"]), pileup["since"], pileup["until"]) == (7, "00:00", "24:00")
    assert "pile-up daily 00:00-24:00: a, b, c" in cadence("check", env={"TZ": "UTC"}).stderr


def test_a_pileup_of_every_weekday_is_one_line_with_the_cure(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """By measured durations: twenty minutes each; one cron line moves out of the way."""
    crowded(home, define)
    found = json.loads(cadence("collisions", "--json", env={"TZ": "UTC"}).stdout)
    (pileup,) = found["pileups"]
    assert pileup == {
        "days": ["Mon", "Tue", "Wed", "Thu", "Fri"],
        "since": "09:00",
        "until": "09:20",
        "peak": 3.0,
        "cadences": ["a", "b", "c"],
    }
    (cure,) = found["suggestions"]
    assert (cure["schedule"], cure["excess_before"], cure["excess_after"]) == ("20 9 * * 1-5", 100.0, 0.0)
    assert len(found["buckets"]) == 5 * 4
    said = cadence("collisions", env={"TZ": "UTC"}).stdout
    assert "Mon-Fri  09:00  09:20      3.0  a, b, c" in said
    assert 'schedule: "20 9 * * 1-5"' in said
    assert "no pile-ups" in cadence("collisions", "--limit", "3", env={"TZ": "UTC"}).stdout


def test_a_crowd_is_counted_where_it_would_fill_the_screen(cadence: Cadence, define: Define) -> None:
    """Eighty names in a warning hide what it says."""
    for number in range(12):
        define(f"c{number:02}", schedule="0 9 * * *", timezone="UTC")
    said = cadence("check", env={"TZ": "UTC"}).stderr
    assert "c00, c01, c02, c03, c04, c05, c06, c07 and 4 more: 12.0 at once" in said
    (pileup,) = json.loads(cadence("collisions", "--json", env={"TZ": "UTC"}).stdout)["pileups"]
    assert len(pileup["cadences"]) == 12


def test_the_week_is_a_picture(home: Path, define: Define, screen: Screen) -> None:
    """Seven days, an hour under each label; what is too much stands out."""
    crowded(home, define)
    lines = screen("collisions", columns=100, env={"TZ": "UTC"}).splitlines()
    assert lines[0].split() == [f"{hour:02d}" for hour in range(24)]
    assert [line[:3] for line in lines[1:8]] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    nine = lines[0].index("09")
    assert [line[nine : nine + 1] for line in lines[1:8]] == ["!"] * 5 + ["", ""]


def test_money_and_turns_are_weighed_where_they_were_measured(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """No limit but one that is given: the heaviest five minutes are the measure."""
    crowded(home, define)
    found = json.loads(cadence("collisions", "--weigh", "money", "--json", env={"TZ": "UTC"}).stdout)
    assert (found["limit"], found["pileups"]) == (6.0, [])
    ended = cadence("collisions", "--weigh", "turns")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert "of turns nothing was measured yet" in ended.stderr
    assert cadence("collisions", "--limit", "none").returncode == 64


def test_check_warns_of_the_pileup_that_a_new_schedule_makes(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """At save time: of its own file those it is in, of all files all of them."""
    crowded(home, define)
    define("late", schedule="0 23 * * *", timezone="UTC")
    for words, warned in ((["check", "a"], True), (["check", "late"], False), (["check"], True)):
        ended = cadence(*words, env={"TZ": "UTC"})
        assert ended.returncode == 0
        assert ("Mon-Fri 09:00-09:20: a, b, c" in ended.stderr) is warned, words
