"""The JSON in C does what the library around it does, and can be done without."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cadencebus.model.json_in_c import Malformed, reader, writer

if TYPE_CHECKING:
    from collections.abc import Callable

# What JSON is made of, in any order: most of it is none, and some is.
TEXTS = st.lists(
    st.sampled_from([*'{}[]:,"\\ \n\t', "1", "-", "0.5", "1e9", "true", "null", "NaN", '"a"', "é"])
)
PLAIN = json.JSONDecoder(object_pairs_hook=tuple, parse_float=str, parse_constant=str)


def plain_reader() -> Callable[[str], object]:
    """Make a reader whose hooks show that they were called."""
    return reader(pairs=tuple, number=str, constant=str)


def read_plainly(text: str) -> object:
    """What the library itself finds in a text, or says of it."""
    try:
        return PLAIN.decode(text)
    except json.JSONDecodeError as error:
        # Some of its messages end with the word that ours goes on with.
        return f"{error.msg.removesuffix(' at')} at line {error.lineno} column {error.colno}"


@given(TEXTS.map("".join))
@example("")
@example(" \n")
@example(' {"a": [1, 2.5, NaN]}\n')
@example('{"a":\n\n 1 2}')
@example('{"a" 1}')
@example('["\n"]')
@example('["')
def test_it_reads_what_the_library_reads_and_says_what_it_says(text: str) -> None:
    """Of every text: the value, or what is wrong and where."""
    try:
        found = plain_reader()(text)
    except Malformed as error:
        found = str(error)
    assert found == read_plainly(text)


def test_it_says_what_is_wrong_where_nobody_has_imported_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C code looks for the class of its errors among what is loaded; in `enqueue` it is not."""
    monkeypatch.delitem(sys.modules, "json.decoder")
    with pytest.raises(Malformed, match=r"Expecting property name .* line 1 column 2"):
        plain_reader()("{")


def test_a_number_of_too_many_digits_is_told_of_as_such() -> None:
    """That is no matter of JSON, and has no place in the text."""
    with pytest.raises(ValueError, match="digits") as refused:
        plain_reader()("9" * 5000)
    assert not isinstance(refused.value, Malformed)


@pytest.mark.parametrize("missing", [False, True])
def test_an_interpreter_without_it_is_served_all_the_same(
    monkeypatch: pytest.MonkeyPatch, *, missing: bool
) -> None:
    """By the library, in every respect alike."""
    if missing:
        monkeypatch.setitem(sys.modules, "_json", None)
    read, write = plain_reader(), writer()
    assert read(' {"a": 1.5, "b": [NaN, 2]} ') == (("a", "1.5"), ("b", ["NaN", 2]))
    for text, said in (("[1", "Expecting ',' delimiter at line 1 column 3"), ("{}\n{", "line 2 column 1")):
        with pytest.raises(Malformed, match=said):
            read(text)
    assert write({"é": [1, 0.5, True, None, '"\n']}) == '{"é": [1, 0.5, true, null, "\\"\\n"]}'
    for unspeakable, error in ((float("nan"), ValueError), ({1}, TypeError)):
        with pytest.raises(error):
            write({"a": unspeakable})
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="Circular"):
        write(loop)
