"""Instants: every spelling that RFC 3339 allows is read, what is no instant is refused, and stamps sort."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.clock import day, parse_rfc3339, parse_stamp, rfc3339, stamp

NOON = 1795262400.0
# Every microsecond from the year 1 to 9999 that a float can tell from its neighbours.
MOMENTS = st.integers(-62_135_596_800, 253_402_300_799).map(float)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T12:00:00Z",
        "2026-11-21t12:00:00z",
        "2026-11-21 12:00:00.000000Z",
        "2026-11-21T13:30:00+01:30",
        "2026-11-21T00:30:00-11:30",
        "2026-11-21T11:59:60Z",
    ],
)
def test_every_spelling_of_an_instant_is_read(text: str) -> None:
    """Small letters are RFC 3339's own; a leap second counts as the next minute's first, as POSIX has it."""
    assert parse_rfc3339(text) == NOON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-21",
        "20261121T120000Z",
        "2026-W47-6T12:00:00Z",
        "2026-11-21T12:00:00",
        "2026-11-21T12:00:61Z",
        "2026-02-29T12:00:00Z",
        "2026-11-21T12:00:00+25:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:60Z",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    """Nor is one that would lie in a year of five digits, or in none: it could not be written again."""
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


def test_the_last_microsecond_there_is_stands_for_never() -> None:
    """As `datetime.max` spells it; read as the last whole second: a float can't tell it from year 10000."""
    assert rfc3339(parse_rfc3339("9999-12-31T23:59:59.999999Z")) == "9999-12-31T23:59:59.000000Z"


@given(MOMENTS)
def test_what_is_written_is_read_as_the_same(moment: float) -> None:
    """In both spellings, and its day stands in front."""
    assert parse_rfc3339(rfc3339(moment)) == parse_stamp(stamp(moment)) == moment
    assert rfc3339(moment).startswith(day(moment))


def test_a_moment_is_rounded_before_it_is_taken_apart() -> None:
    """59.9999999 is the next minute, never 59.1000000; and just before 1970 is still before it."""
    assert rfc3339(NOON - 0.000_000_1) == "2026-11-21T12:00:00.000000Z"
    assert rfc3339(-0.000_001) == "1969-12-31T23:59:59.999999Z"


@given(st.lists(MOMENTS, min_size=2, max_size=4))
def test_stamps_sort_as_instants_do(moments: list[float]) -> None:
    """That is what file names are made of them for."""
    assert [stamp(moment) for moment in sorted(moments)] == sorted(stamp(moment) for moment in moments)


@pytest.mark.parametrize(
    "text", ["", "20261121T120000Z", "20261121T120000.00000xZ", " 20261121T12000.000000Z"]
)
def test_what_is_no_stamp_is_refused(text: str) -> None:
    """Only the one form: names are compared as text."""
    with pytest.raises(ValueError, match=r".+"):
        parse_stamp(text)
