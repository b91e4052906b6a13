"""Claude Code's stream: what is reported of it while it runs and when it has ended."""

from __future__ import annotations

import json
from typing import Any

from cadencebus.model.ending import Denials, RateLimit, Report, Tokens
from cadencebus.streams.claude import ClaudeReader
from cadencebus.streams.in_flight import REQUEST_S, TOOL_S
from cadencebus.streams.parser import EventParser


def line(kind: str, **rest: object) -> bytes:
    """One event as it is printed."""
    return json.dumps({"type": kind, **rest}, separators=(",", ":")).encode() + b"\n"


def says(key: str, *blocks: dict[str, Any], parent: str | None = None) -> bytes:
    """A message of the model."""
    return line(
        "assistant", message={"id": key, "model": "m", "content": list(blocks)}, parent_tool_use_id=parent
    )


def calls(key: str, name: str) -> dict[str, Any]:
    """A block that calls a tool."""
    return {"type": "tool_use", "id": key, "name": name, "input": {}}


def returns(key: str) -> bytes:
    """What a tool gave back."""
    return line("user", message={"content": [{"type": "tool_result", "tool_use_id": key, "content": "ok"}]})


def ends(*, subtype: str = "success", is_error: bool = False, **rest: object) -> bytes:
    """A result."""
    return line("result", subtype=subtype, is_error=is_error, **rest)


def read(*lines: bytes, now: float = 100.0) -> Report:
    """The report so far on a run that printed this."""
    parser = EventParser(ClaudeReader())
    for printed in lines:
        parser.feed(printed, now)
    return parser.report


def retry(delay_ms: float) -> bytes:
    """The announcement of another try."""
    return line(
        "system", subtype="api_retry", attempt=1, max_retries=3, retry_delay_ms=delay_ms, error_status=500
    )


def test_a_tool_in_flight_is_believed_up_to_its_own_bound() -> None:
    """Nothing is printed while a tool runs; it may take ten minutes."""
    report = read(says("m1", calls("t1", "Bash")))
    assert (report.waiting_for, report.believed_until) == ("Bash", 100.0 + TOOL_S)
    assert read(says("m1", calls("t1", "Bash")), returns("t1")).believed_until is None


def test_of_parallel_tools_the_rest_is_still_in_flight() -> None:
    """One result does not end the other call."""
    report = read(says("m1", calls("t1", "Bash"), calls("t2", "Read")), returns("t2"))
    assert report.waiting_for == "Bash"


def test_a_model_that_speaks_again_has_its_tools_back() -> None:
    """Even where a tool's result was too long to read; a sub-agent's words are not its parent's."""
    calling = says("m1", calls("t1", "Task"))
    assert read(calling, says("m2", parent="t1")).waiting_for == "Task"
    assert read(calling, says("m2")).waiting_for is None


def test_an_announced_retry_is_believed_for_its_delay_and_a_request() -> None:
    """Then the API speaks, and the belief is over; a limit event in between changes nothing."""
    report = read(retry(12_000))
    assert (report.waiting_for, report.believed_until) == ("api_retry", 112.0 + REQUEST_S)
    limited = line("rate_limit_event", rate_limit_info={"status": "allowed"})
    assert read(retry(12_000), limited).waiting_for == "api_retry"
    for answer in (says("m1"), b'{"type":"stream_event","event":{}}\n', line("system", subtype="status")):
        assert read(retry(12_000), answer).waiting_for is None
    cut_off = EventParser(ClaudeReader())
    cut_off.feed(retry(12_000), 100.0)
    cut_off.finish()
    assert (cut_off.report.waiting_for, cut_off.report.believed_until) == (None, None)


def test_a_retry_in_a_thousand_years_is_not_believed_that_long() -> None:
    """What a stream announces has a bound of ours."""
    believed = read(retry(3e13)).believed_until
    assert believed is not None
    assert believed <= 100.0 + 3600.0 + REQUEST_S


def test_background_work_is_waited_for_until_it_is_told_to_have_ended() -> None:
    """A background agent delays the result by minutes of silence."""
    started = line("system", subtype="task_started", task_id="a1", task_type="local_agent")
    assert read(started, says("m2")).waiting_for == "local_agent"
    for ended in (
        line("system", subtype="task_notification", task_id="a1", status="completed"),
        line("system", subtype="task_updated", task_id="a1", patch={"status": "killed"}),
    ):
        assert read(started, ended).waiting_for is None


def test_nothing_is_in_flight_after_the_result() -> None:
    """The result ends all waiting, and the moment it was seen is kept."""
    report = read(says("m1", calls("t1", "Bash")), ends(num_turns=2), now=7.0)
    assert (report.waiting_for, report.believed_until, report.result_seen_at) == (None, None, 7.0)


def test_the_last_result_counts() -> None:
    """A background shell that ends starts a whole new turn: cost and turns are those of the last."""
    report = read(ends(num_turns=2, total_cost_usd=0.0184), ends(num_turns=1, total_cost_usd=0.0275))
    assert (report.turns, report.usd) == (1, 0.0275)


def test_a_turn_after_the_result_is_work_again() -> None:
    """The result stands, but nobody should count the seconds since it."""
    report = read(ends(num_turns=2), line("system", subtype="init", session_id="s1"))
    assert report.result is not None
    assert report.result_seen_at is None
    left = read(ends(num_turns=2), line("system", subtype="task_notification", task_id="b1"))
    assert left.result_seen_at == 100.0


def test_only_a_plain_false_is_a_success() -> None:
    """`subtype: success` with an error, without the word, or with another word, is none."""
    for rest in ({"is_error": True}, {"is_error": None}, {"is_error": "no"}, {}):
        report = read(line("result", subtype="success", **rest))
        assert report.result is not None
        assert not report.result.good


def test_tokens_are_those_of_all_models_of_the_process() -> None:
    """`usage` lacks what sub-agents spent, and at the budget stop the last turn."""
    spent = {"inputTokens": 10, "outputTokens": 2, "cacheReadInputTokens": 3, "cacheCreationInputTokens": 4}
    usage = {"input_tokens": 1, "output_tokens": 1}
    report = read(ends(usage=usage, modelUsage={"a": spent, "b": spent}))
    assert report.tokens == Tokens(input=20, output=4, cache_read=6, cache_creation=8)
    assert read(ends(usage=usage)).tokens == Tokens(input=1, output=1)


def test_a_limit_is_one_that_was_rejected_and_not_lifted() -> None:
    """`allowed` with a rejected overage is how every subscription looks."""
    rejected = line(
        "rate_limit_event",
        rate_limit_info={"status": "rejected", "resetsAt": 1795489718, "rateLimitType": "seven_day"},
    )
    allowed = line(
        "rate_limit_event", rate_limit_info={"status": "allowed", "overageStatus": "rejected", "resetsAt": 9}
    )
    assert read(allowed).rate_limit is None
    assert read(rejected).rate_limit == RateLimit(type="seven_day", resets_at=1795489718.0)
    assert read(rejected, allowed).rate_limit is None


def test_messages_are_counted_once_whatever_the_number_of_their_blocks() -> None:
    """One event comes per block; the CLI's own messages are no model's."""
    synthetic = line("assistant", message={"id": "x", "model": "<synthetic>"}, error="rate_limit")
    report = read(says("m1"), says("m1"), says("m2"), synthetic)
    assert (report.model_messages, report.assistant_error) == (2, "rate_limit")
    assert read(synthetic, says("m1")).assistant_error is None


def test_denied_tools_are_counted_and_named_once() -> None:
    """Permission denied is a success for the CLI: somebody should hear of it."""
    denials = [{"tool_name": "Bash"}, {"tool_name": "Bash"}, {"tool_name": "Write"}, {}]
    assert read(ends(permission_denials=denials)).permission_denials == Denials(
        count=4, names=("Bash", "Write")
    )


def test_a_refusal_is_seen_in_its_event_and_in_the_stop_reason() -> None:
    """In `json` there are no events but the result."""
    assert read(line("system", subtype="model_refusal_no_fallback")).refused
    assert read(ends(is_error=True, stop_reason="refusal")).refused


def test_the_session_is_known_from_the_first_line_on() -> None:
    """It is what a crash needs for a resume."""
    report = read(line("system", subtype="init", session_id="s1", model="claude-x"))
    assert (report.session_id, report.model, report.result) == ("s1", "claude-x", None)


def test_a_thousand_open_calls_are_not_all_remembered() -> None:
    """Memory is bounded, whatever a stream claims."""
    parser = EventParser(ClaudeReader())
    for n in range(2000):
        parser.feed(says(f"m{n}", calls(f"t{n}", "Bash"), parent=f"p{n}"), 1.0)
    assert len(parser._reader._in_flight._calls) <= 256  # type: ignore[attr-defined]
