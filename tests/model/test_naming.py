"""Names are the authority: what is canonical is taken apart and put together again, nothing else is."""

from __future__ import annotations

from calendar import monthrange

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.naming import (
    Name,
    crockford,
    deferred_name,
    is_cadence,
    is_id,
    is_session,
    is_stamp,
    name_in,
    name_of,
    parse_deferred,
    parse_name,
    parse_run,
)

STAMP = "20261121T023000.123456Z"
ID = f"{STAMP}-7f3k9q2m"
FILE = f"3-{STAMP}-inbox-triage-7f3k9q2m.json"


def test_a_name_is_taken_apart_and_put_together_again() -> None:
    """In deferred/ with the due time in front, which is no part of it."""
    name = parse_name(FILE)
    assert name is not None
    assert (name.priority, name.stamp, name.cadence, name.random) == (3, STAMP, "inbox-triage", "7f3k9q2m")
    assert (name.id, name.file) == (ID, FILE)
    assert name_of(ID, "inbox-triage", 3).file == FILE
    late = deferred_name(STAMP, name)
    parsed = parse_deferred(late)
    assert parsed is not None
    assert (parsed[0], parsed[1].file) == (STAMP, FILE)
    for file in (late, FILE):
        found = name_in(file)
        assert found is not None
        assert found.file == FILE


def test_a_tick_has_a_name_for_each_priority() -> None:
    """Whoever looks for its id looks for all of them."""
    name = Name(3, STAMP, "x", "7f3k9q2m")
    assert name.copies() == [name.at(priority).file for priority in range(10)]
    assert name.at(9).file == f"9{name.file[1:]}"


@given(
    st.integers(0, 9),
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    st.binary(min_size=5, max_size=5),
)
def test_whatever_may_be_named_is_read_back(priority: int, cadence: str, entropy: bytes) -> None:
    """Cadences may look like stamps and like random letters."""
    name = Name(priority, STAMP, cadence, crockford(entropy))
    read = parse_name(name.file)
    assert read is not None
    assert (read.priority, read.stamp, read.cadence, read.random) == (priority, STAMP, cadence, name.random)


@pytest.mark.parametrize(
    "file",
    [
        "",
        "x.json",
        FILE.removesuffix(".json"),
        f"{FILE}.raw",
        f".{FILE}",
        f"x{FILE[1:]}",
        f"33{FILE[1:]}",
        f"\N{SUPERSCRIPT TWO}{FILE[1:]}",
        f"3_{FILE[2:]}",
        FILE.replace("Z-", "Z_"),
        FILE.replace("-7f", "_7f"),
        FILE.replace("triage", "../x"),
        FILE.replace("triage", "Triage"),
        FILE.replace("7f3k", "7F3K"),
        FILE.replace("7f3k", "ilou"),
        f"3-{STAMP}--7f3k9q2m.json",
        f"3-{STAMP}-7f3k9q2m.json",
        f"{STAMP}~{FILE}",
    ],
)
def test_what_is_not_canonical_is_not_taken_apart(file: str) -> None:
    """It is renamed, or left alone, but never guessed at."""
    assert parse_name(file) is None


@pytest.mark.parametrize(
    "file", ["", "~", FILE, f"{STAMP}~", f"{STAMP}-{FILE}", f"{ID}~{FILE}", f"{STAMP}~x"]
)
def test_what_has_no_due_time_is_not_deferred(file: str) -> None:
    """Nor is a due time without a tick."""
    assert parse_deferred(file) is None


@pytest.mark.parametrize(
    ("stamp", "right"),
    [
        (STAMP, True),
        ("20260101T000000.000000Z", True),
        ("20261231T235959.999999Z", True),
        ("20240229T000000.000000Z", True),
        ("20000229T000000.000000Z", True),
        ("19000229T000000.000000Z", False),
        ("20260229T000000.000000Z", False),
        ("00010101T000000.000000Z", True),
        ("00000101T000000.000000Z", False),
        ("20260001T000000.000000Z", False),
        ("20261301T000000.000000Z", False),
        ("20260100T000000.000000Z", False),
        ("20260132T000000.000000Z", False),
        ("20260431T000000.000000Z", False),
        ("20260230T000000.000000Z", False),
        ("20260101T240000.000000Z", False),
        ("20260101T006000.000000Z", False),
        ("20260101T000060.000000Z", False),
        ("20260101t000000.000000Z", False),
        ("20260101T000000,000000Z", False),
        ("20260101T000000.000000z", False),
        ("20260101T000000.00000Z", False),
        ("20260101T000000.0000000Z", False),
        ("2026010\N{SUPERSCRIPT TWO}T000000.000000Z", False),
        ("2026010\N{ARABIC-INDIC DIGIT ONE}T000000.000000Z", False),
        ("20260101T00000a.000000Z", False),
        ("20260101T000000.00000aZ", False),
        ("20260101T000000.a00000Z", False),
        ("a0260101T000000.000000Z", False),
        ("20260101Ta00000.000000Z", False),
    ],
)
def test_a_stamp_names_a_possible_instant(stamp: str, right: bool) -> None:
    """To the ends of every month, in plain digits."""
    assert is_stamp(stamp) is right
    assert is_id(f"{stamp}-7f3k9q2m") is right


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("year", [2026, 2028])
def test_a_month_has_as_many_days_as_the_calendar_says(year: int, month: int) -> None:
    """The day after its last is none."""
    last = monthrange(year, month)[1]
    assert is_stamp(f"{year}{month:02d}{last:02d}T000000.000000Z")
    assert not is_stamp(f"{year}{month:02d}{last + 1:02d}T000000.000000Z")


@pytest.mark.parametrize("text", [None, 7, "", STAMP, f"{ID}x", ID[:-1], ID.replace("-", "_"), f"{ID[:-1]}l"])
def test_what_has_not_the_form_of_an_id_is_none(text: object) -> None:
    """Crockford's letters leave out what is mistaken for another."""
    assert not is_id(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("a", True),
        ("7", True),
        ("a.b_c-d", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("", False),
        (None, False),
        (["a"], False),
        (".a", False),
        ("-a", False),
        ("_a", False),
        ("A", False),
        ("a..b", False),
        ("a/b", False),
        ("a b", False),
        ("a\n", False),
        ("\N{LATIN SMALL LETTER A WITH DIAERESIS}", False),
    ],
)
def test_a_cadence_has_a_plain_name(text: object, right: bool) -> None:
    """It is part of paths, of unit names and of file names that sort."""
    assert is_cadence(text) is right


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", True),
        ("thread_abc.1:2", True),
        ("a" * 200, True),
        ("a" * 201, False),
        ("", False),
        (None, False),
        ("-p", False),
        (".x", False),
        ("a b", False),
        ("a/b", False),
        ("\N{LATIN SMALL LETTER A WITH DIAERESIS}", False),
    ],
)
def test_a_session_is_a_word_and_never_an_option(text: object, right: bool) -> None:
    """It goes into a command line."""
    assert is_session(text) is right


@pytest.mark.parametrize(
    ("run_id", "known"),
    [
        (f"{ID}.1", (ID, 1)),
        (f"{ID}.1000", (ID, 1000)),
        (f"{ID}.10000", None),
        (ID, None),
        (f"{ID}.", None),
        (f"{ID}.x", None),
        (f"{ID}.-1", None),
        (f"{ID}.\N{SUPERSCRIPT TWO}", None),
        (f"{ID}.\N{ARABIC-INDIC DIGIT ONE}", None),
        (f"{ID}.{'9' * 5000}", None),
        ("../x.1", None),
        (None, None),
        ([1], None),
    ],
)
def test_the_id_of_a_run_is_a_tick_and_a_number(run_id: object, known: tuple[str, int] | None) -> None:
    """Ticks and memories may be written by anybody: no digit that Python can't count with passes."""
    assert parse_run(run_id) == known


@pytest.mark.parametrize(
    ("entropy", "letters"),
    [
        (b"\0" * 5, "0" * 8),
        (b"\xff" * 5, "z" * 8),
        (b"\0\0\0\0\1", "00000001"),
        (b"\x84\x21\x08\x42\x10", "gggggggg"),
    ],
)
def test_five_bytes_are_eight_letters(entropy: bytes, letters: str) -> None:
    """Each of them five bits, the first ones first."""
    assert crockford(entropy) == letters
