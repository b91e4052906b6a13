"""What holds of every parser: the same report for the same bytes, and no bytes that break it."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.streams.feed import LINE_MAX
from cadencebus.streams.parser import READERS, EventParser

if TYPE_CHECKING:
    from cadencebus.model.ending import Report

SUCCESS = b'{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"done"}\n'
INIT = b'{"type":"system","subtype":"init","session_id":"s1","model":"m1"}\n'


def read(stream: str, *pieces: bytes) -> Report:
    """The report on a log that came in these pieces."""
    parser = EventParser(READERS[stream]())
    for piece in pieces:
        parser.feed(piece, 10.0)
    parser.finish()
    return parser.report


def test_every_recording_reads_the_same_in_pieces(recordings: dict[str, tuple[str, bytes]]) -> None:
    """Cut anywhere, byte by byte even, a recording tells the same."""
    rng = random.Random(1)
    for name, (stream, printed) in recordings.items():
        if stream == "plain":
            continue
        whole = read(stream, printed)
        for most in (7, 1000, 70_000):
            pieces, at = [], 0
            while at < len(printed):
                step = rng.randint(1, most)
                pieces.append(printed[at : at + step])
                at += step
            assert read(stream, *pieces) == whole, name


def test_recordings_have_no_event_that_nobody_knows(recordings: dict[str, tuple[str, bytes]]) -> None:
    """Each kind of event that the CLIs were seen to print is understood, or known to be of no use."""
    for name, (stream, printed) in recordings.items():
        if stream != "plain" and printed.startswith(b"{") and name != "huge_output":
            report = read(stream, printed)
            assert report.unknown <= report.truncated or report.events == 1, name


@given(st.lists(st.binary(max_size=200), max_size=10))
@settings(max_examples=150)
@pytest.mark.parametrize("stream", READERS)
def test_no_bytes_make_a_parser_raise(stream: str, pieces: list[bytes]) -> None:
    """Whatever is printed, a report comes of it, the same whole as in pieces."""
    assert read(stream, *pieces) == read(stream, b"".join(pieces))


KINDS = [
    *("system", "assistant", "user", "result", "rate_limit_event", "stream_event", "error", "message"),
    *("thread.started", "turn.started", "turn.completed", "turn.failed", "item.started", "item.completed"),
    *("init", "tool_use", "tool_result"),
]
KEYS = [
    *("subtype", "session_id", "message", "content", "model", "id", "error", "errors", "result", "is_error"),
    *("rate_limit_info", "status", "resetsAt", "retry_delay_ms", "usage", "modelUsage", "num_turns", "item"),
    *("permission_denials", "total_cost_usd", "stats", "tool_id", "tool_use_id", "task_id", "patch", "role"),
    *("parent_tool_use_id", "thread_id", "severity", "code", "terminal_reason", "response", "tool_name"),
]
WORDS = [*("init", "api_retry", "task_started", "task_updated", "rejected", "success", "assistant"), *KINDS]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=8)
    | st.sampled_from(WORDS)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
)
REJECTED = st.fixed_dictionaries({"status": st.just("rejected"), "resetsAt": VALUES | st.floats(0, 1e13)})
EVENTS = st.builds(
    lambda kind, rest: {"type": kind, **rest},
    st.sampled_from(KINDS) | SCALARS,
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6),
) | st.builds(lambda info: {"type": "rate_limit_event", "rate_limit_info": info}, REJECTED)


@given(st.lists(EVENTS, max_size=6))
@settings(max_examples=200)
def test_events_of_any_shape_are_taken_for_what_they_are(events: list[dict[str, Any]]) -> None:
    """Right names with wrong types inside neither raise nor get into the report."""
    for stream in READERS:
        report = read(stream, *(json.dumps(event).encode() + b"\n" for event in events))
        assert report.turns is None or isinstance(report.turns, int)
        assert report.usd is None or report.usd >= 0
        assert report.session_id is None or isinstance(report.session_id, str)
        if report.result is not None:
            assert len(report.result.text) <= 4096
        if report.rate_limit and report.rate_limit.resets_at is not None:
            assert 0 < report.rate_limit.resets_at < 1e12


def test_invalid_utf8_and_control_bytes_do_no_harm() -> None:
    """An answer in broken UTF-8 is still an answer, and colours are no part of it."""
    report = read(
        "claude",
        b'{"type":"result","subtype":"success","is_error":false,"result":"\xff\xfe \\u001b[31mred"}\n',
    )
    assert report.result is not None
    assert report.result.good
    assert report.result.text == "\ufffd\ufffd red"


def test_an_array_of_events_is_read_like_their_lines() -> None:
    """`--output-format json --verbose` prints one array of all events."""
    array = b"[" + INIT.strip() + b"," + SUCCESS.strip() + b"]\n"
    assert read("claude", array).result == read("claude", INIT, SUCCESS).result
    assert read("claude", array).events == 2


def test_a_document_over_several_lines_is_put_together() -> None:
    """Gemini's `--output-format json` is printed for people."""
    document = json.dumps(
        {"session_id": "g1", "response": "Hello", "stats": {"models": {}}}, indent=2
    ).encode()
    report = read("gemini", document)
    assert report.result is not None
    assert report.result.good
    assert (report.session_id, report.result.text) == ("g1", "Hello")
    assert read("gemini", document[:-10]).truncated


def test_a_result_without_its_last_newline_is_a_result() -> None:
    """A file that ends with the result needs no line end."""
    report = read("claude", INIT + SUCCESS.rstrip())
    assert report.result is not None
    assert not report.truncated


@pytest.mark.parametrize(
    ("log", "truncated"),
    [
        pytest.param(INIT + SUCCESS[:60], True, id="half a result"),
        pytest.param(INIT + b'{"type":"assistant","mess', True, id="half an event and no result"),
        pytest.param(SUCCESS[:60], True, id="half a result and nothing else"),
        pytest.param(INIT + SUCCESS + SUCCESS[:60], True, id="half of a second result"),
        pytest.param(
            INIT + SUCCESS + b'{"type":"system","sub', False, id="a result, and half of something else"
        ),
        pytest.param(INIT, False, id="no result, but nothing cut"),
        pytest.param(b"Not logged in", False, id="text without line end"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_a_cut_last_line_is_recognised(log: bytes, truncated: bool) -> None:
    """Truncated is a stream whose last word was cut off."""
    assert read("claude", log).truncated is truncated


@pytest.mark.parametrize(
    "wrapped",
    [
        b"\x1b[32m%s\x1b[0m",
        b"\x1b]0;claude\x07%s\x1b[?25h",
        b"\xef\xbb\xbf%s",
        b"%s\x1b[?25h\r",
    ],
)
def test_what_a_wrapper_put_around_lines_for_a_terminal_hides_no_event(
    recordings: dict[str, tuple[str, bytes]], wrapped: bytes
) -> None:
    """Colours, a title, the cursor shown again, a byte order mark: the work is done all the same."""
    for name in ("success_tool_once", "err_401_json", "other_codex_429", "other_gemini_ok", "huge_output"):
        stream, printed = recordings[name]
        lines = [wrapped.replace(b"%s", line) for line in printed.split(b"\n") if line]
        ended = b"" if name == "huge_output" else b"\n"
        assert read(stream, b"\n".join(lines) + ended) == read(stream, printed), name


def test_unknown_events_are_counted_and_ignored() -> None:
    """A new version of a CLI may tell what this one of ours has never heard of."""
    report = read(
        "claude", INIT, b'{"type":"aurora"}\n', b'{"type":"system","subtype":"aurora"}\n', b"huh\n", SUCCESS
    )
    assert (report.events, report.unknown) == (4, 3)
    assert report.result is not None


def test_megabyte_lines_are_read() -> None:
    """A tool may return megabytes on one line; the call is over all the same."""
    call = b'{"type":"tool_use","id":"t1","name":"Read"}'
    called = b'{"type":"assistant","message":{"id":"m","model":"x","content":[%s]}}\n' % call
    answer = (
        b'{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t1","content":"%s"}]}}\n'
    )
    parser = EventParser(READERS["claude"]())
    parser.feed(called, 1.0)
    assert parser.report.waiting_for == "Read"
    parser.feed(answer % (b"x" * 3_000_000), 2.0)
    assert parser.report.waiting_for is None


def test_of_a_result_too_long_to_keep_the_fields_are_read() -> None:
    """An answer of megabytes: what stands before and after it is enough to judge."""
    start = b'{"type":"result","subtype":"success","is_error":false,"num_turns":7,"result":"'
    end = (
        b'","stop_reason":"end_turn","session_id":"s9","total_cost_usd":1.25,"terminal_reason":"completed"}\n'
    )
    report = read("claude", INIT, start + b'is_error\\":true ' * (LINE_MAX // 8) + end)
    assert report.result is not None
    assert report.result.good
    assert (report.turns, report.usd, report.session_id) == (7, 1.25, "s9")
    assert report.result.terminal_reason == "completed"


def test_the_result_of_an_array_too_long_to_keep_is_found() -> None:
    """It is the last member, and short."""
    member = b'{"type":"assistant","message":{"content":[{"type":"text","text":"%s"}]}},' % (b"w" * LINE_MAX)
    report = read("claude", b"[" + member + SUCCESS.strip() + b"]\n")
    assert report.result is not None
    assert report.result.good


def test_deeply_nested_json_is_no_event() -> None:
    """Brackets by the hundred thousand neither raise nor count."""
    assert read("claude", b"[" * 200_000 + b"\n").events == 0


def test_pieces_of_messages_are_skimmed_faster_than_parsed() -> None:
    """With partial messages on, nine lines of ten are read by their head alone."""
    event = (
        b'{"type":"stream_event","event":{"type":"content_block_delta","delta":{"text":"'
        + b"x" * 150
        + b'"}}}\n'
    )
    pieces = [event * 400] * 40
    took = {}
    for stream in ("claude", "codex"):
        start = time.process_time()
        assert read(stream, *pieces).events == 16_000
        took[stream] = time.process_time() - start
    assert took["claude"] * 3 < took["codex"]
