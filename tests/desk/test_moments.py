"""Times as people type them are on the machine's clock, as it will show them then."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from cadencebus.clock import rfc3339
from cadencebus.desk.moments import parse_moment
from cadencebus.errors import Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

BERLIN = "Europe/Berlin"


@pytest.fixture(autouse=True)
def _machine_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", BERLIN)
        time.tzset()
        yield
    time.tzset()


def berlin(text: str) -> float:
    """Read a wall clock of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("20:01", "2026-11-21T20:01:00"),
        ("20:00", "2026-11-22T20:00:00"),
        ("08:00:30", "2026-11-22T08:00:30"),
        ("2026-12-01", "2026-12-01T00:00:00"),
        ("2026-07-01 09:00", "2026-07-01T09:00:00"),
        ("2026-12-01T09:00:15", "2026-12-01T09:00:15"),
        ("2026-12-01T08:00:00Z", "2026-12-01T09:00:00"),
        ("2026-12-01T08:00Z", "2026-12-01T09:00:00"),
        ("2026-07-01 09:00+03:00", "2026-07-01T08:00:00"),
    ],
)
def test_a_time_of_day_is_the_next_one_and_a_date_is_local(typed: str, meant: str) -> None:
    """At eight in the evening, `20:00` is tomorrow's."""
    assert parse_moment(typed, berlin("2026-11-21T20:00")) == berlin(meant)


@pytest.mark.parametrize("evening", ["2026-10-24", "2026-03-28"])
def test_tomorrow_morning_is_when_the_clock_shows_it(evening: str) -> None:
    """Though the clocks change in the night between."""
    morning = f"{evening[:-2]}{int(evening[-2:]) + 1}T08:00"
    assert parse_moment("08:00", berlin(f"{evening}T20:00")) == berlin(morning)


def test_a_time_that_clocks_skip_is_not_before_they_do() -> None:
    """02:30 does not exist on that night: it is half an hour after two, when clocks show 03:30."""
    assert parse_moment("2026-03-29 02:30") == berlin("2026-03-29T03:30")
    assert parse_moment("02:30", berlin("2026-03-29T01:45")) == berlin("2026-03-29T03:30")


@pytest.mark.parametrize("typed", ["", "noon", "25:00", "2026-13-01", "20:00:61x"])
def test_what_is_no_time_is_refused(typed: str) -> None:
    """The refusal shows how one is written."""
    with pytest.raises(Usage, match="is not a time: 14:30"):
        parse_moment(typed)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
def test_the_ends_of_time_are_told_or_refused(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last evening of 9999 is the year 10000 somewhere, the first morning of all the year 0."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        for typed in ("9999-12-31 23:59", "0001-01-01 00:00"):
            with contextlib.suppress(Usage):
                rfc3339(parse_moment(typed))
