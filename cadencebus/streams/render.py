"""An agent's stream as people read it: what it said, what it did, what it waited for, what it cost.

`>` a tool is called, `<` what came back, `~` it thinks or waits, `!` something went wrong, `=` the end.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cadencebus.model.foreign import amount, epoch, mapping, sequence, whole
from cadencebus.model.legible import clean, one_line
from cadencebus.model.wording import count
from cadencebus.streams.feed import bare

if TYPE_CHECKING:
    from collections.abc import Callable

Event = dict[str, Any]
# Longer lines are shown as their beginning.
_LINE_MOST = 1 << 20
_WIDTH = 160
# What of a tool's input tells most, in this order.
_TELLING = ("command", "cmd", "file_path", "path", "url", "query", "pattern", "description", "prompt")


def render(stream: str, line: bytes) -> list[str]:
    """Turn one line of a run's output into lines for people; none for what only machines want."""
    text = bare(line[:_LINE_MOST]).decode("utf-8", "replace")
    try:
        value = json.loads(text) if stream in _STREAMS and text.lstrip()[:1] in {"{", "["} else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        shown = clean(text).rstrip() if len(line) <= _LINE_MOST else one_line(text, _WIDTH)
        return [shown] if shown or stream not in _STREAMS else []
    events = [event for event in (value if isinstance(value, list) else [value]) if isinstance(event, dict)]
    return [out for event in events for out in _STREAMS[stream](event)]


def _claude(event: Event) -> list[str]:
    match event.get("type"):
        case "system":
            return _claude_system(event)
        case "assistant" | "user":
            message = mapping(event.get("message"))
            bad = message.get("model") == "<synthetic>" and event.get("error")
            content = message.get("content")
            blocks = sequence(content) or [{"type": "text", "text": content}]
            return [out for block in blocks for out in _claude_block(mapping(block), "! " if bad else "")]
        case "rate_limit_event":
            info = mapping(event.get("rate_limit_info"))
            until = epoch(info.get("resetsAt"))
            said = f"limit reached: {_word(info.get('rateLimitType'))}" + (
                f", resets {_by_the_clock(until)}" if until else ""
            )
            return _lines("! ", said) if info.get("status") == "rejected" else []
        case "result":
            return _claude_result(event)
    return []


def _by_the_clock(at: float) -> str:
    """An instant as the clock here shows it, with its zone."""
    try:
        here = datetime.fromtimestamp(at).astimezone()
    except (ValueError, OverflowError):
        # The last hours of 9999 are the year 10000 east of Greenwich.
        here = datetime.fromtimestamp(at, UTC)
    return f"{here:%Y-%m-%d %H:%M %Z}"


def _claude_system(event: Event) -> list[str]:
    match event.get("subtype"):
        case "init":
            return _lines("~ ", f"session {_word(event.get('session_id'))}, {_word(event.get('model'))}")
        case "api_retry":
            wait = (amount(event.get("retry_delay_ms")) or 0.0) / 1000
            why = f"{_word(event.get('error_status') or '')} {_word(event.get('error'))}".strip()
            which = f"retry {_word(event.get('attempt'))} of {_word(event.get('max_retries'))}"
            return _lines("~ ", f"{which} in {wait:.1f} s ({why})")
        case "model_refusal_no_fallback":
            return ["! the model refused"]
        case "task_notification":
            return _lines("~ ", f"{_word(event.get('summary'))}: {_word(event.get('status'))}")
    return []


def _claude_block(block: Event, mark: str) -> list[str]:
    match block.get("type"):
        case "text":
            return _lines(mark, block.get("text"))
        case "thinking":
            return [f"~ {one_line(str(block.get('thinking')), _WIDTH)}"]
        case "tool_use":
            return [_call(block.get("name"), block.get("input"))]
        case "tool_result":
            return [_answer(_flat(block.get("content")), bad=block.get("is_error") is True)]
    return []


def _claude_result(event: Event) -> list[str]:
    good = event.get("is_error") is False and event.get("subtype") == "success"
    turns = whole(event.get("num_turns")) or 0
    spent, seconds = amount(event.get("total_cost_usd")), (amount(event.get("duration_ms")) or 0.0) / 1000
    parts = [
        _word(event.get("subtype")) if good or event.get("subtype") != "success" else "failed",
        count(turns, "turn"),
        f"{seconds:.1f} s",
        *([f"${spent:.4f}"] if spent is not None else []),
    ]
    errors = [event.get("result"), *sequence(event.get("errors"))]
    why = [] if good else [f"! {one_line(error, _WIDTH)}" for error in errors if isinstance(error, str)]
    denied = [_word(mapping(denial).get("tool_name")) for denial in sequence(event.get("permission_denials"))]
    refused = [f"! not permitted: {one_line(', '.join(denied), _WIDTH)}"] if denied else []
    return [*refused, *why, f"= {', '.join(parts)}"]


def _codex(event: Event) -> list[str]:  # noqa: PLR0911 - a case, a return
    item = mapping(event.get("item"))
    match event.get("type"):
        case "thread.started":
            return _lines("~ ", f"session {_word(event.get('thread_id'))}")
        case "item.started" if item.get("type") != "agent_message":
            return [_call(item.get("tool") or item.get("type"), item)]
        case "item.completed":
            return _codex_item(item)
        case "error":
            message = str(event.get("message"))
            return _lines("~ " if message.startswith("Reconnecting") else "! ", message)
        case "turn.failed":
            return [f"! {one_line(str(mapping(event.get('error')).get('message')), _WIDTH)}", "= failed"]
        case "turn.completed":
            usage = mapping(event.get("usage"))
            return [
                f"= success, {_word(usage.get('input_tokens'))}+{_word(usage.get('output_tokens'))} tokens"
            ]
    return []


def _codex_item(item: Event) -> list[str]:
    match item.get("type"):
        case "agent_message":
            return _lines("", item.get("text"))
        case "reasoning":
            return [f"~ {one_line(str(item.get('text')), _WIDTH)}"]
        case "error":
            return _lines("! ", item.get("message"))
        case "command_execution":
            return [_answer(_flat(item.get("aggregated_output")), bad=item.get("exit_code") != 0)]
    return []


def _gemini(event: Event) -> list[str]:  # noqa: PLR0911 - a case, a return
    match event.get("type"):
        case "init":
            return _lines("~ ", f"session {_word(event.get('session_id'))}, {_word(event.get('model'))}")
        case "message" if event.get("role") == "assistant":
            return _lines("", event.get("content"))
        case "tool_use":
            return [_call(event.get("tool_name"), event.get("parameters"))]
        case "tool_result":
            return [
                _answer(
                    _flat(event.get("output") or event.get("error")), bad=event.get("status") != "success"
                )
            ]
        case "error":
            return _lines("! ", event.get("message"))
        case "result":
            stats, error = mapping(event.get("stats")), mapping(event.get("error")).get("message")
            tokens = f"{_word(stats.get('input_tokens'))}+{_word(stats.get('output_tokens'))} tokens"
            return [*_lines("! ", error), f"= {_word(event.get('status'))}, {tokens}"]
    return []


_STREAMS: dict[str, Callable[[Event], list[str]]] = {"claude": _claude, "codex": _codex, "gemini": _gemini}


def _lines(mark: str, text: object) -> list[str]:
    """Text as it stands, but clean, with a mark before its first line."""
    lines = clean(text).strip("\n").splitlines() if isinstance(text, str) else []
    return [f"{mark}{lines[0]}", *lines[1:]] if lines else []


def _call(name: object, given: object) -> str:
    given = mapping(given)
    telling = next((given[key] for key in _TELLING if isinstance(given.get(key), str)), None)
    shown = json.dumps(given, ensure_ascii=False) if telling is None and given else telling or ""
    return f"> {_word(name)}  {one_line(shown, _WIDTH)}".rstrip()


def _answer(said: str, *, bad: bool) -> str:
    more = said.strip().count("\n")
    shown = one_line(said.strip().partition("\n")[0], _WIDTH) or "(nothing)"
    return f"{'<!' if bad else '<'} {shown}{f'  (+{more} lines)' if more else ''}"


def _flat(content: object) -> str:
    """What a tool returned: a string, blocks of text, or anything else as JSON."""
    if isinstance(content, list):
        return "\n".join(
            str(mapping(block).get("text") or mapping(block).get("type") or "") for block in content
        )
    return content if isinstance(content, str) else json.dumps(content) if content else ""


def _word(value: object) -> str:
    return one_line(str(value), 80) if value is not None else "?"
