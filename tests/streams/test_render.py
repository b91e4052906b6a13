"""What people read of an agent's stream."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.streams.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator


def shown(stream: str, printed: bytes) -> list[str]:
    """All lines for people of a whole log."""
    return [out for line in printed.split(b"\n") if line for out in render(stream, line)]


def test_a_run_with_a_tool_reads_like_a_story(recordings: dict[str, tuple[str, bytes]]) -> None:
    """Text as it is, a call and its answer in a line each, the end with turns and cost."""
    assert shown(*recordings["success_tool_once"]) == [
        "~ session 7ac3dbc9-5db8-40ac-8194-25de82991a66, claude-opus-4-8[1m]",
        "Running a command.",
        "> Bash  echo hi",
        "< hi",
        "Hello from the stub.",
        "= success, 2 turns, 0.6 s, $0.0183",
    ]
    assert shown(*recordings["other_codex_tool"])[2:] == [
        "> command_execution  /bin/bash -lc 'echo hi'",
        "< hi",
        "Hello from the stub.",
        "= success, 200+40 tokens",
    ]
    assert shown(*recordings["other_gemini_tool"])[1:] == [
        "> run_shell_command  echo hi",
        "< hi",
        "Hello from the stub.",
        "= success, 201+41 tokens",
    ]


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Read it there."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_tokyo")
def test_a_failure_says_why_before_it_says_what_it_cost(recordings: dict[str, tuple[str, bytes]]) -> None:
    """A limit with its end by the reader's clock, an error in the words of the CLI, a denied tool by name."""
    limited = shown(*recordings["oauth_429_unified_seven_day"])
    assert "! limit reached: seven_day, resets 2026-11-24 12:08 JST" in limited
    assert limited[-2:] == [
        "! You've hit your weekly limit · resets Nov 24, 3:08am (UTC)",
        "= failed, 1 turn, 0.4 s, $0.0000",
    ]
    assert "! Reached maximum number of turns (2)" in shown(*recordings["max_turns_2_stream"])
    assert "! not permitted: Bash" in shown(*recordings["perm_default_touch_json"])
    assert "~ retry 1 of 10 in 0.5 s (500 server_error)" in shown(*recordings["sigterm_during_retry_wait"])


def test_pieces_of_messages_are_not_shown_twice(recordings: dict[str, tuple[str, bytes]]) -> None:
    """The whole message follows its pieces."""
    assert shown(*recordings["success_partial_messages"]).count("Hello from the stub.") == 1


def test_every_recording_can_be_shown(recordings: dict[str, tuple[str, bytes]]) -> None:
    """Nothing in them breaks a terminal; results are never silent."""
    for name, (stream, printed) in recordings.items():
        lines = shown(stream, printed)
        assert all("\x1b" not in line for line in lines), name
        if b'{"type":"result"' in printed and not name.startswith("slow_reader"):
            assert any(line.startswith("= ") for line in lines), name


def test_terminal_control_is_taken_out() -> None:
    """Colours, titles, cursor moves, bells: from text, from tools and from plain output."""
    nasty = "a\x1b[31mb\x1b]0;title\x07c\x07\x9b2Jd\x08"
    assert render("plain", nasty.encode()) == ["abcd"]
    said = {"type": "assistant", "message": {"content": [{"type": "text", "text": nasty}]}}
    assert render("claude", json.dumps(said).encode()) == ["abcd"]


def test_what_is_no_json_is_shown_as_it_stands() -> None:
    """A CLI that prints text instead of events is not hidden; blank lines of a plain log stay."""
    assert render("claude", b"Not logged in") == ["Not logged in"]
    assert render("claude", b"") == []
    assert render("plain", b"") == [""]
    assert render("plain", b'{"type":"result"}') == ['{"type":"result"}']


def test_a_giant_line_is_shown_by_its_beginning() -> None:
    """Megabytes on one line are no use to anybody."""
    (line,) = render("claude", b"y" * 5_000_000)
    assert len(line) < 200


def test_long_tool_output_is_one_line_with_the_number_of_the_rest() -> None:
    """A call in one line, whatever it returned."""
    back = {
        "type": "user",
        "message": {"content": [{"type": "tool_result", "is_error": True, "content": "one\ntwo\nthree"}]},
    }
    assert render("claude", json.dumps(back).encode()) == ["<! one  (+2 lines)"]


@given(st.binary(max_size=300))
@settings(max_examples=100)
@pytest.mark.parametrize("stream", ["claude", "codex", "gemini", "plain", "unheard of"])
def test_no_line_makes_it_raise(stream: str, line: bytes) -> None:
    """Whatever stands in a log, it can be looked at."""
    assert all(isinstance(out, str) for out in render(stream, line))


KINDS = [
    "system",
    "assistant",
    "user",
    "result",
    "rate_limit_event",
    "error",
    "message",
    "turn.failed",
    "item.completed",
]
KEYS = [
    "subtype",
    "message",
    "content",
    "item",
    "error",
    "rate_limit_info",
    "stats",
    "usage",
    "type",
    "input",
    "role",
]
WORDS = [
    "init",
    "api_retry",
    "text",
    "tool_use",
    "tool_result",
    "thinking",
    "agent_message",
    "rejected",
    "assistant",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(KEYS[:-2]), VALUES, max_size=5))
@settings(max_examples=300)
def test_no_event_makes_it_raise(kind: str, rest: dict[str, Any]) -> None:
    """Right names with wrong types inside are shown as well as they can be."""
    line = json.dumps({**rest, "type": kind}).encode()
    for stream in ("claude", "codex", "gemini"):
        assert all("\n" not in out for out in render(stream, line))


def test_events_that_a_wrapper_coloured_read_as_ever(recordings: dict[str, tuple[str, bytes]]) -> None:
    """As they count: a log shows the work that the bus has seen done."""
    stream, printed = recordings["success_tool_once"]
    coloured = b"\n".join(b"\x1b[32m" + line + b"\x1b[0m" for line in printed.splitlines())
    assert shown(stream, coloured) == shown(stream, printed)
