"""What a session says of itself never becomes an option of the next one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cadence

AGENT = """#!/bin/sh
cat >/dev/null
echo "$@" >>"$CADENCE_HOME/called"
printf '%s\\n' '{init}' '{result}'
"""
GOOD = "3f0c2f43-6b0e-4a3c-9f2e-0d7f2f0a9b11"


@pytest.mark.parametrize("said", [GOOD, "--dangerously-skip-permissions", "-p", "a b", "x\ty", "", "é"])
def test_only_a_session_id_is_ever_resumed(home: Path, cadence: Cadence, tmp_path: Path, said: str) -> None:
    """The agent's output is the agent's: a compromised one could ask for more rights next time."""
    result = {"type": "result", "subtype": "success", "is_error": False, "result": "ok", "num_turns": 1}
    programs = tmp_path / "programs"
    programs.mkdir()
    script = AGENT.format(
        init=json.dumps({"type": "system", "subtype": "init", "session_id": said}),
        result=json.dumps(result | {"session_id": said}),
    )
    (programs / "agent").write_text(script, encoding="utf-8")
    (programs / "agent").chmod(0o700)
    (home / "cadence.yaml").write_text(
        f"runners:\n  claude:\n    argv: [{programs}/agent]\n    stream: claude\n    credentials: nobody\n"
    )
    (home / "prompts" / "talk.md").write_text("---\nresume: true\noverlap: queue\n---\ngo on\n")
    for _ in range(2):
        assert cadence("enqueue", "talk").returncode == 0
    assert cadence("run", "--drain", "--quiet").returncode == 0
    first, second = (home / "called").read_text(encoding="utf-8").splitlines()
    assert "--resume" not in first
    assert (f"--resume {GOOD}" in second) is (said == GOOD)
    assert ("--resume" in second) is (said == GOOD)
    assert said == GOOD or not said or said not in second.split("--session-id")[0]


@pytest.mark.parametrize("at_itself", ["echo nonsense > $CADENCE_RUN_DIR/ending.json", "kill -9 $PPID"])
def test_a_session_that_sees_to_its_own_return_makes_no_loop(
    home: Path, cadence: Cadence, at_itself: str
) -> None:
    """None of its runs counts as an attempt, so nothing else would keep it from being begun again at once."""
    script = f"echo >> $CADENCE_HOME/starts; {at_itself}"
    (home / "prompts" / "wild.md").write_text(
        f"---\nrunner: command\ncommand: [sh, -c, {json.dumps(script)}]\n---\n"
    )
    assert cadence("enqueue", "wild").returncode == 0
    assert cadence("run", "--for", "0.3s", "--quiet").returncode == 0
    # The first return is nobody's fault; from then on there is a pause before each, longer and longer.
    assert (home / "starts").read_text().count("\n") <= 3
