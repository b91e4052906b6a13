"""The real Claude Code on the bus, against a stand-in for its API on loopback: no account, no cost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from cadencebus.clock import parse_rfc3339
from cadencebus.session import life, reap

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


KEY = {"ANTHROPIC_API_KEY": "sk-test-of-the-bus"}
SUBSCRIPTION = {"CLAUDE_CODE_OAUTH_TOKEN": "sk-ant-oat01-of-the-bus"}
PATH = {"PATH": f"{Path(CLAUDE).parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"}


class Prepare(Protocol):
    """Defines a claude cadence that talks to a scenario of the stand-in, and puts a tick of it in."""

    def __call__(
        self,
        scenario: str,
        *,
        prompt: str = "Say hello.",
        env: dict[str, str] | None = None,
        told: dict[str, object] | None = None,
        **keys: object,
    ) -> str:
        """Give the tick's id; `told` are options of the scenario."""


@pytest.fixture
def prepare(home: Path, api: str, cadence: Cadence) -> Prepare:
    """Define cadences, named after their scenarios."""

    def define(
        scenario: str,
        *,
        prompt: str = "Say hello.",
        env: dict[str, str] | None = None,
        told: dict[str, object] | None = None,
        **keys: object,
    ) -> str:
        name = "c-" + scenario.replace("_", "-")
        base = {"ANTHROPIC_BASE_URL": f"{api}/s/{scenario}/{name}", **(KEY if env is None else env)}
        matter = {"runner": "claude", "retries": 0, "env": base, **keys}
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in matter.items())
        (home / "prompts" / f"{name}.md").write_text(f"---\n{text}---\n{prompt}\n")
        if told:
            body = json.dumps({"run": name, "opts": told}).encode()
            urllib.request.urlopen(f"{api}/_ctl/run", body, timeout=5).close()  # noqa: S310 - loopback
        done = cadence("enqueue", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return define


@pytest.fixture
def ask(cadence: Cadence, prepare: Prepare) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run one tick of a claude cadence against a scenario of the stand-in, to its end."""

    def run(scenario: str, how: str = "--drain", **keys: Any) -> subprocess.CompletedProcess[str]:
        prepare(scenario, **keys)
        return cadence("run", how, "--quiet", timeout=30, env=PATH)

    return run


def last_run(home: Path) -> dict[str, Any]:
    """Read the newest run.json."""
    path = max((home / "state" / "runs").rglob("run.json"))
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
    assert ask("hang_first", timeout="3s", kill_grace="2s").returncode == 0
    assert last_run(home)["class"] == "timeout"
    assert not reap.marked(str(home))


def test_an_endless_loop_of_tools_ends_at_its_turn_budget(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """`max_turns` reaches the CLI and its answer is understood."""
    ask("tool_loop", max_turns=2, allowed_tools=["Bash"])
    assert last_run(home)["class"] == "turn_limit"


@pytest.mark.parametrize(
    ("scenario", "env", "told", "earliest", "latest"),
    [
        # A subscription says when to come back; an API key never does, so the first guess is five minutes.
        ("429_unified", SUBSCRIPTION, {"reset_in": 7200}, 7200, 7300),
        ("429_long", KEY, {}, 200, 400),
    ],
)
def test_a_limit_holds_the_credentials_until_its_reset(
    *,
    home: Path,
    ask: Callable[..., subprocess.CompletedProcess[str]],
    scenario: str,
    env: dict[str, str],
    told: dict[str, object],
    earliest: float,
    latest: float,
) -> None:
    """The tick waits uncounted."""
    began = time.time()
    # `--drain` would wait for the reset.
    assert ask(scenario, "--once", env=env, told=told).returncode == 0
    assert last_run(home)["class"] == "rate_limited"
    (path,) = (home / "state" / "holds").iterdir()
    assert path.name == "credentials-anthropic.rate_limited.json"
    assert earliest <= parse_rfc3339(json.loads(path.read_text())["until"]) - began <= latest
    (waiting,) = (home / "state" / "inbox").iterdir()
    assert [a["counted"] for a in json.loads(waiting.read_text())["attempts"]] == [False]


def test_an_overloaded_api_is_tried_again(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """529: the CLI's own retries come first, then the bus's, then the letter."""
    env = {**KEY, "CLAUDE_CODE_MAX_RETRIES": "0"}
    ended = ask("529", env=env, retries=1, backoff=["50ms"], circuit={"failures": 0})
    assert ended.returncode == 0
    (letter,) = (home / "state" / "dead").iterdir()
    tick = json.loads(letter.read_text())
    assert [(a["class"], a["counted"]) for a in tick["attempts"]] == [("overloaded", True)] * 2


@pytest.mark.parametrize(
    "told",
    [
        {"cmd": "nohup setsid sleep 300 > /dev/null 2>&1 & echo started"},
        {"cmd": "sleep 300", "tool_extra": {"run_in_background": True}},
    ],
)
def test_a_shell_left_in_the_background_ends_with_its_session(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]], told: dict[str, object]
) -> None:
    """Detached by hand it is swept and named; the CLI's own is ended with it, and the result stands."""
    ended = ask("tool_once", told=told, allowed_tools=["Bash"], result_grace="1s")
    assert ended.returncode == 0
    run = last_run(home)
    assert run["class"] == "ok"
    assert not reap.marked(str(home))
    if "tool_extra" not in told:
        assert "sleep 300" in [one["cmdline"] for one in run["leaked"]]


def test_a_session_is_resumed_and_begun_anew_once_it_is_lost(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The CLI keeps its id; without its transcript one uncounted run tells that it is unknown."""
    for _ in range(2):
        assert ask("ok", resume=True).returncode == 0
    first, second = sorted((home / "state" / "runs").rglob("run.json"))
    ids = [json.loads(path.read_text())["session_id"] for path in (first, second)]
    assert ids[0] == ids[1]
    assert "--resume" in json.loads(second.read_text())["argv"]
    shutil.rmtree(home.parent / ".claude" / "projects")
    assert ask("ok", resume=True).returncode == 0
    tick = json.loads(max((home / "state" / "done").rglob("*.json")).read_text())
    assert [a["class"] for a in tick["attempts"]] == ["resume_unknown", "ok"]
    assert last_run(home)["session_id"] != ids[0]


@pytest.mark.parametrize(("prompt", "klass"), [("/clear", "ok"), ("/nosuchcommand", "contract_missing")])
def test_a_command_of_the_cli_is_one_where_that_is_meant(
    home: Path, ask: Callable[..., subprocess.CompletedProcess[str]], prompt: str, klass: str
) -> None:
    """`slash: true`: one that takes no turn of the model is done; one that nobody knows did nothing."""
    ask("ok", prompt=prompt, slash=True)
    run = last_run(home)
    assert (run["class"], run["turns"]) == (klass, 0)


def test_a_session_that_is_killed_at_a_random_moment_leaves_nothing(
    home: Path,
    cadence: Cadence,
    prepare: Prepare,
    environment: dict[str, str],
    eventually: Eventually,
) -> None:
    """By the operator, by kill -9 of the CLI, and under a consumer that dies in between: each ends once."""
    (home / "cadence.yaml").write_text("max_sessions: 6\n")
    keys: dict[str, Any] = {"overlap": "queue", "concurrency": 6, "kill_grace": "2s"}
    told: dict[str, object] = {"cmd": "sleep 30", "tool_n": 99}
    ticks = [prepare("tool_once", told=told, allowed_tools=["Bash"], **keys) for _ in range(6)]
    program = Path(sys.executable).with_name("cadence")
    consumers = [subprocess.Popen([program, "run", "--quiet"], env=environment | PATH)]
    rng = random.Random()
    runs = home / "state" / "runs"

    def session(tick: str) -> int:
        note = life.read_alive(next(map(str, runs.glob(f"*/{tick}.1")), ""))
        return (note.pid or 0) if note else 0

    try:
        for at, tick in enumerate(ticks):
            pid = eventually(lambda tick=tick: session(tick))  # type: ignore[misc]
            # Any moment of a life, from the start of the interpreter to the middle of a tool.
            time.sleep(rng.uniform(0.0, 0.8))
            if at % 2:
                os.kill(pid, signal.SIGKILL)
            else:
                assert cadence("kill", tick).returncode == 0
            if at == 2:
                consumers[-1].kill()
                consumers[-1].wait()
                consumers.append(subprocess.Popen([program, "run", "--quiet"], env=environment | PATH))
        eventually(lambda: not any((home / "state" / "claimed").iterdir()))
        found = {}
        for folder in ("done", "dead"):
            for path in (home / "state" / folder).rglob("*.json"):
                tick = json.loads(path.read_text())
                found[tick["id"]] = [attempt["class"] for attempt in tick["attempts"]]
        assert found == {tick: ["aborted" if at % 2 else "killed"] for at, tick in enumerate(ticks)}
        assert not reap.marked(str(home))
    finally:
        for consumer in consumers:
            consumer.kill()
            consumer.wait()
