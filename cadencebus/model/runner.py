"""Runners as data: which program runs a prompt, and how its command line is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cadencebus.model.cadence import Cadence

PLACEHOLDERS = ("prompt_file", "run_dir", "tick_file", "home", "model", "session_id")
STREAMS = ("claude", "codex", "gemini", "plain")
_PLACEHOLDER = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One way to run a prompt; words with `{value}` are added where a cadence asks for such a thing."""

    name: str
    argv: tuple[str, ...]
    stdin: str | None = "prompt"
    stream: str = "plain"
    credentials: str = ""
    # The gentlest signal that makes it clean up after itself: the first of those that end a run.
    gentle: str = "SIGTERM"
    env: tuple[tuple[str, str], ...] = ()
    model: tuple[str, ...] = ()
    max_turns: tuple[str, ...] = ()
    max_usd: tuple[str, ...] = ()
    permission_mode: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    skip_permissions: tuple[str, ...] = ()
    # How a session is begun and continued, where the program knows sessions.
    begin: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    # What stands at the very end.
    last: tuple[str, ...] = ()

    @property
    def agent(self) -> bool:
        """Whether its stream tells of a result; a plain command's exit status is all there is."""
        return self.stream != "plain"


RUNNERS: dict[str, Runner] = {
    "claude": Runner(
        name="claude",
        argv=("claude", "-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
        stream="claude",
        credentials="anthropic",
        # Its tool calls live in process sessions of their own: only after SIGINT it ends them itself.
        gentle="SIGINT",
        env=(
            # Its own retries come first, but the queue is the better place to wait.
            ("CLAUDE_CODE_MAX_RETRIES", "3"),
            ("API_TIMEOUT_MS", "300000"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_TELEMETRY", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
        ),
        model=("--model", "{value}"),
        # 0 would mean no limit: the key's kind does not let it through.
        max_turns=("--max-turns", "{value}"),
        max_usd=("--max-budget-usd", "{value}"),
        permission_mode=("--permission-mode", "{value}"),
        # The option is variadic and would swallow what follows: one word, joined by commas.
        allowed_tools=("--allowedTools={value}",),
        skip_permissions=("--dangerously-skip-permissions",),
        begin=("--session-id", "{session_id}"),
        resume=("--resume", "{session_id}"),
    ),
    "codex": Runner(
        name="codex",
        argv=("codex", "exec", "--json", "--skip-git-repo-check"),
        stream="codex",
        credentials="openai",
        model=("--model", "{value}"),
        permission_mode=("--sandbox", "{value}"),
        skip_permissions=("--dangerously-bypass-approvals-and-sandbox",),
        # A sub-command: every option stands before it.
        resume=("resume", "{session_id}"),
        last=("-",),
    ),
    "gemini": Runner(
        name="gemini",
        argv=("gemini", "--output-format", "stream-json"),
        stream="gemini",
        credentials="google",
        model=("--model", "{value}"),
        permission_mode=("--approval-mode", "{value}"),
        allowed_tools=("--allowed-tools={value}",),
        skip_permissions=("--yolo", "--skip-trust"),
        resume=("--resume", "{session_id}"),
    ),
    "command": Runner(name="command", argv=(), credentials="command"),
}


def runner_of(name: str, given: Mapping[str, Any]) -> Runner:
    """A runner as `runners` in cadence.yaml has it: a built-in one changed, or a new one."""
    base = RUNNERS.get(name)
    if base is None:
        # A runner with a known stream is that program under another name, to be ended as gently.
        kin = RUNNERS.get(given.get("stream", ""))
        base = Runner(name=name, argv=(), credentials=name, gentle=kin.gentle if kin else "SIGTERM")
    return replace(base, **{**given, "env": (*base.env, *given.get("env", ()))})


def argv_for(
    runner: Runner, cadence: Cadence, *, values: Mapping[str, str], session_id: str | None, resume: bool
) -> tuple[str, ...]:
    """The command line of one run; placeholders are replaced literally, every other brace stays."""
    session = runner.resume if resume else runner.begin
    words = [
        *(runner.argv or cadence.command or ()),
        *_asked(runner, cadence),
        *cadence.args,
        *(session if session_id else ()),
        *runner.last,
    ]
    return tuple(_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words)


def _asked(runner: Runner, cadence: Cadence) -> Iterator[str]:
    """The options for what the cadence asks, as far as the runner has options for it."""
    asked = (
        (runner.model, cadence.model),
        (runner.max_turns, cadence.max_turns),
        (runner.max_usd, cadence.max_usd),
        (runner.permission_mode, cadence.permission_mode),
        (runner.allowed_tools, ",".join(cadence.allowed_tools)),
        (runner.skip_permissions, cadence.skip_permissions),
    )
    for words, value in asked:
        if value:
            text = f"{value:.15g}" if isinstance(value, float) else str(value)
            yield from (word.replace("{value}", text) for word in words)
