"""Runners: which words start a program, and which signals and variables it wants."""

from __future__ import annotations

from typing import Any

import pytest

from cadencebus.model.cadence import Cadence
from cadencebus.model.runner import PLACEHOLDERS, RUNNERS, argv_for, runner_of

VALUES = {name: f"<{name}>" for name in PLACEHOLDERS}
ASKING: dict[str, Any] = {
    "model": "opus",
    "max_turns": 30,
    "max_usd": 0.5,
    "permission_mode": "acceptEdits",
    "allowed_tools": ("Read", "Bash(git *)"),
    "skip_permissions": True,
    "args": ("--add-dir", "lib"),
}


def words(runner: str, *, session: str | None = None, resume: bool = False, **keys: Any) -> list[str]:
    """List the words that start a built-in runner."""
    cadence = Cadence(name="x", runner=runner, **keys)
    return list(argv_for(RUNNERS[runner], cadence, values=VALUES, session_id=session, resume=resume))


def test_claude_is_started_as_its_stream_needs_it() -> None:
    """Without --verbose it refuses to stream, without partial messages it is silent for minutes."""
    assert words("claude", session="s") == [
        *("claude", "-p", "--output-format", "stream-json", "--verbose", "--include-partial-messages"),
        *("--session-id", "<session_id>"),
    ]


def test_claude_is_told_everything_that_a_cadence_asks() -> None:
    """Tools are one word: the option would swallow whatever follows it."""
    told = words("claude", session="s", resume=True, **ASKING)[6:]
    assert told == [
        *(
            "--model",
            "opus",
            "--max-turns",
            "30",
            "--max-budget-usd",
            "0.5",
            "--permission-mode",
            "acceptEdits",
        ),
        *("--allowedTools=Read,Bash(git *)", "--dangerously-skip-permissions", "--add-dir", "lib"),
        *("--resume", "<session_id>"),
    ]


def test_codex_reads_its_prompt_from_standard_input_and_resumes_by_a_sub_command() -> None:
    """All options stand before `resume`; the lone dash at the end is the prompt."""
    assert words("codex", session="s", **ASKING) == [
        *("codex", "exec", "--json", "--skip-git-repo-check", "--model", "opus", "--sandbox", "acceptEdits"),
        *("--dangerously-bypass-approvals-and-sandbox", "--add-dir", "lib", "-"),
    ]
    assert words("codex", session="s", resume=True)[4:] == ["resume", "<session_id>", "-"]


@pytest.mark.parametrize("runner", ["claude", "codex", "gemini"])
def test_permissions_are_never_widened_unasked(runner: str) -> None:
    """No agent may do everything because somebody found that convenient."""
    unasked = set(words(runner, session="s"))
    assert not unasked & set(RUNNERS[runner].skip_permissions)
    assert set(RUNNERS[runner].skip_permissions) <= set(words(runner, skip_permissions=True))


def test_a_command_is_its_own_words() -> None:
    """What only agents understand is not put behind them."""
    asking = {key: value for key, value in ASKING.items() if key != "args"}
    assert words("command", session="s", command=("wc", "-w"), args=("a",), **asking) == ["wc", "-w", "a"]


def test_placeholders_are_replaced_literally_and_other_braces_stay() -> None:
    """JSON, shell and awk have braces too; what a value holds is not looked at again."""
    command = ("{prompt_file}", "a{run_dir}b{home}", '{"model": "{model}"}', "{nope}", "${HOME}", "{{home}}")
    values = VALUES | {"prompt_file": "/odd/{home}/prompt"}
    cadence = Cadence(name="x", runner="command", command=command)
    assert argv_for(RUNNERS["command"], cadence, values=values, session_id=None, resume=False) == (
        *("/odd/{home}/prompt", "a<run_dir>b<home>", '{"model": "<model>"}', "{nope}", "${HOME}", "{<home>}"),
    )


def test_claude_is_asked_to_end_by_the_signal_after_which_it_ends_its_tools() -> None:
    """Its tool calls live in process sessions of their own."""
    assert RUNNERS["claude"].gentle == "SIGINT"
    assert dict(RUNNERS["claude"].env)["CLAUDE_CODE_MAX_RETRIES"] == "3"


def test_runners_share_holds_by_whose_credentials_they_use() -> None:
    """`credentials: openai` in cadence.yaml shares with codex."""
    assert {name: runner.credentials for name, runner in RUNNERS.items()} == {
        "claude": "anthropic",
        "codex": "openai",
        "gemini": "google",
        "command": "command",
    }


def test_a_new_runner_is_plain_and_has_credentials_of_its_own() -> None:
    """Unless it says otherwise."""
    aider = runner_of("aider", {"argv": ("aider",), "stdin": None})
    assert (aider.stream, aider.credentials, aider.stdin, aider.gentle) == ("plain", "aider", None, "SIGTERM")
    assert not aider.agent


def test_a_new_runner_that_speaks_a_known_stream_is_ended_as_gently() -> None:
    """A wrapper around Claude Code leaves its tools behind just as Claude Code does."""
    wrapped = runner_of("work", {"argv": ("my-claude",), "stream": "claude"})
    assert wrapped.agent
    assert wrapped.gentle == "SIGINT"


def test_a_built_in_runner_may_be_changed_in_part() -> None:
    """Another path to the program: the rest is as it was, and variables are added."""
    changed = runner_of("claude", {"argv": ("/opt/claude", "-p"), "env": (("A", "1"),)})
    assert changed.argv == ("/opt/claude", "-p")
    assert changed.max_turns == RUNNERS["claude"].max_turns
    assert dict(changed.env) == {**dict(RUNNERS["claude"].env), "A": "1"}
