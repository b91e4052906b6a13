"""A tick means one thing: what can't be one is refused by its class, what is one is read as written."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cadencebus.model.naming import name_of
from cadencebus.model.tick import BadTick, Tick, read_members, tick_of

NAME = name_of("20261121T023000.123456Z-7f3k9q2m", "work", 5)
AT = "2026-11-21T02:30:00.000000Z"
OUTCOME = {"status": "ok"}


def read(**members: Any) -> Tick:
    """Read a tick of the cadence `work` with these members."""
    return tick_of(read_members(json.dumps({"cadence": "work"} | members).encode()), NAME, born=7.0)


def test_a_tick_without_a_cadence_says_that_it_is_missing() -> None:
    """Whoever mistyped the key looks for it; nothing was called None."""
    with pytest.raises(BadTick, match="cadence: missing"):
        tick_of(read_members(b'{"cadenc": "work"}'), NAME, born=7.0)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"schema": 2}, "unsupported_schema"),
        ({"schema": 0}, "unsupported_schema"),
        ({"id": None}, "bad_id"),
        ({"id": 7}, "bad_id"),
        ({"id": "20261121T023000.123456Z-7F3K9Q2M"}, "bad_id"),
        ({"cadence": "../x"}, "bad_cadence"),
        ({"cadence": ""}, "bad_cadence"),
        ({"cadence": None}, "wrong_type"),
        ({"priority": 10}, "bad_value"),
        ({"priority": -1}, "bad_value"),
        ({"priority": True}, "wrong_type"),
        ({"priority": 5.0}, "wrong_type"),
        ({"hops": -1}, "bad_value"),
        ({"hops": 17}, "too_many_hops"),
        ({"force": 1}, "wrong_type"),
        ({"payload": []}, "wrong_type"),
        ({"payload": None}, "wrong_type"),
        ({"key": 7}, "wrong_type"),
        ({"created_at": 7}, "wrong_type"),
        ({"expires_at": "soon"}, "bad_value"),
        ({"not_before": "2026-11-21T02:30:00"}, "bad_value"),
        ({"outcome": "ok"}, "wrong_type"),
        ({"attempts": {}}, "wrong_type"),
        ({"attempts": ["one"]}, "wrong_type"),
        ({"attempts": [{}, {"ended_at": "yesterday"}]}, "bad_value"),
        ({"attempts": [{"started_at": 5}]}, "wrong_type"),
    ],
)
def test_what_can_be_no_tick_is_refused_by_its_class(members: dict[str, object], code: str) -> None:
    """Its reason names the key, for that is where a person looks."""
    with pytest.raises(BadTick) as refused:
        read(**members)
    assert refused.value.code == code
    assert next(iter(members)) in refused.value.message


@pytest.mark.parametrize("hops", [0, 16])
@pytest.mark.parametrize("priority", [0, 9])
def test_the_bounds_themselves_are_allowed(hops: int, priority: int) -> None:
    """And null says nothing where nothing may be said; the name has the last word on the priority."""
    tick = read(hops=hops, priority=priority, key=None, not_before=None, expires_at=None, outcome=None)
    assert (tick.hops, tick.priority, tick.created_at) == (hops, 5, 7.0)


def test_unknown_keys_are_kept_and_a_differing_id_is_remembered() -> None:
    """The name is the authority; what a producer wrote is not lost."""
    other = "20261121T023000.000000Z-00000000"
    tick = read(id=other, of_mine=[1, {"a": None}])
    assert tick.id == NAME.id
    assert read_members(tick.bytes()) | {"of_mine": [1, {"a": None}], "origin_id": other} == tick.dump()


def test_what_is_written_is_read_as_the_same() -> None:
    """Attempts, outcome and plan included."""
    tick = read(attempts=[{"n": 1, "run": "r", "started_at": AT, "ended_at": None}], settling={"a": 1})
    tick = tick.ended(OUTCOME)
    assert tick_of(read_members(tick.bytes()), NAME, born=0.0) == tick


@pytest.mark.parametrize("born", [1e15, -1e12, -1.5])
def test_a_file_of_any_age_is_a_tick_that_can_be_read_again(born: float) -> None:
    """Milliseconds that were taken for seconds make a stamp of the year 58000, which no file can say."""
    tick = tick_of(read_members(b'{"cadence": "work"}'), NAME, born=born)
    assert tick_of(read_members(tick.bytes()), NAME, born=0.0) == tick


@pytest.mark.parametrize(
    ("said", "kept"), [([{"outcome": {}}], [{"outcome": {}}]), (5, []), ("x", []), ({}, [])]
)
def test_a_tick_that_is_moved_back_runs_anew_and_its_past_is_kept(said: object, kept: list[Any]) -> None:
    """Whatever a producer of its own has called `earlier`."""
    attempts = ({"n": 1, "counted": True},)
    tick = read(outcome=OUTCOME, attempts=list(attempts), earlier=said).again()
    assert (tick.outcome, tick.attempts) == (None, ())
    assert tick.extra["earlier"] == [*kept, {"outcome": OUTCOME, "attempts": list(attempts)}]
    assert tick.again() == tick


def test_an_attempt_of_the_same_run_replaces_the_one_noted_before() -> None:
    """A replay notes it a second time."""
    tick = read(attempts=[{"run": "a", "counted": True, "class": "crash"}]).tried({"run": "b", "class": "ok"})
    tick = tick.tried({"run": "b", "class": "crash", "counted": True})
    assert [attempt["run"] for attempt in tick.attempts] == ["a", "b"]
    assert (tick.counted_attempts, tick.ended_as("crash"), tick.ended_as("ok")) == (2, 2, 0)
