"""Figures: what is added up in parts is what is added up at once."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model import strictjson
from cadencebus.policy.figures import Figures, Histogram, Streaks, sparkline, summed

SECONDS = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=60)


def spread(values: list[float]) -> Histogram:
    """Put durations into a histogram."""
    made = Histogram()
    for value in values:
        made.add(value)
    return made


@given(SECONDS, st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_percentile_is_true_within_one_percent(values: list[float], share: float) -> None:
    """By nearest rank, as one would find it in the sorted list."""
    true = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    assert spread(values).rank(share) == pytest.approx(true, rel=0.01 + 1e-9)


@given(SECONDS, SECONDS)
def test_merged_histograms_are_the_histogram_of_all(one: list[float], other: list[float]) -> None:
    """Whatever order they come in, and through a file as well."""
    merged = spread(one)
    merged.merge(Histogram.load(json.loads(json.dumps(spread(other).dump()))))
    whole = spread(one + other)
    assert (merged.count, merged.least, merged.most) == (whole.count, whole.least, whole.most)
    assert merged.buckets == whole.buckets
    assert merged.total == pytest.approx(whole.total)


@given(st.lists(st.lists(st.booleans(), max_size=8), max_size=5))
def test_streaks_of_parts_join_at_the_seams(parts: list[list[bool]]) -> None:
    """The longest and the present one are those of the whole story."""
    whole = Streaks()
    for part in parts:
        own = Streaks()
        for well in part:
            own.add(well=well)
        whole.merge(own)
    story = [(well, len(list(group))) for well, group in groupby(end for part in parts for end in part)]
    assert whole.best == max((length for well, length in story if well), default=0)
    assert whole.worst == max((length for well, length in story if not well), default=0)
    assert whole.last == (0 if not story else story[-1][1] * (1 if story[-1][0] else -1))
    assert whole.first == (0 if not story else story[0][1] * (1 if story[0][0] else -1))


def test_nothing_is_no_figures() -> None:
    """An empty stretch of time changes nothing, and has no percentile to speak of."""
    nothing = summed([])
    assert (nothing.runs, nothing.seconds.rank(0.95)) == (0, 0.0)
    assert Figures.load(json.loads(strictjson.dumps(nothing.dump()))) == nothing


def test_what_found_nothing_to_do_ended_well() -> None:
    """A guard's skip is no failure."""
    figures = Figures(classes=Counter(ok=3, skipped=2, crash=4))
    assert (figures.runs, figures.well) == (9, 5)


def test_a_sparkline_tells_nothing_from_zero() -> None:
    """A dot is a day without a run, the lowest bar a day with next to none."""
    assert sparkline([None, 0, 1, 8]) == "·▁▂█"
    assert sparkline([0.0]) == "▁"
    assert sparkline([]) == ""
