"""File names, packed: a plain sorted set to whoever asks, and little more than letters to the memory."""

from __future__ import annotations

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.daemon.packed_names import PackedNames

# Names that begin with each other, and some with the bytes that come first of all.
names = st.text(st.sampled_from("\1\2 ab~\udcff"), min_size=1, max_size=4)


@settings(max_examples=60)
@given(st.lists(names, max_size=300), st.lists(st.tuples(st.booleans(), names), max_size=300))
def test_it_agrees_with_a_plain_set_at_every_step(begun: list[str], steps: list[tuple[bool, str]]) -> None:
    """Whatever the names are, also where one begins with another."""
    packed, plain = PackedNames(begun), set(begun)
    assert list(packed) == sorted(plain)
    for added, name in steps:
        assert (name in packed) is (name in plain)
        if added:
            assert packed.add(name) is (name not in plain)
            plain.add(name)
        else:
            assert packed.discard(name) is (name in plain)
            plain.discard(name)
        assert len(packed) == len(plain)
        assert packed.first() == min(plain, default=None)
    assert list(packed) == sorted(plain)


@given(st.lists(names, max_size=200), names)
def test_it_finds_those_that_begin_so(there: list[str], prefix: str) -> None:
    """However many bundles they fill, and wherever the first of them stands in its own."""
    wanted = sorted({name for name in there if name.startswith(prefix)})
    assert list(PackedNames(there).beginning_with(prefix)) == wanted


def test_a_look_at_all_of_them_is_not_disturbed_by_what_comes_and_goes() -> None:
    """It tells what was there when it began."""
    packed = PackedNames(f"{number:04}" for number in range(200))
    look = iter(packed)
    before = [next(look) for _ in range(50)]
    for number in range(200):
        packed.discard(f"{number:04}")
        packed.add(f"x{number:04}")
    assert before + list(look) == [f"{number:04}" for number in range(200)]


def test_names_weigh_little_more_than_their_letters_and_nothing_once_they_went() -> None:
    """However they came: all at once, or one by one in the order of their time."""
    files = [f"5-20261121T023000.{number:06d}Z-work-7f3k9q2m.json" for number in range(2000)]
    letters = sum(map(len, files))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        packed, grown = PackedNames(files), PackedNames()
        for file in files:
            grown.add(file)
        there, _ = tracemalloc.get_traced_memory()
        while (first := packed.first()) is not None:
            packed.discard(first)
            grown.discard(first)
        gone, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert there - before < 2 * 1.2 * letters
    assert gone - before < 5000
