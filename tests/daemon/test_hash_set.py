"""Hashes, packed: a plain set of numbers to whoever asks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cadencebus.daemon.hash_set import HashSet

# Among them many that want the same place, at both ends of what a hash may be.
hashes = st.one_of(
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.builds(lambda n: n << 20, st.integers(-50, 50)),
    st.integers(-9, 9),
).filter(lambda mark: mark != 0)


@given(st.lists(hashes, max_size=200), st.lists(hashes, max_size=50))
def test_it_knows_what_it_was_given(given_to_it: list[int], asked: list[int]) -> None:
    """And nothing else, however many of them meet."""
    marks = HashSet()
    for mark in given_to_it:
        marks.add(mark)
    assert len(marks) == len(set(given_to_it))
    assert all(mark in marks for mark in given_to_it)
    assert [mark in marks for mark in asked] == [mark in given_to_it for mark in asked]


def test_it_grows() -> None:
    """All that was in it stays in it; 0 is a hash like others."""
    marks = HashSet()
    for mark in range(0, 50_000, 7):
        marks.add(mark)
    assert [mark for mark in range(50_000) if mark in marks and mark != 1] == list(range(0, 50_000, 7))
    assert len(marks) == len(range(0, 50_000, 7))
