"""YAML as a careful person reads it: what looks odd is refused, with its line."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.store import yamltext
from cadencebus.store.yamltext import MAX_BYTES, BadYAML, Decimal, load


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a remark\n", None),
        (
            "a: 1\nb: [x, 2.5, true]\nc: {d: null, e: ~, f: }\n",
            {"a": 1, "b": ["x", 2.5, True], "c": dict.fromkeys("def")},
        ),
        (
            "at: 08:30\nlap: 1:30\nday: 2026-11-21\nwhen: 2026-11-21T02:30:00Z\n",
            {"at": "08:30", "lap": "1:30", "day": "2026-11-21", "when": "2026-11-21T02:30:00Z"},
        ),
        (
            "a: no\nb: Yes\nc: on\nd: TRUE\ne: Null\n",
            {"a": "no", "b": "Yes", "c": "on", "d": "TRUE", "e": "Null"},
        ),
        (
            "a: 0x1f\nb: 0o17\nc: 1_000\nd: .inf\ne: .nan\nf: +5\n",
            {"a": "0x1f", "b": "0o17", "c": "1_000", "d": ".inf", "e": ".nan", "f": 5},
        ),
        ("a: '5'\nb: \"true\"\nc: |\n  1\n", {"a": "5", "b": "true", "c": "1\n"}),
        ("on: 1\n5: x\n<<: y\n", {"on": 1, "5": "x", "<<": "y"}),
        ("a: " + "9" * 40, {"a": "9" * 40}),
        ("\N{BYTE ORDER MARK}a: 1", {"a": 1}),
        ("grüße: \N{GRINNING FACE}", {"grüße": "\N{GRINNING FACE}"}),
    ],
)
def test_plain_words_stay_words(text: str, value: object) -> None:
    """Only true, false, null and decimal numbers are more than text; a quoted one is text again."""
    assert load(text).value == value


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a: stands twice, first on line 1"),
        ("a: {b: 1, b: 2}\n", 1, "b: stands twice"),
        ("a: 1\nb: &x 2\n", 2, "anchors and aliases"),
        ("a: [&x [1], *x]\n", 1, "anchors and aliases"),
        ("a: 1\nb: !!python/object:os.system x\n", 2, "tags are not read here"),
        ("a: !secret x\n", 1, "tags are not read here"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("? [a, b]\n: 1\n", 1, "a key that is no text"),
        ("a: 1\nb: \x07\n", 2, "the character U+0007"),
        ("a: 1\nb: 'open\n", 2, "unexpected end of stream"),
        ("a: 1\nb: [1,\nc: 2\n\n\n", 3, "for what begins on line 2"),
        ("a:\n\tb: 2\n", 2, "indent with blanks, no tabs"),
        ("a: Triage: the inbox\n", 1, "a text with a colon and a blank wants quotes"),
        ("a: 1\nschedule: */5 8-19 * * *\n", 2, "such as a cron line, wants quotes"),
        ("a: " + "[" * 33, 1, "nested over 32 deep"),
        ("x" * (MAX_BYTES + 1), 1, f"over {MAX_BYTES} bytes"),
    ],
)
def test_what_looks_odd_is_refused_with_its_line(text: str, line: int, said: str) -> None:
    """The message says what a person may have meant."""
    with pytest.raises(BadYAML) as caught:
        load(text)
    assert caught.value.line == line
    assert said in caught.value.message


READS_STANDARD_INPUT = """
import sys
from cadencebus.store.yamltext import BadYAML, load
try:
    load(sys.stdin.read())
except BadYAML as error:
    print(error.message)
"""


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "[{a: "])
def test_a_deep_document_is_refused_and_does_not_crash(opening: str) -> None:
    """The composer of libyaml overflows the stack on these; the interpreter that reads them must live on."""
    ended = subprocess.run(
        [sys.executable, "-c", READS_STANDARD_INPUT],
        input=opening * 200_000,
        capture_output=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "nested over 32 deep\n"


def test_a_billion_laughs_are_not_laughed() -> None:
    """Aliases are refused before anything is multiplied."""
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(BadYAML, match="anchors and aliases"):
        load(bomb)


def test_every_part_knows_its_line() -> None:
    """A fault deep inside is shown where it stands; what is missing, where it would stand."""
    document = load("a: 1\nexpect:\n  file:\n    - x\n    - y\nenv: {A: 1,\n  B: 2}\n", first_line=2)
    assert document.line_of(("a",)) == 2
    assert document.line_of(("expect",)) == 3
    assert document.line_of(("expect", "file", 1)) == 6
    assert document.line_of(("env", "B")) == 8
    assert document.line_of(("env", "C")) == 7
    assert document.line_of(("nowhere",)) == 2


def test_a_number_remembers_how_it_was_written() -> None:
    """An argument `1.10` must reach its program as it was typed."""
    value = load("[1.10, 010]").value
    assert value == [1.1, 10.0]
    assert [str(number) for number in value] == ["1.10", "010"]
    assert isinstance(value[0], Decimal)


def test_both_parsers_read_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML comes without libyaml the same text means the same."""
    text = "a: [1, {b: '2'}]\nc: |\n  x\nd: 08:30\n"
    fast = load(text)
    monkeypatch.setattr(yamltext, "_Loader", yaml.SafeLoader)
    assert load(text) == fast
    with pytest.raises(BadYAML, match="wants quotes"):
        load("schedule: */5 * * * *")
    with pytest.raises(BadYAML, match="anchors"):
        load("a: &x 1")


plain = st.text("abcxyz019.-: #'\"\n\t[]{},é\N{GRINNING FACE}", max_size=40)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain.filter(bool), inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_what_was_dumped_is_read_back(value: object) -> None:
    """Any tree of plain values survives the way through a file."""

    class Unaliased(yaml.SafeDumper):
        """PyYAML gives equal lists an anchor; people do not."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    text = yaml.dump(
        value, Dumper=Unaliased, allow_unicode=True, default_style='"' if isinstance(value, str) else None
    )
    assert load(text).value == value


@given(st.text(max_size=200))
def test_no_text_is_a_surprise(text: str) -> None:
    """Whatever is in the file, the answer is a value or a BadYAML that names a line of it."""
    try:
        load(text)
    except BadYAML as error:
        line = error.line
    else:
        line = 1
    assert 1 <= line <= 2 + sum(text.count(end) for end in "\n\r\x85\u2028\u2029")
