"""A time of day is the one that the clock will show, also where clocks change before."""

from __future__ import annotations

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
