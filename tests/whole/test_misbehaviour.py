"""Every misbehaviour of a session, through the real command: it ends as it deserves, with all it started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from cadencebus.session import reap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Cadence

AGENT = Path(__file__).parents[1] / "doubles" / "agent.py"
PYTHON = f"{sys.executable} -S -E {AGENT}"
SETTINGS = f"""\
max_sessions: 50
max_log_bytes: 1000000
defaults: {{retries: 0, backoff: [20ms], circuit: {{failures: 0}}, kill_grace: 300ms, timeout: 20s}}
runners:
  claude: {{argv: [{sys.executable}, -S, -E, {AGENT}]}}
  codex: {{argv: [{sys.executable}, -S, -E, {AGENT}]}}
  gemini: {{argv: [{sys.executable}, -S, -E, {AGENT}]}}
"""


class Lived(NamedTuple):
    """What became of a tick, and of its last run."""

    tick: dict[str, Any]
    run: dict[str, Any]
    folder: Path

    @property
    def classes(self) -> list[str]:
        """Of all of its runs."""
        return [attempt["class"] for attempt in self.tick["attempts"]]


# cadence: (runner, words of the stand-in or a line of shell, keys, what it ends as)
SESSIONS: dict[str, tuple[str, str, dict[str, object], str]] = {
    # the watches
    "hard": ("sh", f"exec {PYTHON} ignore-term setsid-child 60 hang", {"timeout": "700ms"}, "timeout"),
    "idle": ("sh", f"exec {PYTHON} say-then-sleep 60", {"idle_timeout": "1s"}, "stalled"),
    "not-idle": ("sh", f"exec {PYTHON} chatter 2.5", {"idle_timeout": "1s"}, "ok"),
    "idle-off": ("sh", "sleep 2", {"idle_timeout": 0}, "ok"),
    "agent-idle": ("claude", "claude-hang 60", {"idle_timeout": "1s"}, "stalled"),
    "tool": ("claude", "claude-waits 2.5", {"idle_timeout": "1s"}, "ok"),
    "retry": ("claude", "claude-retrying 2.5", {"idle_timeout": "1s"}, "ok"),
    "lingers": ("claude", "ignore-term claude-result-then-hang 60", {"result_grace": "500ms"}, "ok"),
    "failed-lingers": ("claude", "claude-fails 529 x hang", {"result_grace": "500ms"}, "overloaded"),
    "loud": ("sh", f"exec {PYTHON} flood 1500000 hang", {}, "log_overflow"),
    "loud-stderr": ("sh", f"exec {PYTHON} flood-stderr 1500000 hang", {}, "log_overflow"),
    "wedged": ("sh", "sleep 60", {"idle_timeout": "3s", "probe": ["sh", "-c", "exit 1"]}, "wedged"),
    "healthy": ("sh", "sleep 2", {"idle_timeout": "3s", "probe": ["sh", "-c", "exit 0"]}, "ok"),
    "told": (
        *("sh", "echo I am stuck; sleep 60"),
        {
            "idle_timeout": "3s",
            "probe": ["sh", "-c", 'grep -q stuck && test "$CADENCE_NAME" = told && exit 1'],
        },
        "wedged",
    ),
    "slow-judge": ("sh", "sleep 60", {"idle_timeout": "1s", "probe": ["sleep", "60"]}, "stalled"),
    "no-judge": ("sh", "sleep 60", {"idle_timeout": "1s", "probe": ["no-such-program"]}, "stalled"),
    # the contract
    "file": ("sh", "mkdir -p out; echo x > out/file.md", {"expect": {"file": "out/file.md"}}, "ok"),
    "no-file": ("sh", "true", {"expect": {"file": "out/no-file.md"}}, "contract_missing"),
    "old-file": ("sh", "true", {"expect": {"file": "prompts/old-file.md"}}, "contract_missing"),
    "young-file": ("sh", "true", {"expect": {"file": "young"}}, "contract_missing"),
    "empty-folder": ("sh", "mkdir hollow", {"expect": {"file": "hollow"}}, "contract_missing"),
    "empty-file": ("sh", "touch empty", {"expect": {"file": "empty"}}, "contract_missing"),
    "half": ("sh", "echo x > half", {"expect": {"file": ["half", "other-half"]}}, "contract_missing"),
    "elsewhere": ("sh", "echo x > there", {"cwd": "prompts", "expect": {"file": "there"}}, "ok"),
    "agents-word": ("claude", "claude-ok", {"expect": {"file": "out/word.md"}}, "contract_missing"),
    "proved": ("sh", "cadence proof done", {"expect": {"proof": True}}, "ok"),
    "unproved": ("sh", "true", {"expect": {"proof": True}}, "contract_missing"),
    "any": ("claude", "claude-silent", {"expect": {"result": "any"}}, "ok"),
    # the streams
    "claude": ("claude", "claude-ok", {}, "ok"),
    "claude-long": ("claude", "claude-long-line 400000", {}, "ok"),
    "claude-cut": ("claude", "claude-cut", {}, "truncated"),
    "claude-mute": ("claude", "claude-silent", {}, "aborted"),
    "claude-rubbish": ("claude", "rubbish claude-ok", {}, "ok"),
    "slash": ("claude", "claude-slash (no content)", {"slash": True}, "ok"),
    "slash-unknown": ("claude", "claude-slash Unknown_command", {"slash": True}, "contract_missing"),
    "slash-unmeant": ("claude", "claude-slash x", {}, "contract_missing"),
    "codex": ("codex", "codex-ok", {}, "ok"),
    "codex-fails": ("codex", "codex-error boo", {}, "crash"),
    "gemini": ("gemini", "gemini-ok", {}, "ok"),
    "gemini-503": ("gemini", "gemini-error 503", {}, "overloaded"),
    # what is left behind, and what is said at the end
    "leaves": ("sh", f"exec {PYTHON} setsid-child 60 double-fork 60 hop 60", {}, "ok"),
    "tells": (
        *("sh", r"printf 'key \033[31msk-ant-api03-abcdefghijkl\033[0m\n' >&2; exit 1"),
        {},
        "crash",
    ),
}


def defined(home: Path, name: str, runner: str, words: str, keys: dict[str, object]) -> None:
    """Write a cadence's prompt file."""
    matter: dict[str, object] = {"runner": runner, "args": words.split(" ")}
    if runner == "sh":
        matter = {"runner": "command", "command": ["sh", "-c", words]}
    if words.startswith("claude-slash"):
        matter["args"] = ["claude-slash", words.removeprefix("claude-slash ").replace("_", " ")]
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in (matter | keys).items())
    (home / "prompts" / f"{name}.md").write_text(f"---\n{text}---\nMisbehave.\n")


def lived(home: Path) -> dict[str, Lived]:
    """What became of every tick of a home, by its cadence."""
    found = {}
    for folder in ("done", "dead", "inbox"):
        for path in (home / "state" / folder).rglob("*.json"):
            tick = json.loads(path.read_text())
            run = max((home / "state" / "runs").glob(f"*/{tick['id']}.*"))
            found[tick["cadence"]] = Lived(tick, json.loads((run / "run.json").read_text()), run)
    return found


@pytest.fixture(scope="module")
def everybody(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lived]:
    """Let all sessions of the table misbehave at once, under one consumer."""
    home = tmp_path_factory.mktemp("everybody") / "home"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(home.parent), "CADENCE_HOME": str(home), "NO_COLOR": "1"}

    def cadence(*words: str, stdin: str = "") -> None:
        program = Path(sys.executable).with_name("cadence")
        done = subprocess.run(
            [program, *words], env=environment, input=stdin, text=True, timeout=100, check=False
        )
        assert done.returncode == 0

    cadence("init", str(home))
    (home / "cadence.yaml").write_text(SETTINGS)
    for name, (runner, words, keys, _) in SESSIONS.items():
        defined(home, name, runner, words, keys)
    for old in (home / "prompts").iterdir():
        os.utime(old, (1e9, 1e9))
    # Written a moment before the run: its stamp alone would say that the run wrote it.
    (home / "young").write_text("not by the run\n")
    os.utime(home / "young", (time.time() + 30,) * 2)
    lines = [json.dumps({"cadence": name}) for name in SESSIONS]
    cadence("enqueue", "--batch", "-", stdin="\n".join(lines))
    cadence("run", "--drain", "--quiet")
    assert not reap.marked(str(home)), "somebody is left alive"
    return lived(home)


@pytest.mark.parametrize("name", SESSIONS)
def test_every_session_ends_as_it_deserves(everybody: dict[str, Lived], name: str) -> None:
    """After one run, in one place, with the class on the tick, in the record and in the attempt."""
    tick, run, _ = everybody[name]
    assert (run["class"], run["reason"]) == (SESSIONS[name][3], tick["attempts"][0]["reason"])
    assert tick["outcome"]["class"] == SESSIONS[name][3]
    assert len(tick["attempts"]) == 1
    assert tick["outcome"]["status"] == ("ok" if SESSIONS[name][3] == "ok" else "dead")


def test_a_watch_that_ended_a_run_says_so(everybody: dict[str, Lived]) -> None:
    """With the length of what was waited for."""
    said = {name: everybody[name].run["reason"] for name in ("hard", "idle", "loud", "wedged")}
    assert "0.7 s" in said["hard"]
    assert "no output for 1 s" in said["idle"]
    assert "1000000 are allowed" in said["loud"]
    assert "its probe says so" in said["wedged"]


def test_a_result_stands_though_its_run_had_to_be_ended(everybody: dict[str, Lived]) -> None:
    """It was ended by the bus, and is a success with its cost."""
    run = everybody["lingers"].run
    assert run["signal"] == 2
    assert (run["turns"], run["usd"]) == (1, 0.0092)
    assert json.loads((everybody["lingers"].folder / "ending.json").read_text())["class"] == "result_grace"


def test_a_broken_contract_says_what_is_missing(everybody: dict[str, Lived]) -> None:
    """One line for whoever wrote the prompt."""
    wanted = {
        "no-file": "out/no-file.md does not exist",
        "old-file": "prompts/old-file.md was not written since the run started",
        "young-file": "young was not written since the run started",
        "empty-folder": "hollow is empty",
        "empty-file": "empty is empty",
        "half": "other-half does not exist",
        "agents-word": "out/word.md does not exist",
        "unproved": "`cadence proof`",
        "slash-unknown": "Unknown command",
    }
    for name, words in wanted.items():
        assert words in everybody[name].run["reason"], name


def test_what_was_left_behind_is_named(everybody: dict[str, Lived]) -> None:
    """In run.json, with the command line; a run that left nothing names nothing."""
    leaked = everybody["leaves"].run["leaked"]
    assert len(leaked) >= 2
    assert all("agent.py" in one["cmdline"] for one in leaked), leaked
    assert everybody["file"].run["leaked"] == []


def test_logs_that_nothing_was_written_to_are_removed(everybody: dict[str, Lived]) -> None:
    """The others stay."""
    assert {path.name for path in everybody["file"].folder.glob("std*.log")} == set()
    assert {path.name for path in everybody["claude"].folder.glob("std*.log")} == {"stdout.log"}
    assert {path.name for path in everybody["tells"].folder.glob("std*.log")} == {"stderr.log"}


def test_a_dead_letter_tells_the_end_without_secrets_and_control_bytes(everybody: dict[str, Lived]) -> None:
    """The log itself has every byte."""
    (attempt,) = everybody["tells"].tick["attempts"]
    assert attempt["stderr_tail"] == "key sk-ant-[redacted]\n"
    assert b"\x1b[31msk-ant-api03-abcdefghijkl" in (everybody["tells"].folder / "stderr.log").read_bytes()


def test_every_stream_tells_its_session_and_its_cost(everybody: dict[str, Lived]) -> None:
    """As far as the runner tells of it."""
    for name in ("claude", "codex", "gemini"):
        assert everybody[name].run["session_id"], name
        assert everybody[name].run["tokens"]["output"] > 0, name


@pytest.fixture
def agent(home: Path, cadence: Cadence) -> Callable[..., Lived]:
    """Define one cadence and see a tick of it through."""
    (home / "cadence.yaml").write_text(SETTINGS)

    def run(words: str, expected: int = 0, **keys: object) -> Lived:
        defined(home, "x", "claude", words, keys)
        tick = cadence("enqueue", "x").stdout.strip()
        done = cadence("run", "--drain", "--quiet")
        assert done.returncode == expected, done.stderr
        (path,) = (p for p in (home / "state").rglob(f"*{tick[-8:]}.json") if p.parent.name != "tmp")
        folder = max((home / "state" / "runs").glob(f"*/{tick}.*"))
        return Lived(json.loads(path.read_text()), json.loads((folder / "run.json").read_text()), folder)

    return run


def words_of(run: Lived) -> list[str]:
    """The options of its command line that speak of sessions."""
    argv = run.run["argv"]
    return [
        f"{argv[at]} {argv[at + 1]}" for at in range(len(argv)) if argv[at] in {"--resume", "--session-id"}
    ]


def test_a_session_is_continued_and_begun_anew_where_it_is_lost(
    home: Path, agent: Callable[..., Lived]
) -> None:
    """The observed id is remembered; an unknown one costs one uncounted run, at once."""
    (home / "sessions").mkdir()
    words = f"claude-session {home}/sessions"
    first = agent(words, resume=True)
    session = first.run["session_id"]
    assert words_of(first) == [f"--session-id {session}"]
    second = agent(words, resume=True)
    assert (words_of(second), second.run["session_id"]) == ([f"--resume {session}"], session)
    assert "turn 2 of" in (second.folder / "stdout.log").read_text()
    (home / "sessions" / session).unlink()
    third = agent(words, resume=True)
    assert [(a["class"], a["counted"]) for a in third.tick["attempts"]] == [
        ("resume_unknown", False),
        ("ok", False),
    ]
    assert words_of(third) == [f"--session-id {third.run['session_id']}"]
    assert third.run["session_id"] != session
    fourth = agent(words)
    assert words_of(fourth) == [f"--session-id {fourth.run['session_id']}"], "resume: false begins anew"


def test_a_session_belongs_to_its_folder(home: Path, agent: Callable[..., Lived]) -> None:
    """Another cwd is another project: it begins anew, without a run that had to fail first."""
    (home / "sessions").mkdir()
    (home / "other").mkdir()
    words = f"claude-session {home}/sessions"
    session = agent(words, resume=True).run["session_id"]
    moved = agent(words, resume=True, cwd="other")
    assert moved.classes == ["ok"]
    assert moved.run["session_id"] != session
    idle = agent(words, resume=True, cwd="other", guard=["sh", "-c", "exit 75"])
    assert idle.tick["outcome"]["status"] == "skipped", "a guard that finds nothing to do ends no session"
    assert words_of(agent(words, resume=True, cwd="other")) == [f"--resume {moved.run['session_id']}"]


def test_an_unknown_session_that_nobody_resumed_is_a_fault_of_the_command_line(
    home: Path, agent: Callable[..., Lived]
) -> None:
    """`--resume` in `args`: starting again without it can't help, so the cadence is held."""
    (home / "sessions").mkdir()
    lost = agent(f"claude-session {home}/sessions --resume lost", expected=75)
    assert lost.classes == ["never_ran"]
    assert [p.name for p in (home / "state" / "holds").iterdir()] == ["cadence-x.config.json"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"command": ["no-such-program"]},
            "no-such-program: not found (ENOENT); install it",
        ),
        (
            {"command": ["true"], "cwd": "nowhere"},
            "cwd nowhere: not found (ENOENT); make the folder",
        ),
    ],
)
def test_a_start_that_fails_names_the_fix_and_goes_on_once_that_is_made(
    home: Path, cadence: Cadence, keys: dict[str, object], said: str
) -> None:
    """In the hold, where an operator looks; nothing is counted, and nothing says where the home lies."""
    defined(home, "x", "command", "", {"args": [], **keys})
    cadence("enqueue", "x")
    assert cadence("run", "--drain", "--quiet").returncode == 75
    hold = home / "state" / "holds" / "cadence-x.config.json"
    assert said in json.loads(hold.read_text())["detail"]
    assert str(home) not in hold.read_text()
    assert lived(home)["x"].classes == ["never_ran"]
    defined(home, "x", "command", "", {"args": [], "command": ["true"]})
    cadence("resume", "x")
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert lived(home)["x"].classes == ["never_ran", "ok"]


def flooded(
    home: Path, environment: dict[str, str], peak_kb: Callable[..., int], size: int
) -> tuple[Lived, int]:
    """Let an agent print that much; its tick, and the most memory that the consumer ever had."""
    (home / "cadence.yaml").write_text(SETTINGS.replace("1000000", "4 GiB"))
    defined(home, "x", "claude", f"claude-flood {size}", {})
    program = Path(sys.executable).with_name("cadence")
    subprocess.run([program, "enqueue", "x"], env=environment, check=True, capture_output=True)
    peak = peak_kb("run", "--drain", "--quiet")
    return lived(home)["x"], peak


@pytest.mark.parametrize("size", [8 << 20, pytest.param(200 << 20, marks=pytest.mark.slow)])
def test_a_run_that_prints_without_end_costs_the_consumer_little(
    home: Path, environment: dict[str, str], peak_kb: Callable[..., int], size: int
) -> None:
    """Less than 100 MB, however long its log is; the result at the end of it is found."""
    run, peak = flooded(home, environment, peak_kb, size)
    assert run.classes == ["ok"]
    assert (run.folder / "stdout.log").stat().st_size > size
    assert peak < 100_000
