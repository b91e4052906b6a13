"""Text of strangers, made fit to keep and to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.legible import clean, clip, escaped, one_line, redacted


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


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"a\xff\x1b\n.json", r"a\xff\x1b\n.json"),
        ("caf\u00e9 \U0001f600.json".encode(), "caf\u00e9 \U0001f600.json"),
        ("\u202e\u2028".encode(), r"\u202e\u2028"),
    ],
)
def test_any_name_of_a_file_can_be_shown(name: bytes, shown: str) -> None:
    """Whatever bytes it is made of; two names never look the same."""
    assert escaped(name.decode("utf-8", "surrogateescape")) == shown


@pytest.mark.parametrize(
    "said",
    [
        "cat: /etc/passwd: Permission denied",
        "rm: cannot remove '/run/token': Operation not permitted",
        "/home/me/.ssh/secret: Input/output error",
        "open /run/secrets/token: permission denied",
        "token: Connection refused",
    ],
)
def test_what_the_system_says_of_a_file_is_no_secret(said: str) -> None:
    """Its name may look like that of one: the message would say nothing any more."""
    assert redacted(said) == said


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('{"password":"correct horse battery"}', '{"password":"[redacted]"}'),
        ("token = 'correct horse', retries = 3", "token = '[redacted]', retries = 3"),
        ('token: "it\'s me, he said"', 'token: "[redacted]"'),
        ("psql --password correct-horse db", "psql --password [redacted] db"),
        ("up --api-key=correct-horse --quiet", "up --api-key=[redacted] --quiet"),
        ("up --access-token 'correct horse' --quiet", "up --access-token '[redacted]' --quiet"),
        ("up --token-file /run/tokens/one", "up --token-file /run/tokens/one"),
    ],
)
def test_a_secret_goes_whole(said: str, shown: str) -> None:
    """Also one with blanks between its quotes, and one that is an argument of its own."""
    assert redacted(said) == shown


@pytest.mark.parametrize("said", ["password: permission1", "token=Operation-not", "passwd: Permission slip"])
def test_a_secret_that_begins_like_such_a_message_is_one(said: str) -> None:
    """What is not certain to be harmless goes."""
    assert "[redacted]" in redacted(said)
