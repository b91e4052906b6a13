"""The brakes that a cadence puts on itself: its hours, its runs an hour."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.clock import rfc3339
from cadencebus.model.cadence import Cadence, Hours
from cadencebus.model.memory import cadence_memory
from cadencebus.policy import brakes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.model.hold import Hold

ZONE = "Europe/Berlin"


def at(text: str) -> float:
    """Read a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


def brake(now: float, memory: dict[str, Any] | None = None, running: int = 0, **keys: Any) -> Hold | None:
    """Ask a cadence's own rules."""
    return brakes.brake(
        Cadence(name="x", timezone=ZONE, **keys), cadence_memory(memory or {}), running=running, now=now
    )


@pytest.mark.parametrize(
    ("hours", "now", "opens"),
    [
        ((480, 1140), "2026-11-21T08:00", None),
        ((480, 1140), "2026-11-21T18:59:59", None),
        ((480, 1140), "2026-11-21T19:00", "2026-11-22T08:00"),
        ((480, 1140), "2026-11-21T07:59:59", "2026-11-21T08:00"),
        ((1320, 360), "2026-11-21T23:00", None),
        ((1320, 360), "2026-11-21T05:59", None),
        ((1320, 360), "2026-11-21T06:00", "2026-11-21T22:00"),
        ((1320, 360), "2026-11-21T21:59", "2026-11-21T22:00"),
        # The night of the change to winter time has an hour more.
        ((480, 1140), "2026-10-24T20:00", "2026-10-25T08:00"),
        ((600, 600), "2026-11-21T03:00", None),
        ((510, 1115), "2026-11-21T08:29", "2026-11-21T08:30"),
        ((510, 1115), "2026-11-21T18:34", None),
        ((510, 1115), "2026-11-21T18:35", "2026-11-22T08:30"),
    ],
)
def test_active_hours_open_when_the_clock_on_the_wall_says_so(
    hours: tuple[int, int], now: str, opens: str | None
) -> None:
    """Over midnight, and over a change of the clocks."""
    hold = brake(at(now), active_hours=Hours(start=hours[0], end=hours[1]))
    assert (hold is None) == (opens is None)
    assert hold is None or hold.until == at(str(opens))


@pytest.fixture
def machine_in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the machine's own zone be Berlin."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", ZONE)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("machine_in_berlin")
@pytest.mark.parametrize("evening", ["2026-10-24T20:00", "2026-03-28T20:00"])
def test_active_hours_of_the_machines_own_zone_know_its_summer_time(evening: str) -> None:
    """The next morning is an hour further away, or nearer, than clocks seem to say."""
    opens = brakes.opens_at(480, 1140, None, at(evening))
    assert opens == brakes.opens_at(480, 1140, ZONE, at(evening))


NOW = at("2026-11-21T12:00")


def recent(*ages: float) -> dict[str, Any]:
    """Remember runs that started so long ago."""
    return {"recent": [rfc3339(NOW - age) for age in sorted(ages, reverse=True)]}


@pytest.mark.parametrize(
    ("ages", "running", "until"),
    [
        ((10, 20), 0, None),
        ((10, 20, 30), 0, 3570),
        ((10, 20), 1, 3580),
        ((10, 3599), 1, 1),
        ((10, 3600), 1, None),
        ((10, 20, 30, 40), 0, 3570),
        # More than were allowed: by force, or the limit was lowered.
        ((10, 20), 3, 3590),
        ((10, 20, 30), 5, 3590),
        # A clock that was set back: what lies ahead says nothing.
        ((-100, -200, -300), 0, None),
        ((), 3, None),
    ],
)
def test_so_many_runs_an_hour(ages: tuple[float, ...], running: int, until: float | None) -> None:
    """What runs counts too; it opens when enough of them are an hour old."""
    hold = brake(NOW, recent(*ages), running, max_runs_per_hour=3)
    assert (hold.until - NOW if hold and hold.until else None) == until
    assert hold is None or hold.detail.startswith(f"{len(ages) + running} runs in the last hour")


@given(st.lists(st.floats(0, 7200), max_size=12), st.integers(1, 5))
def test_when_the_brake_lets_go_there_is_room(ages: list[float], most: int) -> None:
    """At its end, and not before: never more in an hour than were allowed."""
    memory = recent(*ages)
    hold = brake(NOW, memory, max_runs_per_hour=most)
    within = sum(age < 3600 - 1e-6 for age in ages)
    if hold is None:
        assert within <= most
    else:
        assert hold.until is not None
        assert brake(hold.until + 1e-3, memory, max_runs_per_hour=most) is None
        assert brake(hold.until - 1e-2, memory, max_runs_per_hour=most) is not None


@pytest.mark.parametrize(
    ("ages", "most", "kept"),
    [((), 3, 0), ((10, 20), 3, 2), ((10, 20, 30), 3, 2), ((3599, 3600, 7200), 9, 1), ((-5, 10), 9, 2)],
)
def test_only_starts_that_still_count_are_remembered(ages: tuple[float, ...], most: int, kept: int) -> None:
    """Of the last hour, and no more than the brake counts: a memory does not grow with what is allowed."""
    memory = recent(*ages)
    found = brakes.recent_with(NOW, memory["recent"], most=most, now=NOW)
    assert found[-1] == rfc3339(NOW)
    assert found[:-1] == (memory["recent"][-kept:] if kept else [])
