"""Gemini CLI's `--output-format stream-json` and `json`: events in, a report out.

Its exit code is the HTTP status modulo 256; the `result` event has the words.
"""

from __future__ import annotations

from typing import Any, ClassVar

from cadencebus.model.ending import Report, Result, Tokens
from cadencebus.model.foreign import mapping, text, whole
from cadencebus.streams.error_words import ErrorWords

TEXT_MOST = 4096


class GeminiReader(ErrorWords):
    """Takes one event after the other, and knows at any time what they amount to."""

    result_heads: ClassVar[tuple[bytes, ...]] = (b'{"type":"result"',)

    def __init__(self) -> None:
        super().__init__()
        self._session_id: str | None = None
        self._model: str | None = None
        self._tokens: Tokens | None = None
        self._messages = 0
        self._speaking = False
        self._said = ""

    def event(self, event: dict[str, Any], now: float) -> bool:
        """Take an event; False where this version of ours doesn't know its kind."""
        speaks = event.get("type") == "message" and event.get("role") == "assistant"
        match event.get("type"):
            case "init":
                self._session_id = text(event.get("session_id")) or self._session_id
                self._model = text(event.get("model")) or self._model
            case "message":
                if speaks:
                    self._speak(text(event.get("content"), TEXT_MOST) or "")
            case "tool_use":
                name = text(event.get("tool_name")) or "tool"
                self._in_flight.call(text(event.get("tool_id")), name, now)
            case "tool_result":
                self._in_flight.answer(text(event.get("tool_id")))
            case "error":
                if event.get("severity") != "warning":
                    self._complaint = text(event.get("message"), TEXT_MOST)
            case "result":
                self._end(event, now, good=event.get("status") == "success")
            case None if "stats" in event or "error" in event:
                # `--output-format json`: one object says it all.
                self._session_id = text(event.get("session_id")) or self._session_id
                self._said = text(event.get("response"), TEXT_MOST) or ""
                self._end(event, now, good=not event.get("error"))
            case _:
                return False
        self._speaking = speaks
        return True

    def report(self) -> Report:
        """What was told so far."""
        return Report(
            stream="gemini",
            session_id=self._session_id,
            model=self._model,
            tokens=self._tokens,
            result=self._result,
            result_seen_at=self._result_at,
            model_messages=self._messages,
            waiting_for=self._in_flight.waiting_for,
            believed_until=self._in_flight.believed_until,
        )

    def _speak(self, words: str) -> None:
        # A message comes in pieces; other events end it.
        self._messages += not self._speaking
        self._said = (self._said + words if self._speaking else words)[:TEXT_MOST]

    def _end(self, event: dict[str, Any], now: float, *, good: bool) -> None:
        error = mapping(event.get("error"))
        said = text(error.get("message"), TEXT_MOST) or self._complaint or ""
        self._result = Result(
            subtype="success" if good else text(error.get("type")) or "error",
            is_error=not good,
            api_error_status=_http_status(error.get("code")),
            text=self._said if good else said,
        )
        self._result_at = now
        self._tokens = _tokens(mapping(event.get("stats")))
        self._in_flight.clear()


def _http_status(code: object) -> int | None:
    """The `code` of an error is an HTTP status or an exit code of the CLI's own."""
    number = whole(code)
    return number if number is not None and 400 <= number < 600 else None  # noqa: PLR2004 - the range of HTTP errors


def _tokens(stats: dict[str, Any]) -> Tokens | None:
    if "input_tokens" not in stats:
        return None
    cached = whole(stats.get("cached")) or 0
    return Tokens(
        input=max(0, (whole(stats.get("input_tokens")) or 0) - cached),
        output=whole(stats.get("output_tokens")) or 0,
        cache_read=cached,
    )
