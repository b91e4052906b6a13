"""Who starves: whoever is kept from a slot by others, for an hour, without a start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cadencebus.policy.starvation import STARVING, starving, waited_for_room

ROOM = ["full", "group", "exclusive"]


def test_an_hour_without_room_is_starvation() -> None:
    """Not a second before."""
    waited = waited_for_room({}, {"x": "full", "y": "auth"}, 100.0)
    assert waited == {"x": 0.0}
    waited = waited_for_room(waited, {"x": "group"}, STARVING - 1)
    assert not starving(waited)
    assert starving(waited_for_room(waited, {"x": "exclusive"}, 1.0)) == {"x": STARVING}


def test_a_hold_in_between_neither_counts_nor_forgets() -> None:
    """A gate that shuts for half a minute now and then would hide every starvation."""
    waited = waited_for_room({"x": 3000.0}, {"x": "pressure"}, 1000.0)
    assert waited == {"x": 3000.0}
    assert starving(waited_for_room(waited, {"x": "full"}, 600.0))


def test_a_start_or_an_empty_queue_ends_it() -> None:
    """Its former run still goes, or nothing of it waits."""
    assert waited_for_room({"x": 5000.0, "y": 5000.0}, {"x": "running"}, 1.0) == {}


@given(st.lists(st.tuples(st.sampled_from([*ROOM, "auth", "running", None]), st.floats(0, 2000))))
def test_the_wait_is_never_more_than_the_time_that_has_passed(turns: list[tuple[str | None, float]]) -> None:
    """Since the last start."""
    waited: dict[str, float] = {}
    since = 0.0
    for reason, passed in turns:
        waited = waited_for_room(waited, {"x": reason} if reason else {}, passed)
        since = 0.0 if reason in {None, "running"} else since + passed
        assert 0.0 <= waited.get("x", 0.0) <= since + 1e-6
