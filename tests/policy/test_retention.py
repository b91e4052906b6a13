"""What may go: nothing that is running, waiting or spoken of ever does."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cadencebus.policy.retention import DAY, Keep, Run, days_over, runs_over

NOW = 1_800_000_000.0
KEEP = Keep(done=14 * DAY, runs=30 * DAY, events=90 * DAY, dead=float("inf"), keys=DAY)


def test_a_day_goes_when_all_of_it_is_over() -> None:
    """Never today or yesterday, however short the retention; never what is no day."""
    days = ["2027-01-15", "2027-01-14", "2027-01-13", "2027-01-01", "2026-12-31", "rubbish"]
    # As long as a day, and sorted before every one.
    days += ["._hello.md", "1-keepsake"]
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
