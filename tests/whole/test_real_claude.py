"""The real Claude Code on the bus, against a stand-in for its API on loopback: no account, no cost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cadence, Eventually

CLAUDE = os.environ.get("CADENCE_TEST_CLAUDE") or str(
    Path(__file__).parents[2] / ".work/npm/node_modules/.bin/claude"
)
STAND_IN = Path(__file__).parents[1] / "doubles" / "fake_anthropic.py"

pytestmark = [
    pytest.mark.skipif(
        shutil.which(CLAUDE) is None, reason="the real claude is not installed: .ci/run installs it"
    ),
    pytest.mark.timeout(120),
]


@pytest.fixture
def api(tmp_path: Path, eventually: Eventually) -> Iterator[str]:
    """Serve the stand-in for the model's API."""
    port = tmp_path / "port"
    server = subprocess.Popen([sys.executable, STAND_IN, "--port-file", port], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: port.exists() and port.read_text())
        yield f"http://127.0.0.1:{port.read_text()}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def ask(home: Path, api: str, cadence: Cadence) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one tick of a claude cadence against a scenario of the stand-in, to its end."""

    def run(scenario: str, **keys: object) -> subprocess.CompletedProcess[str]:
        name = "c-" + scenario.replace("_", "-")
        base = {"ANTHROPIC_BASE_URL": f"{api}/s/{scenario}/{name}", "ANTHROPIC_API_KEY": "sk-test-of-the-bus"}
        matter = {"runner": "claude", "retries": 0, "env": base, **keys}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in matter.items())
        (home / "prompts" / f"{name}.md").write_text(f"---\n{text}---\nSay hello.\n")
        assert cadence("enqueue", name).returncode == 0
        path = f"{Path(CLAUDE).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return cadence("run", "--drain", "--quiet", timeout=90, env={"PATH": path})

    return run


def last_run(home: Path) -> dict[str, Any]:
    """Read the newest run.json."""
    (path,) = (home / "state" / "runs").rglob("run.json")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


@pytest.mark.parametrize(("scenario", "turns"), [("ok", 1), ("tool_once", 2)])
def test_a_session_that_works_is_done_with_its_cost(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]], scenario: str, turns: int
) -> None:
    """Session id, turns, tokens and money come from its stream."""
    assert ask(scenario, allowed_tools=["Bash"]).returncode == 0
    run = last_run(home)
    assert (run["class"], run["turns"]) == ("ok", turns)
    assert run["session_id"]
    assert run["usd"] > 0
    assert run["tokens"]["output"] > 0


def test_a_bad_key_holds_the_credentials_and_costs_one_run(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]], cadence: Cadence
) -> None:
    """Forty queued ticks and one 401: one run; the rest waits, and says for what."""
    for _ in range(3):
        (home / "prompts" / "c-401.md").write_text("---\n---\n")
        cadence("enqueue", "c-401", "--set", "n=1")
    ended = ask("401", overlap="queue")
    assert ended.returncode == 75
    assert "auth" in ended.stderr
    assert last_run(home)["class"] == "auth"
    (hold,) = (home / "state" / "holds").glob("credentials-*.auth.json")
    assert json.loads(hold.read_text())["until"] is None
    waiting = [json.loads(p.read_text()) for p in (home / "state" / "inbox").iterdir()]
    assert len(waiting) == 4
    assert not any(a["counted"] for tick in waiting for a in tick.get("attempts", []))


def test_a_hung_session_is_ended_with_all_it_started(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The hard time-out; afterwards no process bears the run's mark."""
    assert ask("hang_first", timeout="6s", kill_grace="2s").returncode == 0
    run = last_run(home)
    assert run["class"] == "timeout"
    marked = f"CADENCE_RUN_ID={run['run']}".encode()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            assert marked not in environ.read_bytes()
        except (OSError, PermissionError):
            continue


def test_an_endless_loop_of_tools_ends_at_its_turn_budget(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`max_turns` reaches the CLI and its answer is understood."""
    ask("tool_loop", max_turns=2, allowed_tools=["Bash"])
    assert last_run(home)["class"] == "turn_limit"
