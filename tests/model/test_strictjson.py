"""Strict JSON: one document means one thing to every reader, or is refused with what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.strictjson import MAX_DEPTH, BadJSON, depth, dumps, loads, nesting

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_one_line_and_read_as_the_same(value: object) -> None:
    """For every reader: the standard one finds the same in it."""
    data = dumps(value)
    assert (data.count(b"\n"), data[-1:]) == (1, b"\n")
    assert loads(data) == json.loads(data) == value


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", "not_json", "line 1 column 1"),
        (b"{}\n{", "not_json", "line 2 column 1"),
        (b"\xef\xbb\xbf{}", "not_json", "byte order mark"),
        (b'"\xff"', "not_utf8", "byte 0xff at offset 1"),
        (b'"\xed\xa0\x80"', "not_utf8", "offset 1"),
        (b"NaN", "not_json", "NaN"),
        (b"[Infinity]", "not_json", "Infinity"),
        (b"[-Infinity]", "not_json", "-Infinity"),
        (b"[1e400]", "not_json", "1e400 is out of range"),
        (b"[-1e400]", "not_json", "-1e400 is out of range"),
        (b"9" * 5000, "not_json", "digits"),
        (b'{"a": 1, "b": 2, "a": 1}', "not_json", "'a' stands twice"),
        (b'[{"x": {"b": 1, "\\u0062": 2}}]', "not_json", "'b' stands twice"),
        (b'"\\ud83e"', "not_json", "surrogate"),
        (b'{"\\uDC00": 1}', "not_json", "surrogate"),
        (b'"a\nb"', "not_json", "control character"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "too_deep", f"over {MAX_DEPTH} deep"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "too_deep", "deep"),
        (b"[" * 100_000, "too_deep", "deep"),
    ],
)
def test_what_readers_might_read_differently_is_refused(data: bytes, code: str, said: str) -> None:
    """By a code for programs and in words for people."""
    with pytest.raises(BadJSON) as refused:
        loads(data)
    assert refused.value.code == code
    assert said.lower() in refused.value.message.lower()


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b" \t\r\n[1]\n ", [1]),
        (b'"\\ud83e\\udd84"', "\N{UNICORN FACE}"),
        (b'"\\\\ud83e"', "\\ud83e"),
        (b"[1e-400, -0.0, 1E2]", [0.0, 0.0, 100.0]),
        (b'{"a": {"a": {"a": 1}}}', {"a": {"a": {"a": 1}}}),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, None),
        (b'["' + b"[" * 500 + b'"]', ["[" * 500]),
        (b'["\\"' + b"[" * 500 + b'"]', ['"' + "[" * 500]),
        (b"[" + b"[]," * 500 + b"{}]", [[]] * 500 + [{}]),
    ],
)
def test_what_means_one_thing_is_read(data: bytes, value: object) -> None:
    """Brackets in strings or side by side are no depth; a pair of surrogates is a letter."""
    read = loads(data)
    assert value is None or read == value


@pytest.mark.parametrize(
    ("text", "deep"),
    [
        ("", 0),
        ("1", 0),
        ("[]", 1),
        ('{"a": [{}]}', 3),
        ("[][][]", 1),
        ('["]", "\\"]"]', 1),
        ('"[', 0),
        ("]][", 0),
    ],
)
def test_depth_is_that_of_brackets_outside_of_strings(text: str, deep: int) -> None:
    """Measured before anything is parsed: a parser in C would end the process."""
    assert depth(text) == deep


@given(VALUES)
def test_a_value_nests_as_deep_as_what_is_written_of_it(value: object) -> None:
    """Neither is longer to be believed than the other."""
    assert nesting(value) == depth(dumps(value).decode())


def test_sixty_four_levels_are_the_contract() -> None:
    """A number that other programs count on."""
    assert loads(b"[" * 64 + b"]" * 64)
    with pytest.raises(BadJSON, match="nested over 64 deep"):
        loads(b"[" * 65 + b"]" * 65)


def test_a_bound_of_ones_own_is_kept() -> None:
    """An export holds ticks two levels further in."""
    data = b"[" * 3 + b"]" * 3
    assert loads(data, max_depth=3) == [[[]]]
    with pytest.raises(BadJSON, match="over 2 deep"):
        loads(data, max_depth=2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}, object()])
def test_what_no_line_can_hold_is_not_written(value: object) -> None:
    """An error, never half a line."""
    with pytest.raises((ValueError, TypeError)):
        dumps(value)
