"""Durations: what people write is seconds, what makes no sense is refused, what is shown can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.duration import LONGEST, PATTERN, in_digits, parse_duration, spell_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90.0),
        ("500ms", 0.5),
        ("0.5s", 0.5),
        (".5h", 1800.0),
        ("1.m", 60.0),
        ("20m", 1200.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("45", 45.0),
        (" 5 m ", 300.0),
        ("0", 0.0),
        (0, 0.0),
        (45, 45.0),
        (1.5, 1.5),
        (LONGEST, LONGEST),
    ],
)
def test_a_number_with_a_unit_is_seconds(written: object, seconds: float) -> None:
    """Without a unit it is seconds already."""
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    [
        "",
        "s",
        ".",
        "m5",
        "1h30m",
        "-1s",
        "+1s",
        "1e3",
        "1_000",
        "nan",
        "inf",
        "5 weeks",
        "٣s",
        "²s",
        "5S",
        "1..5s",
    ],
)
def test_a_text_that_is_no_duration_is_refused(written: str) -> None:
    """The error says what a duration looks like."""
    with pytest.raises(ValueError, match="such as 90s, 20m, 2h"):
        parse_duration(written)


@pytest.mark.parametrize(
    "written", [None, True, False, [], {}, b"5s", float("nan"), float("inf"), -1, -0.001]
)
def test_a_value_that_is_no_duration_is_refused(written: object) -> None:
    """True is not a second, and nothing takes negative time."""
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(written)


@pytest.mark.parametrize("written", [LONGEST + 1, 10**400, "3661d", "9" * 400, "9" * 5000 + "d"])
def test_nothing_takes_longer_than_ten_years(written: object) -> None:
    """A duration that no clock could hold is a slip of the finger."""
    with pytest.raises(ValueError, match="at most ten years"):
        parse_duration(written)


@given(st.text(max_size=8) | st.from_regex(PATTERN, fullmatch=True))
def test_the_pattern_in_the_schema_is_the_grammar(text: str) -> None:
    """What matches is read, or refused for its length alone; what does not match is never read."""
    try:
        parse_duration(text)
    except ValueError as error:
        read = "ten years" in str(error)
    else:
        read = True
    assert read == (re.fullmatch(PATTERN.removesuffix("$"), text) is not None)


@pytest.mark.parametrize(
    ("seconds", "spelled"),
    [
        (0, "0s"),
        (0.0504, "50ms"),
        (1, "1s"),
        (1.25, "1.2s"),
        (59.6, "1m"),
        (90, "1m 30s"),
        (1200, "20m"),
        (3661, "1h 1m"),
        (86400, "1d"),
        (90061, "1d 1h"),
    ],
)
def test_people_are_told_the_two_largest_parts(seconds: float, spelled: str) -> None:
    """Nobody wants the seconds of a day."""
    assert spell_duration(seconds) == spelled


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (0.0, "0"),
        (0.5, "0.5"),
        (90, "90"),
        (100.0, "100"),
        (1_296_000.0, "1296000"),
        (12345.678, "12345.678"),
    ],
)
def test_digits_have_no_exponent_and_no_empty_decimals(number: float, digits: str) -> None:
    """However large; to the microsecond, which is all that a file holds."""
    assert in_digits(number) == digits
    assert parse_duration(f"{digits}s") == number
