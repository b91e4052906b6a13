"""How a run ended: what its stream reported, what the bus did to it, what the system says of it.

`Ending` is all that judgement looks at; `Report` is what a stream told, `Stop` the bus's own note
(`ending.json`) of why it ended the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

# A stop that is no failure: the run had its result and did not leave. The result stands.
RESULT_GRACE = "result_grace"
# A stream that waits for its API, not for a tool.
API_RETRY = "api_retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """Tokens a run spent."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_creation: int = 0

    def dump(self) -> dict[str, int]:
        """The object that run.json holds."""
        return {
            "input": self.input,
            "output": self.output,
            "cache_read": self.cache_read,
            "cache_creation": self.cache_creation,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The last word of an agent, whatever its runner calls it; texts are short and free of control bytes."""

    subtype: str
    is_error: bool
    api_error_status: int | None = None
    terminal_reason: str | None = None
    num_turns: int | None = None
    text: str = ""
    errors: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        """Whether this is a success; `subtype: "success"` alone says nothing."""
        return self.subtype == "success" and not self.is_error


@dataclass(frozen=True, slots=True, kw_only=True)
class Denials:
    """Tools an agent was not allowed to use."""

    count: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """A limit that refused the agent, with the end of it (epoch seconds) where that is known."""

    type: str | None = None
    resets_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a stream told, so far or to the end; `result_seen_at` and `believed_until` are monotonic.

    `result_seen_at` is None again while a turn that followed the last result is at work.
    """

    stream: str
    session_id: str | None = None
    model: str | None = None
    turns: int | None = None
    tokens: Tokens | None = None
    usd: float | None = None
    result: Result | None = None
    result_seen_at: float | None = None
    assistant_error: str | None = None
    model_messages: int = 0
    permission_denials: Denials = field(default_factory=Denials)
    rate_limit: RateLimit | None = None
    refused: bool = False
    truncated: bool = False
    open_turn: bool = False
    waiting_for: str | None = None
    believed_until: float | None = None
    events: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why the bus ended a run: written before the first signal, and the first writer wins."""

    klass: str
    by: str
    at: float
    requeue: bool = False
    detail: str = ""

    def dump(self) -> dict[str, Any]:
        """The object that ending.json holds."""
        return {
            "class": self.klass,
            "by": self.by,
            "requeue": self.requeue,
            "at": rfc3339(self.at),
            "detail": self.detail,
        }

    @classmethod
    def parse(cls, note: Mapping[str, Any]) -> Stop:
        """Read ending.json back; ValueError where it is not one."""
        klass, by, at = note.get("class"), note.get("by"), note.get("at")
        if not (isinstance(klass, str) and isinstance(by, str) and isinstance(at, str)):
            raise ValueError(f"not the note of a stop: {dict(note)!r}")  # noqa: TRY004 - as all bad notes
        return cls(
            klass=klass,
            by=by,
            at=parse_rfc3339(at),
            requeue=note.get("requeue") is True,
            detail=str(note.get("detail") or ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Everything known of how a run ended; tails and head are text without control bytes.

    `spawn_what` is what could not be had at the start, `spawn_name` how that is called;
    `agent` is false for plain streams; `interrupted` means that no exit record was found;
    `contract_unmet` says why `expect` is not met (None: it is, or nothing was asked);
    `result_required` is false where the cadence said `expect: {result: any}`; `slash` is true where its
    prompt is meant for a slash command.
    """

    exit_code: int | None = None
    signal: int | None = None
    spawn_error: str | None = None
    spawn_what: str | None = None
    spawn_name: str = ""
    stop: Stop | None = None
    interrupted: bool = False
    ran_s: float = 0.0
    agent: bool = False
    report: Report | None = None
    stdout_tail: str = ""
    stderr_tail: str = ""
    stderr_head: str = ""
    contract_unmet: str | None = None
    result_required: bool = True
    resumed: bool = False
    slash: bool = False
