"""Text and JSON of strangers, made fit to keep and to show."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.foreign import amount, epoch, mapping, sequence, text, whole
from cadencebus.model.legible import clean, clip, one_line


@pytest.mark.parametrize(
    ("dirty", "pure"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never ends\nnext line", "\nnext line"),
        ("\x9b2Jgone", "gone"),
        ("\x1b(Bset", "set"),
        ("bell\x07back\x08nul\x00del\x7f", "bellbacknuldel"),
        ("win\r\nold\rmac\ttab", "win\noldmac\ttab"),
        ("abc\u202etxt\u2066", "abctxt"),
        ("half \ud83d pair", "half  pair"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(dirty: str, pure: str) -> None:
    """Colours, titles, links, cursor moves, reversed text."""
    assert clean(dirty) == pure


@given(st.text())
def test_clean_text_is_clean_and_stays_as_it_is(dirty: str) -> None:
    """Cleaning twice is cleaning once; what is left can be printed and stored."""
    pure = clean(dirty)
    assert clean(pure) == pure
    assert all(char in "\n\t" or ord(char) >= 32 for char in pure)
    pure.encode()


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line_of_at_most_its_length(dirty: str, limit: int) -> None:
    """Whatever came."""
    line = one_line(dirty, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


def test_a_cut_text_says_that_it_was_cut() -> None:
    """With its last character."""
    assert clip("abcdef", 4) == "abc…"
    assert clip("abcd", 4) == "abcd"


@pytest.mark.parametrize("value", [None, True, "7", -1, 1.5, math.nan, [], {}, 1 << 70])
def test_no_whole_number_is_made_of_what_is_none(value: object) -> None:
    """A flag is no number, nor is a text of digits."""
    assert whole(value) is None


@pytest.mark.parametrize("value", [None, False, "7", -0.5, math.nan, math.inf, 1 << 4000, []])
def test_no_amount_is_made_of_what_is_none(value: object) -> None:
    """Money and delays are finite and not negative."""
    assert amount(value) is None


def test_values_of_the_right_type_come_through() -> None:
    """And nothing else does."""
    assert (whole(7), amount(7), amount(0.5), epoch(1795489718)) == (7, 7.0, 0.5, 1795489718.0)
    assert (epoch(0), epoch(1795489718000), epoch("soon")) == (None, None, None)
    assert (mapping([]), sequence({}), text(7), text("a\x07b", 2)) == ({}, [], None, "ab")
