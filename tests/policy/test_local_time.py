"""A time of day is the one that the clock will show, also where clocks change before."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from cadencebus.policy.local_time import local, next_time

BERLIN = "Europe/Berlin"


def berlin(text: str) -> float:
    """Read a wall clock of Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(BERLIN)).timestamp()


@pytest.mark.parametrize(("day", "hours"), [("2026-10-25", 25), ("2026-03-29", 23), ("2026-11-21", 24)])
def test_a_day_lasts_until_the_next_midnight(day: str, hours: int) -> None:
    """25 hours in autumn, 23 in spring."""
    start = berlin(day)
    assert next_time(start, BERLIN) - start == hours * 3600
    assert next_time(start + 0.5, BERLIN) - start == hours * 3600


def test_the_next_time_is_never_now() -> None:
    """At eight the next eight o'clock is tomorrow's; a second before, it is a second away."""
    eight = berlin("2026-11-21T08:00")
    assert next_time(eight - 1, BERLIN, hour=8) == eight
    assert next_time(eight, BERLIN, hour=8) == berlin("2026-11-22T08:00")
    assert next_time(eight, BERLIN, hour=8, minute=0, second=1) == eight + 1


def test_a_clock_shows_what_its_zone_has() -> None:
    """The same instant, in two zones."""
    noon = berlin("2026-11-21T12:00")
    assert f"{local(noon, BERLIN):%d %H:%M}" == "21 12:00"
    assert f"{local(noon, 'Pacific/Auckland'):%d %H:%M}" == "22 00:00"


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        (BERLIN, "2026-03-29"),
        (BERLIN, "2026-10-25"),
        ("Australia/Lord_Howe", "2026-04-05"),
        ("Australia/Lord_Howe", "2026-10-04"),
        ("America/Havana", "2026-03-08"),
        ("America/Santiago", "2026-04-05"),
        ("Africa/Cairo", "2026-04-24"),
        ("Pacific/Apia", "2011-12-30"),
    ],
)
def test_the_machines_own_clock_and_that_of_its_zone_agree(
    zone: str, day: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In either pass of a repeated hour, before a midnight that is left out, before a day that never was."""
    middle = int(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).timestamp())
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        for hour, minute in ((0, 0), (2, 15), (2, 30), (8, 0), (23, 30)):
            moments = range(middle - 30 * 3600, middle + 6 * 3600, 900)
            found = [next_time(now, zone, hour=hour, minute=minute) for now in moments]
            assert found == [next_time(now, hour=hour, minute=minute) for now in moments]
            assert all(now < then <= now + 26 * 3600 for now, then in zip(moments, found, strict=True))
    time.tzset()
