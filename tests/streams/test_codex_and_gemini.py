"""Codex and Gemini: streams with words where Claude Code has fields."""

from __future__ import annotations

import json
from typing import Any

from cadencebus.model.ending import Report, Tokens
from cadencebus.streams.codex import _TALK, QUIET
from cadencebus.streams.feed import LINE_MAX
from cadencebus.streams.in_flight import REQUEST_S
from cadencebus.streams.parser import READERS, EventParser, parser_of


def fed(stream: str, *events: dict[str, Any]) -> EventParser:
    """A parser that was told these events."""
    parser = EventParser(READERS[stream]())
    for event in events:
        parser.feed(json.dumps(event).encode() + b"\n", 50.0)
    return parser


def ended(stream: str, *events: dict[str, Any]) -> Report:
    """The report on a stream that ended with these events."""
    parser = fed(stream, *events)
    parser.finish()
    return parser.report


def test_codex_tells_session_turn_and_tokens() -> None:
    """A good run, as it was recorded; cached input is counted apart."""
    report = ended(
        "codex",
        {"type": "thread.started", "thread_id": "t1"},
        {"type": "turn.started"},
        {"type": "item.completed", "item": {"id": "i1", "type": "agent_message", "text": "Hello"}},
        {
            "type": "turn.completed",
            "usage": {"input_tokens": 100, "cached_input_tokens": 10, "output_tokens": 20},
        },
    )
    assert report.result is not None
    assert report.result.good
    assert (report.session_id, report.turns, report.model_messages) == ("t1", 1, 1)
    assert report.tokens == Tokens(input=90, output=20, cache_read=10)
    assert (report.result.text, report.open_turn) == ("Hello", False)


def test_an_error_of_codex_is_not_final_while_it_reconnects() -> None:
    """It is a sign of waiting, and forgotten when an item comes."""
    retry = {"type": "error", "message": "Reconnecting... 2/5 (stream disconnected)"}
    parser = fed("codex", {"type": "turn.started"}, retry)
    assert (parser.report.waiting_for, parser.report.result) == ("api_retry", None)
    assert fed("codex", retry).report.believed_until == 50.0 + REQUEST_S
    parser.feed(b'{"type":"item.completed","item":{"type":"reasoning"}}\n', 51.0)
    assert parser.report.waiting_for is None
    parser.finish()
    assert parser.report.result is None
    assert parser.report.open_turn


def test_an_error_of_codex_that_nothing_follows_is_final() -> None:
    """Its words are the result, but only once the stream has ended."""
    events = ({"type": "turn.started"}, {"type": "error", "message": "Quota exceeded."})
    assert fed("codex", *events).report.result is None
    report = ended("codex", *events)
    assert report.result is not None
    assert (report.result.is_error, report.result.text) == (True, "Quota exceeded.")
    assert report.result_seen_at is None


def test_a_turn_of_codex_that_failed_says_why() -> None:
    """In its own words, else in those of the last error; nothing is in flight any more, and no turn open."""
    call = {"type": "item.started", "item": {"id": "i1", "type": "command_execution"}}
    begun = ({"type": "error", "message": "at first"}, call)
    for error, said in (
        ({"message": "Quota exceeded."}, "Quota exceeded."),
        ({}, "at first"),
        (7, "at first"),
    ):
        parser = fed("codex", {"type": "turn.started"}, *begun, {"type": "turn.failed", "error": error})
        report, result = parser.report, parser.report.result
        assert result is not None
        assert (result.subtype, result.is_error, result.text) == ("turn.failed", True, said)
        assert (report.turns, report.open_turn, report.result_seen_at) == (1, False, 50.0)
        assert (report.waiting_for, report.believed_until) == (None, None)


def test_talk_of_codex_is_no_call_and_what_nobody_knows_is_counted() -> None:
    """A message that begins is waited for by nobody; a usage that says nothing is none."""
    talk = [{"type": "item.started", "item": {"id": kind, "type": kind}} for kind in sorted(_TALK)]
    quiet = [{"type": kind} for kind in sorted(QUIET)]
    report = fed("codex", *talk, *quiet, {"type": "of.tomorrow"}).report
    assert (report.waiting_for, report.open_turn, report.unknown) == (None, False, 1)
    assert ended("codex", {"type": "turn.completed", "usage": {}}).tokens == Tokens()
    named = {"id": "i1", "type": "mcp_tool_call", "tool": "search"}
    assert fed("codex", {"type": "item.started", "item": named}).report.waiting_for == "search"


def test_a_warning_of_codex_is_no_failure() -> None:
    """An item of type `error` in a run that succeeds."""
    warning = {
        "type": "item.completed",
        "item": {"id": "i0", "type": "error", "message": "metadata not found"},
    }
    report = ended("codex", warning, {"type": "turn.started"}, {"type": "turn.completed", "usage": {}})
    assert report.result is not None
    assert report.result.good


def test_a_command_of_codex_is_in_flight_until_it_completed() -> None:
    """Its output is silent for as long as the command runs."""
    item = {"id": "i1", "type": "command_execution", "command": "sleep 120"}
    started = {"type": "item.started", "item": item}
    assert ended("codex", started).believed_until is None
    parser = fed("codex", started)
    assert parser.report.waiting_for == "command_execution"
    assert parser.report.believed_until is not None
    parser.feed(json.dumps({"type": "item.completed", "item": item}).encode() + b"\n", 60.0)
    told = parser.report
    assert (told.believed_until, told.model_messages) == (None, 0)


def test_output_too_long_to_keep_is_no_event_of_codex() -> None:
    """Megabytes that a command printed, on one line: they end nothing, and what follows is read."""
    output = {"type": "item.completed", "item": {"id": "i0", "aggregated_output": "x" * LINE_MAX}}
    report = ended("codex", {"type": "turn.started"}, output, {"type": "turn.completed", "usage": {}})
    assert (report.events, report.unknown) == (2, 1)
    assert report.result is not None
    assert report.result.good


def test_gemini_tells_session_model_and_tokens() -> None:
    """A good run, as it was recorded: what the person asked is no message of the model's."""
    report = ended(
        "gemini",
        {"type": "init", "session_id": "g1", "model": "auto"},
        {"type": "message", "role": "user", "content": "Say hello."},
        {"type": "message", "role": "assistant", "content": "Hel", "delta": True},
        {"type": "message", "role": "assistant", "content": "lo", "delta": True},
        {"type": "init"},
        {"type": "of.tomorrow"},
        {
            "type": "result",
            "status": "success",
            "stats": {"input_tokens": 100, "cached": 10, "output_tokens": 20},
        },
    )
    assert (report.session_id, report.model, report.model_messages, report.unknown) == ("g1", "auto", 1, 1)
    assert report.tokens == Tokens(input=90, output=20, cache_read=10)
    assert report.result is not None
    assert (report.result.subtype, report.result.text, report.result_seen_at) == ("success", "Hello", 50.0)
    silent = ended("gemini", {"type": "result", "status": "success", "stats": {"input_tokens": 1}})
    assert (silent.result and silent.result.text, silent.tokens) == ("", Tokens(input=1))
    assert ended("gemini", {"type": "result", "status": "success"}).tokens is None


def test_gemini_says_it_all_in_one_document() -> None:
    """With `--output-format json`: the answer, and no more of an error than is there."""
    stats: dict[str, Any] = {"models": {}}
    good = ended("gemini", {"session_id": "g2", "response": "Hello", "stats": stats})
    assert good.result is not None
    assert (good.session_id, good.result.good, good.result.text) == ("g2", True, "Hello")
    bad = ended("gemini", {"type": "init", "session_id": "g3"}, {"stats": stats, "error": {"message": "no"}})
    assert bad.result is not None
    assert (bad.session_id, bad.result.subtype, bad.result.text) == ("g3", "error", "no")
    assert ended("gemini", {"response": "of nobody"}).result is None


def test_gemini_counts_a_message_once_however_many_pieces_it_came_in() -> None:
    """Pieces in a row are one message; a tool between them ends it."""
    piece = {"type": "message", "role": "assistant", "content": "Hel", "delta": True}
    use = {"type": "tool_use", "tool_name": "run_shell_command", "tool_id": "x"}
    back = {"type": "tool_result", "tool_id": "x", "status": "success", "output": "hi"}
    report = ended(
        "gemini", piece, piece, use, back, piece, {"type": "result", "status": "success", "stats": {}}
    )
    assert report.model_messages == 2
    assert report.result is not None
    assert (report.result.good, report.result.text) == (True, "Hel")


def test_gemini_waits_for_a_tool_until_its_result() -> None:
    """As every agent does."""
    parser = fed("gemini", {"type": "tool_use", "tool_name": "run_shell_command", "tool_id": "x"})
    assert parser.report.waiting_for == "run_shell_command"
    parser.feed(b'{"type":"tool_result","tool_id":"x"}\n', 60.0)
    assert parser.report.waiting_for is None


def test_gemini_says_in_its_result_what_went_wrong() -> None:
    """Words, and in `json` an HTTP status as `code`, which may also be an exit code of its own."""
    failed = {"type": "result", "status": "error", "error": {"type": "unknown", "message": "[API Error: x]"}}
    report = ended("gemini", {"type": "init", "session_id": "g", "model": "auto"}, failed)
    assert report.result is not None
    assert (report.result.is_error, report.result.text, report.model) == (True, "[API Error: x]", "auto")
    for code, status in ((429, 429), (53, None), (399, None), (400, 400), (599, 599), (600, None)):
        document = ended("gemini", {"session_id": "g", "error": {"type": "E", "message": "no", "code": code}})
        assert document.result is not None
        assert document.result.api_error_status == status


def test_an_error_of_gemini_that_nothing_follows_is_final() -> None:
    """But a warning never is."""
    error = {"type": "error", "severity": "error", "message": "Loop detected"}
    report = ended("gemini", error)
    assert report.result is not None
    assert (report.result.is_error, report.result.text) == (True, "Loop detected")
    assert ended("gemini", {**error, "severity": "warning"}).result is None
    late = ended("gemini", error, {"type": "result", "status": "error", "error": {"type": "E"}}).result
    assert late is not None
    assert (late.subtype, late.text) == ("E", "Loop detected")


def test_in_plain_output_nothing_is_read() -> None:
    """A result in it is no result: a plain stream has none."""
    assert parser_of("plain") is None
