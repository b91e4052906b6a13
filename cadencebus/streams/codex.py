"""Codex's `exec --json`: events in, a report out.

`error` events are retries or warnings until the turn fails; there is no HTTP status, only words.
"""

from __future__ import annotations

from typing import Any, ClassVar

from cadencebus.model.ending import Report, Result, Tokens
from cadencebus.model.foreign import mapping, text, whole
from cadencebus.streams.error_words import ErrorWords

TEXT_MOST = 4096
_TALK = ("agent_message", "reasoning", "plan", "todo_list", "error")
QUIET = ("item.updated", "item.plan.delta", "request_user_input")


class CodexReader(ErrorWords):
    """Takes one event after the other, and knows at any time what they amount to."""

    result_heads: ClassVar[tuple[bytes, ...]] = (b'{"type":"turn.completed"', b'{"type":"turn.failed"')

    def __init__(self) -> None:
        super().__init__()
        self._thread: str | None = None
        self._tokens: Tokens | None = None
        self._turns = 0
        self._open_turn = False
        self._messages = 0
        self._said = ""

    def event(self, event: dict[str, Any], now: float) -> bool:
        """Take an event; False where this version of ours doesn't know its kind."""
        self._in_flight.api_answers()
        match event.get("type"):
            case "thread.started":
                self._thread = text(event.get("thread_id")) or self._thread
            case "turn.started":
                self._open_turn, self._complaint, self._result_at = True, None, None
            case "item.started":
                self._begin(mapping(event.get("item")), now)
            case "item.completed":
                self._complete(mapping(event.get("item")))
            case "error":
                self._complain(text(event.get("message"), TEXT_MOST) or "", now)
            case "turn.completed":
                self._tokens = _tokens(mapping(event.get("usage")))
                self._end(Result(subtype="success", is_error=False, text=self._said), now)
            case "turn.failed":
                said = text(mapping(event.get("error")).get("message"), TEXT_MOST) or self._complaint or ""
                self._end(Result(subtype="turn.failed", is_error=True, text=said), now)
            case kind:
                return kind in QUIET
        return True

    def report(self) -> Report:
        """What was told so far."""
        return Report(
            stream="codex",
            session_id=self._thread,
            turns=self._turns,
            tokens=self._tokens,
            result=self._result,
            result_seen_at=self._result_at,
            model_messages=self._messages,
            open_turn=self._open_turn,
            waiting_for=self._in_flight.waiting_for,
            believed_until=self._in_flight.believed_until,
        )

    def _begin(self, item: dict[str, Any], now: float) -> None:
        key, kind = text(item.get("id")), text(item.get("type")) or "tool"
        if kind not in _TALK:
            self._in_flight.call(key, text(item.get("tool")) or kind, now)

    def _complete(self, item: dict[str, Any]) -> None:
        self._in_flight.answer(text(item.get("id")))
        if item.get("type") == "agent_message":
            self._messages += 1
            self._said = text(item.get("text"), TEXT_MOST) or ""

    def _complain(self, message: str, now: float) -> None:
        if message.startswith("Reconnecting"):
            self._in_flight.retry(now)
        else:
            self._complaint = message

    def _end(self, result: Result, now: float) -> None:
        self._result, self._result_at = result, now
        self._turns += 1
        self._open_turn = False
        self._in_flight.clear()


def _tokens(usage: dict[str, Any]) -> Tokens:
    """Codex counts cached input as input, too."""
    cached = whole(usage.get("cached_input_tokens")) or 0
    return Tokens(
        input=max(0, (whole(usage.get("input_tokens")) or 0) - cached),
        output=whole(usage.get("output_tokens")) or 0,
        cache_read=cached,
        cache_creation=whole(usage.get("cache_write_input_tokens")) or 0,
    )
