"""Tails that go into letters: nothing in them commands a terminal or gives a key away."""

from __future__ import annotations

import pytest

from cadencebus.session.evidence import clean


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        (b"plain\n", "plain\n"),
        (b"\x1b[31mred\x1b[0m\x1b]0;title\x07", "red"),
        (b"caf\xc3\xa9 \xff", "café �"),
        (b"key sk-ant-api03-abcdefghijkl left", "key sk-ant-[redacted] left"),
        (b"ghp_abcdefghij0123456789", "ghp_[redacted]"),
        (b"Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"),
        (b'{"api_key": "abcdef123456"}', '{"api_key": "[redacted]"}'),
        (b"password=hunter2000 token: abcdefgh", "password=[redacted] token: [redacted]"),
        (b"the token is short", "the token is short"),
        (b"skipped a task-force", "skipped a task-force"),
    ],
)
def test_a_tail_is_safe_to_show(log: bytes, shown: str) -> None:
    """What is no secret is left as it is."""
    assert clean(log) == shown
