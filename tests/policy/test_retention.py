"""What may go, and which clock is believed: nothing that is running, waiting or spoken of ever goes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cadencebus.policy.retention import DAY, Keep, Reading, Run, Trust, days_over, runs_over, trust

NOW = 1_800_000_000.0
KEEP = Keep(done=14 * DAY, runs=30 * DAY, events=90 * DAY, dead=float("inf"), keys=DAY)
READ = Reading(wall=NOW, steady=1000.0, boot="a")


def later(reading: Reading, wall: float, steady: float | None = None, boot: str | None = None) -> Reading:
    """Let both clocks go on."""
    passed = wall if steady is None else steady
    return Reading(wall=reading.wall + wall, steady=reading.steady + passed, boot=boot or reading.boot)


def test_a_clock_that_jumped_ahead_is_believed_after_a_day() -> None:
    """A year ahead must not make everything look old."""
    fresh = trust(Trust(reading=READ), later(READ, 366 * DAY, DAY))
    assert "jumped 365 days ahead" in fresh.doubt
    assert trust(fresh, later(fresh.reading, 0.9 * DAY)).doubted_at == fresh.doubted_at
    assert trust(fresh, later(fresh.reading, 1.1 * DAY)).doubted_at is None


def test_a_clock_that_goes_back_is_no_danger() -> None:
    """It makes things look young, and they stay."""
    assert trust(Trust(reading=READ), later(READ, -400 * DAY, DAY)).doubted_at is None
    doubted = trust(Trust(reading=READ), later(READ, 366 * DAY, DAY))
    assert trust(doubted, later(doubted.reading, -365 * DAY, 60.0)).doubted_at is None


def test_a_machine_that_was_off_for_weeks_is_believed_at_its_second_boot() -> None:
    """Who only works on Saturdays is tidied up for, too."""
    saturday = trust(Trust(reading=READ), later(READ, 7 * DAY, -900.0, "b"))
    assert "7 days have passed" in saturday.doubt
    assert trust(saturday, later(saturday.reading, 7 * DAY, -50.0, "c")).doubted_at is None
    assert trust(Trust(reading=READ), later(READ, 1.5 * DAY, -900.0, "b")).doubted_at is None


def test_without_a_memory_the_home_itself_is_asked() -> None:
    """Nothing younger than a day: either nobody was here, or the clock is wrong."""
    assert trust(None, READ, NOW - 60).doubted_at is None
    assert trust(None, READ, NOW - 3 * DAY).doubted_at == NOW


def test_a_day_goes_when_all_of_it_is_over() -> None:
    """Never today or yesterday, however short the retention; never what is no day."""
    days = ["2027-01-15", "2027-01-14", "2027-01-13", "2027-01-01", "2026-12-31", "rubbish"]
    assert days_over(days, 14 * DAY, NOW) == ["2026-12-31"]
    assert days_over(days, 0.0, NOW) == ["2026-12-31", "2027-01-01", "2027-01-13"]
    assert days_over(days, float("inf"), NOW) == []


ticks = st.sampled_from("abcde")
runs = st.lists(
    st.builds(
        Run,
        path=st.integers(1, 9).map("x/{}".format),
        tick=ticks,
        touched=st.floats(NOW - 100 * DAY, NOW + 100 * DAY),
        alive=st.booleans(),
    ),
    max_size=12,
)


@given(runs, st.frozensets(ticks), st.frozensets(st.integers(1, 9).map(str)), st.floats(0, 60 * DAY))
def test_nothing_that_runs_or_is_needed_goes(
    seen: list[Run], referenced: frozenset[str], sessions: frozenset[str], kept: float
) -> None:
    """Invariant 11, and more: no run of a tick that has a live, a young or a remembered one."""
    gone = list(runs_over(seen, referenced, sessions, replace(KEEP, runs=kept), NOW))
    for run in gone:
        siblings = [other for other in seen if other.tick == run.tick]
        assert run.tick not in referenced
        assert not any(other.alive for other in siblings)
        assert all(NOW - other.touched > kept for other in siblings)
        assert not {other.path.rpartition("/")[2] for other in siblings} & sessions
    wanted = {run.tick for run in seen} - referenced - {run.tick for run in gone}
    for tick in wanted:
        assert any(
            run.alive or NOW - run.touched <= kept or run.path.rpartition("/")[2] in sessions
            for run in seen
            if run.tick == tick
        )
