"""What is due, as far as one looks: each firing while they are few, one line where they are many."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import stamp
from cadencebus.desk import forecast
from cadencebus.model.hold import BUS, OPERATOR, Hold
from cadencebus.store.holds import Holds
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cadencebus.desk.forecast import Upcoming

NOW = 1_800_000_000.0
HOUR = 3600.0
# Cron lines: an interval begins at a moment of the cadence's own.
HOURLY, MINUTELY = 'schedule: "0 * * * *"', 'schedule: "* * * * *"'


@pytest.fixture
def due(home: Path) -> Callable[..., list[Upcoming]]:
    """Say when the cadence `x` fires, and look so many hours ahead."""

    def look(hours: float, *keys: str) -> list[Upcoming]:
        head = "\n".join(("runner: command", 'command: ["true"]', *keys))
        (home / "prompts" / "x.md").write_text(f"---\n{head}\n---\n")
        return forecast.upcoming(Home(str(home)), NOW, hours)

    return look


def test_few_firings_have_a_line_each(due: Callable[..., list[Upcoming]]) -> None:
    """From now on, and no further than was asked."""
    found = due(5.0, HOURLY)
    assert [(one.at, one.times, one.by) for one in found] == [
        (NOW + n * HOUR, 1, "clock") for n in range(1, 6)
    ]
    assert len(due(6.0, HOURLY)) == forecast.FEW


def test_many_firings_have_one_line_with_their_number_and_their_last(
    due: Callable[..., list[Upcoming]],
) -> None:
    """Nobody counts beyond a thousand."""
    (some,) = due(7.0, HOURLY)
    assert (some.at, some.times, some.last_at) == (NOW + HOUR, 7, NOW + 7 * HOUR)
    (thousand,) = due(1000 / 60, MINUTELY)
    assert (thousand.times, thousand.last_at) == (forecast.MANY, NOW + 1000 * 60)
    (more,) = due(24.0, MINUTELY)
    assert (more.times, more.last_at) == (forecast.MANY + 1, NOW + 24 * HOUR)
    assert len(due(24.0, MINUTELY, "max_firings: 3")) == 3


def test_a_tick_that_was_put_off_is_due_up_to_the_last_moment(
    home: Path, due: Callable[..., list[Upcoming]]
) -> None:
    """One that comes later is not."""
    at = stamp(NOW + 2 * HOUR)
    (home / "state" / "deferred" / f"{at}~5-{stamp(NOW)}-x-00000001.json").write_text('{"cadence": "x"}')
    assert due(1.9) == []
    (found,) = due(2.0)
    assert (found.at, found.by, found.missed) == (NOW + 2 * HOUR, "deferred", False)


def test_what_keeps_it_stands_with_it(home: Path, due: Callable[..., list[Upcoming]]) -> None:
    """A hold without an end has none in JSON either; one that is over by then keeps nothing."""
    holds = Holds(Home(str(home)))
    holds.set(Hold(scope=BUS, reason="paused", since=time.time(), by=OPERATOR))
    (found,) = due(1.0, HOURLY)
    assert found.dump()["wait"] == {"reason": "paused", "detail": "", "until": None}
    holds.set(Hold(scope=BUS, reason="paused", since=NOW, until=NOW + HOUR, by=OPERATOR))
    assert [one.wait for one in due(1.0, HOURLY)] == [None]
    holds.set(Hold(scope=BUS, reason="paused", since=NOW, until=NOW + HOUR + 1, by=OPERATOR))
    (found,) = due(1.0, HOURLY)
    assert found.dump()["wait"]["until"] == "2027-01-15T09:00:01.000000Z"


def test_what_would_not_start_at_all_says_so(home: Path, due: Callable[..., list[Upcoming]]) -> None:
    """Switched off, broken, not to be read; a schedule that nobody can read is not guessed at."""
    at = stamp(NOW + HOUR)
    (home / "state" / "deferred" / f"{at}~5-{stamp(NOW)}-x-00000001.json").write_text('{"cadence": "x"}')
    reasons = [one.wait and one.wait.reason for one in due(1.5, "enabled: false", HOURLY)]
    assert reasons == ["disabled"]
    assert [one.wait and one.wait.reason for one in due(1.5, "enabled: perhaps", HOURLY)] == ["broken"]
    (home / "prompts" / "x.md").unlink()
    (home / "prompts" / "x.md").symlink_to("x.md")
    (found,) = forecast.upcoming(Home(str(home)), NOW, 1.5)
    assert (found.by, found.wait and found.wait.reason) == ("deferred", "broken")
    (home / "state" / "STOP").touch()
    (found,) = forecast.upcoming(Home(str(home)), NOW, 1.5)
    assert found.dump()["wait"]["reason"] == "stop"
