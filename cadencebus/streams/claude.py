"""Claude Code's `--output-format stream-json` and `json`: events in, a report out.

Unknown events are normal, several results too: the last one counts. Every API failure ends in a
result of subtype `success` with `is_error: true`.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from cadencebus.model.ending import API_RETRY, Denials, RateLimit, Report, Result, Tokens
from cadencebus.model.foreign import amount, epoch, mapping, sequence, text, whole
from cadencebus.streams.in_flight import InFlight

# The longest announced wait that is believed.
RETRY_MOST_S = 3600.0

TEXT_MOST = 4096
_SYNTHETIC = "<synthetic>"
_RESULT = b'{"type":"result"'
# Known, and of no use here. Tuples: what a stranger calls a type need not be hashable.
QUIET = ("stream_event", "tool_progress", "keep_alive")
QUIET_SYSTEM = (
    *("status", "task_progress", "model_fallback", "thinking_tokens", "compact_boundary", "notification"),
    *("hook_started", "hook_progress", "hook_response", "auth_status", "files_persisted", "plugin_install"),
    *("session_state_changed", "informational", "local_command_output", "prompt_suggestion"),
    *("tool_use_summary", "worker_shutting_down"),
)
_WHOLE_FIELD = re.compile(rb'"(api_error_status|num_turns)":(\d{1,9})[,}]')
_TEXT_FIELD = re.compile(rb'"(subtype|session_id|terminal_reason)":"([\w.-]{1,100})"')
_COST = re.compile(rb'"total_cost_usd":(\d{1,12}(?:\.\d{1,20})?(?:e-?\d{1,2})?)[,}]')


class ClaudeReader:
    """Takes one event after the other, and knows at any time what they amount to."""

    skim: ClassVar[bytes] = b'{"type":"stream_event"'
    result_heads: ClassVar[tuple[bytes, ...]] = (_RESULT,)

    def __init__(self) -> None:
        self._session_id: str | None = None
        self._model: str | None = None
        self._result: Result | None = None
        self._result_at: float | None = None
        self._tokens: Tokens | None = None
        self._usd: float | None = None
        self._error: str | None = None
        self._denials = Denials()
        self._limit: RateLimit | None = None
        self._refused = False
        self._messages = 0
        self._message_id: object = None
        self._in_flight = InFlight()

    def event(self, event: dict[str, Any], now: float) -> bool:
        """Take an event; False where this version of ours doesn't know its kind."""
        self._session_id = text(event.get("session_id")) or self._session_id
        if event.get("subtype") != API_RETRY and event.get("type") != "rate_limit_event":
            self._in_flight.api_answers()
        match event.get("type"):
            case "system":
                return self._system(event, now)
            case "assistant":
                self._assistant(event, now)
            case "user":
                self._user(event)
            case "rate_limit_event":
                self._rate_limit(mapping(event.get("rate_limit_info")))
            case "result":
                self._take_result(event, now)
            case kind:
                return kind in QUIET
        return True

    def skimmed(self) -> None:
        """A piece of a message went by: the API answers."""
        self._in_flight.api_answers()

    def salvage(self, head: bytes, tail: bytes, now: float) -> bool:
        """Make what can be made of a line too long to keep; False where that is nothing."""
        at = tail.rfind(_RESULT)
        if at >= 0:
            try:
                event, _ = json.JSONDecoder().raw_decode(tail[at:].decode("utf-8", "replace"))
            except (ValueError, RecursionError):
                return False
            return self.event(event, now)
        if not head.startswith(_RESULT):
            return False
        # The answer itself comes between: what stands before and after it is ours, not the model's.
        before, _, answer = head.partition(b'"result":"')
        after = tail[tail.rfind(b'","stop_reason":') + 1 :] if answer else b""
        event = {"type": "result", "is_error": b'"is_error":false' not in before}
        event["result"] = answer[:TEXT_MOST].decode("utf-8", "replace")
        event |= {k.decode(): v.decode() for k, v in _TEXT_FIELD.findall(before + after)}
        event |= {k.decode(): int(v) for k, v in _WHOLE_FIELD.findall(before + after)}
        if cost := _COST.search(after):
            event["total_cost_usd"] = float(cost[1])
        return self.event(event, now)

    def finish(self) -> None:
        """The stream has ended: nothing is in flight any more."""
        self._in_flight.clear()

    def report(self) -> Report:
        """What was told so far."""
        return Report(
            stream="claude",
            session_id=self._session_id,
            model=self._model,
            turns=self._result.num_turns if self._result else None,
            tokens=self._tokens,
            usd=self._usd,
            result=self._result,
            result_seen_at=self._result_at,
            assistant_error=self._error,
            model_messages=self._messages,
            permission_denials=self._denials,
            rate_limit=self._limit,
            refused=self._refused,
            waiting_for=self._in_flight.waiting_for,
            believed_until=self._in_flight.believed_until,
        )

    def _system(self, event: dict[str, Any], now: float) -> bool:
        match event.get("subtype"):
            case "init":
                self._model = text(event.get("model")) or self._model
                # A background task that ended begins a turn after the result: it is at work again.
                self._result_at = None
            case "api_retry":
                delay = min((amount(event.get("retry_delay_ms")) or 0.0) / 1000, RETRY_MOST_S)
                self._in_flight.retry(now, delay)
            case "model_refusal_no_fallback":
                self._refused = True
            case "task_started":
                name = text(event.get("task_type")) or "task"
                self._in_flight.call(text(event.get("task_id")), name, now, parent="task")
            case "task_notification" | "task_updated":
                status = event.get("status") or mapping(event.get("patch")).get("status")
                if status != "running":
                    self._in_flight.answer(text(event.get("task_id")))
            case subtype:
                return subtype in QUIET_SYSTEM
        return True

    def _assistant(self, event: dict[str, Any], now: float) -> None:
        message = mapping(event.get("message"))
        if message.get("model") == _SYNTHETIC:
            self._error = text(event.get("error")) or self._error
            return
        self._error = None
        parent = text(event.get("parent_tool_use_id"))
        if message.get("id") is None or message.get("id") != self._message_id:
            self._messages += 1
            self._message_id = message.get("id")
            # It speaks again, so its former calls are over, even where their results were too long to read.
            self._in_flight.answer_all_of(parent)
        self._model = self._model or text(message.get("model"))
        for block in sequence(message.get("content")):
            if mapping(block).get("type") == "tool_use":
                name = text(block.get("name")) or "tool"
                self._in_flight.call(text(block.get("id")), name, now, parent=parent)

    def _user(self, event: dict[str, Any]) -> None:
        for block in sequence(mapping(event.get("message")).get("content")):
            self._in_flight.answer(text(mapping(block).get("tool_use_id")))

    def _rate_limit(self, info: dict[str, Any]) -> None:
        # `allowed` with a rejected *overage* is the normal state of a subscription.
        rejected = info.get("status") == "rejected"
        limit = RateLimit(type=text(info.get("rateLimitType")), resets_at=epoch(info.get("resetsAt")))
        self._limit = limit if rejected else None

    def _take_result(self, event: dict[str, Any], now: float) -> None:
        errors = (text(error, 1024) for error in sequence(event.get("errors"))[:8])
        self._result = Result(
            subtype=text(event.get("subtype")) or "unknown",
            # Nothing but a plain `false` is a success.
            is_error=event.get("is_error") is not False,
            api_error_status=whole(event.get("api_error_status")),
            terminal_reason=text(event.get("terminal_reason")),
            num_turns=whole(event.get("num_turns")),
            text=text(event.get("result"), TEXT_MOST) or "",
            errors=tuple(error for error in errors if error),
        )
        self._result_at = now
        self._usd = amount(event.get("total_cost_usd"))
        self._tokens = _tokens(event)
        self._model = self._model or next(map(text, mapping(event.get("modelUsage"))), None)
        self._refused = self._refused or event.get("stop_reason") == "refusal"
        self._denials = _denials(sequence(event.get("permission_denials")))
        self._in_flight.clear()


def _denials(denied: list[Any]) -> Denials:
    names = dict.fromkeys(text(mapping(denial).get("tool_name")) for denial in denied)
    return Denials(count=len(denied), names=tuple(name for name in names if name)[:5])


def _tokens(event: dict[str, Any]) -> Tokens:
    """Of all models where the event has that (it counts the whole process), else of the last turns."""
    usages = [mapping(usage) for usage in mapping(event.get("modelUsage")).values()]
    names = ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    if not usages:
        usages = [mapping(event.get("usage"))]
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    spent = [sum(whole(usage.get(name)) or 0 for usage in usages) for name in names]
    return Tokens(input=spent[0], output=spent[1], cache_read=spent[2], cache_creation=spent[3])
