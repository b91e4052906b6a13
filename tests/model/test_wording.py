"""Numbers and lists, as a sentence has them."""

from __future__ import annotations

from cadencebus.model.wording import count, listed, some


def test_a_number_of_things_has_the_plural_that_it_wants() -> None:
    """One is one; none are several; thousands are set apart."""
    assert [count(number, "tick") for number in (0, 1, 2, 12_000)] == [
        "0 ticks",
        "1 tick",
        "2 ticks",
        "12,000 ticks",
    ]
    assert count(2, "process", "processes") == "2 processes"


def test_of_many_things_a_few_are_named() -> None:
    """And how many more there are, where there are more."""
    assert [some("abcde"[:most]) for most in (1, 3, 5)] == ["a", "a, b, c", "a, b, c and 2 more"]
    assert some(["a", "b"], 1) == "a and 1 more"


def test_a_list_ends_as_people_end_it() -> None:
    """With `and` or `or` before the last word, where there are two."""
    assert [listed("abc"[:length], "or") for length in (1, 2, 3)] == ["a", "a or b", "a, b or c"]
