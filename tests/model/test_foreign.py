"""JSON of strangers: a value of another type than it should have is none."""

from __future__ import annotations

import math

import pytest

from cadencebus.model.foreign import amount, epoch, mapping, sequence, text, whole


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
