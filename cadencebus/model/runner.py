"""Runners as data: which program runs a prompt, and how its command line is made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence

PLACEHOLDERS = ("prompt_file", "run_dir", "tick_file", "home", "model", "session_id")
_PLACEHOLDER = re.compile("{(" + "|".join(PLACEHOLDERS) + ")}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """One way to run a prompt."""

    name: str
    argv: tuple[str, ...]
    stdin: str | None = "prompt"
    stream: str = "plain"
    credentials: str = ""
    # The gentlest signal that makes it clean up after itself; the ladder begins with it.
    gentle: str = "SIGTERM"
    env: tuple[tuple[str, str], ...] = ()
    # How a session is begun and continued, where the program knows sessions.
    begin: tuple[str, ...] = ()
    resume: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    max_turns: tuple[str, ...] = ()
    max_usd: tuple[str, ...] = ()
    permission_mode: tuple[str, ...] = ()
    allowed_tools: tuple[str, ...] = ()
    skip_permissions: tuple[str, ...] = ()
    # What stands at the end, after everything a cadence adds.
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
        credentials="claude",
        # Its tool calls live in process sessions of their own: only after SIGINT it ends them itself.
        gentle="SIGINT",
        env=(
            ("CLAUDE_CODE_MAX_RETRIES", "3"),
            ("API_TIMEOUT_MS", "300000"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
            ("DISABLE_AUTOUPDATER", "1"),
            ("DISABLE_TELEMETRY", "1"),
            ("DISABLE_ERROR_REPORTING", "1"),
        ),
        begin=("--session-id", "{session_id}"),
        resume=("--resume", "{session_id}"),
        model=("--model", "{model}"),
        max_turns=("--max-turns", "{value}"),
        max_usd=("--max-budget-usd", "{value}"),
        permission_mode=("--permission-mode", "{value}"),
        # The option is variadic and would swallow what follows: one word, joined by commas.
        allowed_tools=("--allowedTools={value}",),
        skip_permissions=("--dangerously-skip-permissions",),
    ),
    "codex": Runner(
        name="codex",
        argv=("codex", "exec", "--json", "--skip-git-repo-check"),
        stream="codex",
        credentials="codex",
        model=("--model", "{model}"),
        skip_permissions=("--dangerously-bypass-approvals-and-sandbox",),
        permission_mode=("--sandbox", "{value}"),
        resume=("resume", "{session_id}"),
        last=("-",),
    ),
    "gemini": Runner(
        name="gemini",
        argv=("gemini", "--output-format", "stream-json"),
        stream="gemini",
        credentials="gemini",
        model=("--model", "{model}"),
        permission_mode=("--approval-mode", "{value}"),
        skip_permissions=("--yolo",),
    ),
    "command": Runner(name="command", argv=(), stream="plain", credentials="command"),
}


def argv_for(
    runner: Runner, cadence: Cadence, *, values: Mapping[str, str], session_id: str | None, resume: bool
) -> tuple[str, ...]:
    """The command line of one run; placeholders are replaced literally, every other brace stays."""
    words = [*(runner.argv or cadence.command or ())]
    if session_id and resume:
        words += runner.resume
    elif session_id:
        words += runner.begin
    if cadence.model:
        words += runner.model
    words += _valued(runner.max_turns, cadence.max_turns)
    words += _valued(runner.max_usd, cadence.max_usd)
    words += _valued(runner.permission_mode, cadence.permission_mode)
    words += _valued(runner.allowed_tools, ",".join(cadence.allowed_tools) or None)
    if cadence.skip_permissions:
        words += runner.skip_permissions
    words += [*cadence.args, *runner.last]
    return tuple(_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words)


def _valued(words: tuple[str, ...], value: object) -> list[str]:
    if value is None:
        return []
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return [word.replace("{value}", text) for word in words]
