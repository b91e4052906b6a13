"""A plan that was written down is carried out as it was meant, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cadencebus.model.hold import Hold
from cadencebus.model.settlement import FollowUp, RunFacts, Settlement, settlement_of

PLAN = Settlement(
    target="inbox",
    run="x.1",
    at=1795262400.5,
    klass="rate_limited",
    attempt={},
    memory={"x": {"failures": 1, "booking": {"day": "2026-11-21", "usd": 0.5}}, "_bus": {}},
    holds=(Hold(scope="bus", reason="resources", since=1.0, until=2.0, detail="why", extra={"at_most": 1}),),
    releases=("cadence-x.backoff.json",),
    follow_ups=(FollowUp(cadence="y", why="then", payload={"a": 1}),),
    events=({"event": "run.ended"},),
)
HOLD = {"scope": "bus", "reason": "resources", "since": "2026-11-21T12:00:00Z", "until": None}
FOLLOW_UP = {"cadence": "y", "why": "then", "payload": {}}


def test_a_plan_is_read_as_it_was_written() -> None:
    """Through a file, all that follows from it included."""
    assert settlement_of(json.loads(json.dumps(PLAN.dump()))) == PLAN


def test_a_plan_of_the_least_is_one() -> None:
    """Where nothing follows, nothing need be said."""
    least = settlement_of({"run": "x.1", "target": "done", "at": 0})
    assert least == Settlement(target="done", run="x.1", at=0, klass="", attempt={})


@pytest.mark.parametrize("gone", ["run", "target", "at"])
def test_a_plan_without_what_it_needs_is_none(gone: str) -> None:
    """Nobody guesses where a tick was to go."""
    with pytest.raises(ValueError, match="not the plan"):
        settlement_of({key: value for key, value in PLAN.dump().items() if key != gone})


@pytest.mark.parametrize(
    "change",
    [
        {"run": 1},
        {"target": "tmp"},
        {"target": ["done"]},
        {"at": "2026-11-21T12:00:00Z"},
        {"memory": []},
        {"at": 1e17},
        {"memory": {"x": None}},
        {"memory": {"../x": {}}},
        {"memory": {"\0": {}}},
        {"memory": {"x" * 255: {}}},
        {"memory": {"x": {"failures": "many"}}},
        {"memory": {"x": {"booking": None}}},
        {"memory": {"x": {"booking": {"day": "2026-11-21"}}}},
        {"holds": {}},
        {"holds": [HOLD | {"scope": None}]},
        {"holds": [HOLD | {"until": "soon"}]},
        {"releases": [""]},
        {"releases": ["../../x.json"]},
        {"holds": [HOLD | {"reason": "../x"}]},
        {"holds": [HOLD | {"reason": "x" * 250}]},
        {"releases": [7]},
        {"releases": ["bus.\0.json"]},
        {"follow_ups": [FOLLOW_UP | {"cadence": "../y"}]},
        {"follow_ups": [FOLLOW_UP | {"payload": None}]},
        {"events": ["run.ended"]},
    ],
)
def test_a_plan_that_is_out_of_shape_is_none(change: dict[str, Any]) -> None:
    """And it names no file that its folder could not have, nor makes a memory that nobody could read."""
    with pytest.raises(ValueError, match="not the plan"):
        settlement_of(PLAN.dump() | change)


@pytest.mark.parametrize(("seconds", "lasted"), [(None, 5.0), (2.0, 2.0), (0.0, 0.0)])
def test_a_run_lasted_until_now_where_nobody_knows_better(seconds: float | None, lasted: float) -> None:
    """And never less than nothing, though the clock was set back."""
    facts = RunFacts(run="x.1", started_at=10.0, seconds=seconds)
    assert facts.lasted(15.0) == lasted
    assert facts.lasted(5.0) == (0.0 if seconds is None else lasted)
