"""A clock that jumped ahead is not believed at once: by it, everything would look old enough to go."""

from __future__ import annotations

from cadencebus.policy.clock_trust import Clocks, Trust, judge

NOW = 1_800_000_000.0
DAY = 86400.0
SEEN = Clocks(wall=NOW, steady=1000.0, boot="a")


def later(clocks: Clocks, wall: float, steady: float | None = None, boot: str | None = None) -> Clocks:
    """Let both clocks go on."""
    passed = wall if steady is None else steady
    return Clocks(wall=clocks.wall + wall, steady=clocks.steady + passed, boot=boot or clocks.boot)


def test_a_clock_that_jumped_ahead_is_believed_after_a_day() -> None:
    """A year ahead must not make everything look old."""
    fresh = judge(Trust(clocks=SEEN), later(SEEN, 366 * DAY, DAY))
    assert "jumped 365 days ahead" in fresh.doubt
    assert judge(fresh, later(fresh.clocks, 0.9 * DAY)).doubted_at == fresh.doubted_at
    assert judge(fresh, later(fresh.clocks, 1.1 * DAY)).doubted_at is None


def test_a_clock_that_goes_back_is_no_danger() -> None:
    """It makes things look young, and they stay."""
    assert judge(Trust(clocks=SEEN), later(SEEN, -400 * DAY, DAY)).doubted_at is None
    doubted = judge(Trust(clocks=SEEN), later(SEEN, 366 * DAY, DAY))
    assert judge(doubted, later(doubted.clocks, -365 * DAY, 60.0)).doubted_at is None


def test_a_machine_that_was_off_for_weeks_is_believed_at_its_second_boot() -> None:
    """Who only works on Saturdays is tidied up for, too."""
    saturday = judge(Trust(clocks=SEEN), later(SEEN, 7 * DAY, -900.0, "b"))
    assert "7 days have passed" in saturday.doubt
    assert judge(saturday, later(saturday.clocks, 7 * DAY, -50.0, "c")).doubted_at is None
    assert judge(Trust(clocks=SEEN), later(SEEN, 1.5 * DAY, -900.0, "b")).doubted_at is None


def test_without_a_memory_the_home_itself_is_asked() -> None:
    """Nothing younger than a day: either nobody was here, or the clock is wrong."""
    assert judge(None, SEEN).doubted_at is None
    assert judge(None, SEEN, NOW - 60).doubted_at is None
    assert judge(None, SEEN, NOW - DAY).doubted_at is None
    assert judge(None, SEEN, NOW - 3 * DAY).doubted_at == NOW
