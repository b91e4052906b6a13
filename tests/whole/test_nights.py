"""Nights that went wrong, replayed through the real command: what they cost, and what the operator reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cadence, Eventually

# An agent in ten lines: it says what the file `mood` says, and `mood` is its last word.
AGENT = """\
#!/bin/sh
cat > /dev/null
mood=$(cat mood-$CADENCE_NAME 2>/dev/null || cat mood)
line='{"type":"result","subtype":"success","session_id":"s","num_turns":2,"total_cost_usd":0.4'
no='"is_error":true,"api_error_status":'
case $mood in
slow) touch asleep; while [ -e asleep ]; do sleep 0.05; done ;;
esac
case $mood in
well | slow) echo "$line,"'"is_error":false,"result":"done"}' ;;
401) echo "$line,$no"'401,"result":"Invalid API key"}'; exit 1 ;;
429) echo "$line,$no"'429,"result":"limit, try again in 20 minutes"}'; exit 1 ;;
esac
"""
SETTINGS = """\
max_sessions: 3
runners:
  agent: {argv: ["{home}/agent"], stream: claude, credentials: anthropic}
  other: {argv: ["{home}/agent"], stream: claude, credentials: openai}
defaults: {runner: agent, overlap: queue, retries: 0, backoff: [20ms], max_runs_per_hour: 9999}
"""


class Night:
    """A home with agents in it, and what can be read from its folders afterwards."""

    def __init__(self, home: Path, cadence: Cadence) -> None:
        self.home = home
        self.cadence = cadence
        (home / "agent").write_text(AGENT)
        (home / "agent").chmod(0o755)
        self.settings()
        self.mood("well")

    def settings(self, more: str = "") -> None:
        """Write cadence.yaml."""
        (self.home / "cadence.yaml").write_text(SETTINGS + more)

    def mood(self, word: str, name: str = "") -> None:
        """Decide how agents end from now on."""
        (self.home / (f"mood-{name}" if name else "mood")).write_text(word)

    def write(self, name: str, shell: str = "", **keys: object) -> None:
        """Define a cadence: an agent's, or a line of shell."""
        given = {**keys, "command": ["sh", "-c", shell], "runner": "command"} if shell else keys
        matter = "".join(f"{key}: {json.dumps(value)}\n" for key, value in given.items())
        (self.home / "prompts" / f"{name}.md").write_text(f"---\n{matter}---\nThe prompt.\n")

    def enqueue(self, *ticks: dict[str, Any]) -> None:
        """Put some in at once."""
        lines = "".join(json.dumps(tick) + "\n" for tick in ticks)
        assert self.cadence("enqueue", "--batch", "-", stdin=lines).returncode == 0

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Consume in the foreground."""
        return self.cadence("run", *words)

    def holds(self) -> dict[str, dict[str, Any]]:
        """Read every hold."""
        return {p.name: json.loads(p.read_text()) for p in (self.home / "state" / "holds").glob("*.json")}

    def runs(self) -> int:
        """Count the runs that were ever started."""
        return len(list((self.home / "state" / "runs").glob("*/*")))

    def ended(self, folder: str = "done") -> list[dict[str, Any]]:
        """Read finished ticks."""
        found = (self.home / "state" / folder).rglob("*.json")
        return [json.loads(path.read_text()) for path in sorted(found)]

    def waiting(self) -> int:
        """Count the ready ticks."""
        return len(list((self.home / "state" / "inbox").glob("*.json")))

    def told(self, event: str) -> list[dict[str, Any]]:
        """Read the journal's lines of one event."""
        lines = [
            json.loads(line)
            for path in sorted((self.home / "state" / "events").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        return [line for line in lines if line["event"] == event]

    def screen(self) -> str:
        """See what the operator sees."""
        return self.cadence("status", env={"COLUMNS": "200"}).stdout


@pytest.fixture
def night(home: Path, cadence: Cadence) -> Night:
    """Prepare a home for the night."""
    return Night(home, cadence)


@pytest.fixture
def consumer(home: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start consumers in the background; whatever is left of them is gone at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        program = Path(sys.executable).with_name("cadence")
        started.append(subprocess.Popen([program, "run", "--quiet", *words], env=environment, cwd=home))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_bad_key_costs_one_run_whatever_is_queued_and_a_new_login_sets_it_right(
    night: Night, home: Path
) -> None:
    """Four hundred ticks, one 401, no attempt burned; the login changes, and the next consumer goes on."""
    night.settings("max_usd_per_day: 100\n")
    night.write("brief")
    night.write("plain", "true")
    night.mood("401")
    night.enqueue(*({"cadence": "brief"} for _ in range(400)), {"cadence": "plain"})
    assert night.run("--drain").returncode == 75
    assert (night.runs(), len(night.ended("dead")), [t["cadence"] for t in night.ended()]) == (
        2,
        0,
        ["plain"],
    )
    (hold,) = night.holds().values()
    assert (hold["scope"], hold["reason"], hold["until"]) == ("credentials-anthropic", "auth", None)
    assert "Invalid API key" in night.screen()
    # Nothing is released as long as nothing has changed.
    assert night.run("--drain").returncode == 75
    assert night.runs() == 2
    login = home.parent / ".claude" / ".credentials.json"
    login.parent.mkdir()
    login.write_text("a new login")
    night.mood("well")
    night.write("brief", overlap="coalesce")
    assert night.run("--drain").returncode == 0
    assert (night.holds(), night.waiting(), len(night.ended())) == ({}, 0, 401)
    assert "is not what it was" in night.told("hold.released")[-1]["detail"]
    text = (home / "state" / "events").glob("*.jsonl")
    assert all("a new login" not in path.read_text() for path in text)


def test_a_limit_with_a_known_end_waits_for_it_and_holds_nobody_else(
    night: Night, slowness: Callable[[], float]
) -> None:
    """Twenty minutes and a little jitter; whoever uses other credentials runs on."""
    night.write("limited")
    night.write("free", runner="other")
    night.mood("429", "limited")
    night.enqueue(*({"cadence": name, "payload": {"n": n}} for n in range(5) for name in ("limited", "free")))
    began = time.time()
    night.run("--for", f"{1.5 * slowness():.1f}s")
    hold = night.holds()["credentials-anthropic.rate_limited.json"]
    length = _moment(hold["until"]) - began
    assert 1200 <= length <= 1230
    assert (len(night.ended()), night.waiting(), night.runs()) == (5, 5, 6)
    assert "held by rate_limited until" in night.screen()


def test_when_a_limit_is_over_one_session_goes_first(
    night: Night, consumer: Callable[..., subprocess.Popen[bytes]], eventually: Eventually
) -> None:
    """Three slots, one tries; it is served, and the others follow at once. Nothing lies about afterwards."""
    names = ("one", "two", "three")
    for name in names:
        night.write(name)
    night.mood("429")
    night.enqueue({"cadence": "one"})
    consumer()
    eventually(night.holds)
    night.mood("slow")
    night.enqueue({"cadence": "two"}, {"cadence": "three"})
    path = night.home / "state" / "holds" / "credentials-anthropic.rate_limited.json"
    hold = json.loads(path.read_text())
    aside = path.with_name(".hold")
    aside.write_text(json.dumps({**hold, "until": hold["since"]}))
    aside.replace(path)
    eventually((night.home / "asleep").exists)
    assert (night.runs(), night.waiting()) == (2, 2)
    assert "one session goes first" in night.screen()
    night.mood("well")
    (night.home / "asleep").unlink()
    eventually(lambda: len(night.ended()) == len(names))
    assert (night.runs(), night.holds()) == (4, {})
    assert [line["reason"] for line in night.told("hold.released")] == ["rate_limited"]


def _moment(text: str) -> float:
    from cadencebus.clock import parse_rfc3339  # noqa: PLC0415 - the tests of the whole import nothing else

    return parse_rfc3339(text)


def test_a_cadence_that_always_fails_costs_nine_healthy_ones_nothing(
    night: Night, consumer: Callable[..., subprocess.Popen[bytes]], eventually: Eventually
) -> None:
    """Its circuit opens, its ticks wait; everybody else's are done, each of them."""
    night.write("sick", "exit 3", circuit={"failures": 3, "open": "1h"})
    for n in range(9):
        night.write(f"well-{n}", "true")
    names = ["sick", *(f"well-{n}" for n in range(9))]
    night.enqueue(*({"cadence": name, "payload": {"n": n}} for n in range(6) for name in names))
    consumer()
    eventually(lambda: len(night.ended()) == 54 and len(night.ended("dead")) == 3, within=20)
    assert (len(night.ended()), len(night.ended("dead")), night.waiting()) == (54, 3, 3)
    assert [row["cadence"] for row in json.loads(night.cadence("circuit", "--json").stdout)] == ["sick"]
    screen = night.screen()
    assert "held by circuit_open until" in screen
    assert "3 failed runs in a row" in screen


def test_nine_hours_of_sleep_are_one_run(night: Night) -> None:
    """A hundred and eight ticks fell due; one run stands for them all."""
    night.write("often", overlap="coalesce")
    night.enqueue(
        *(
            {"cadence": "often", "not_before": f"2026-01-01T{h:02}:{m:02}:00Z"}
            for h in range(9)
            for m in range(0, 60, 5)
        )
    )
    assert night.run("--drain").returncode == 0
    statuses = sorted(tick["outcome"]["status"] for tick in night.ended())
    assert (night.runs(), statuses) == (1, ["absorbed"] * 107 + ["ok"])


def consuming(night: Night, pid: int) -> bool:
    """Tell whether this consumer is the one that lives, and the circuit is shown as open."""
    state = night.home / "state"
    note = json.loads((state / "consumer.json").read_text()) if (state / "consumer.json").exists() else {}
    shown = "cadence-sick.circuit_open.json" in night.holds() and (state / "circuit-open.json").exists()
    return note.get("pid") == pid and shown


def test_restarts_neither_close_nor_shorten_an_open_circuit(
    night: Night, home: Path, consumer: Callable[..., subprocess.Popen[bytes]], eventually: Eventually
) -> None:
    """Killed or asked to go, again and again: the same hold, the same end, not one run more."""
    night.write("sick", "exit 3", circuit={"failures": 1, "open": "1h"})
    night.enqueue({"cadence": "sick"}, {"cadence": "sick"})
    snapshot = home / "state" / "circuit-open.json"
    before = None
    for how in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM):
        process = consumer()
        eventually(partial(consuming, night, process.pid))
        hold = night.holds()["cadence-sick.circuit_open.json"]
        assert before in {None, (hold["since"], hold["until"])}
        before = (hold["since"], hold["until"])
        (row,) = json.loads(snapshot.read_text())["open"]
        assert row["until"] == hold["until"]
        process.send_signal(how)
        process.wait()
    assert (night.runs(), night.waiting()) == (1, 1)


def test_a_usage_probe_that_hangs_neither_stops_nor_frees_the_bus(
    night: Night, slowness: Callable[[], float]
) -> None:
    """Ticks start at once, one session at a time, and the screen says that nothing is known."""
    night.settings("gates: {usage: {command: [sleep, '1000']}}\n")
    night.write("x", "sleep 0.2", concurrency=3)
    night.enqueue(*({"cadence": "x", "payload": {"n": n}} for n in range(4)))
    began, slow = time.monotonic(), slowness()
    assert night.run("--for", f"{3 * slow:.1f}s").returncode == 0
    assert time.monotonic() - began < 8 * slow
    assert len(night.ended()) == 4
    assert {line["running"] for line in night.told("run.ended")} == {1}
    hold = night.holds()["bus.usage.json"]
    assert hold["at_most"] == 1
    assert "one session at a time" in hold["detail"]
    assert "one session at a time" in night.screen()


def test_a_gate_that_says_enough_holds_and_one_that_says_little_lets_go(
    night: Night, home: Path, slowness: Callable[[], float]
) -> None:
    """The same command, another number; a gate that is taken out of the settings lets go as well."""
    night.settings("gates: {usage: {command: [cat, usage], every: 100ms}, load: {max_per_core: 0.000001}}\n")
    (home / "usage").write_text("97 %\n")
    night.write("x", "true")
    night.enqueue({"cadence": "x"})
    night.run("--for", f"{slowness():.1f}s")
    assert {"bus.usage.json", "bus.load.json"} <= set(night.holds())
    assert (night.runs(), night.waiting()) == (0, 1)
    assert "97 % of the plan is used" in night.holds()["bus.usage.json"]["detail"]
    (home / "usage").write_text("12 %\n")
    night.settings("gates: {usage: {command: [cat, usage], every: 100ms}}\n")
    assert night.run("--drain").returncode == 0
    assert night.holds() == {}


def test_starts_wait_while_somebody_is_at_work(
    night: Night, home: Path, slowness: Callable[[], float]
) -> None:
    """A presence file holds them back; one whose time is over does not."""
    night.settings("gates: {pressure: {dir: state/pressure, delay: 100ms}}\n")
    (home / "state" / "pressure").mkdir()
    (home / "state" / "pressure" / "ann").write_text("1h\n")
    night.write("x", "true")
    night.enqueue({"cadence": "x"})
    night.run("--for", f"{0.7 * slowness():.1f}s")
    assert (night.runs(), night.holds()["bus.pressure.json"]["detail"]) == (0, "ann is at work")
    os.utime(home / "state" / "pressure" / "ann", (1, 1))
    assert night.run("--drain").returncode == 0


def test_a_days_money_is_counted_once_and_outlives_restarts(night: Night) -> None:
    """0.40 a run, 1.00 a day: three runs, whoever consumes; a higher limit lets the next go at once."""
    night.write("dear", max_usd_per_day=1.0)
    night.enqueue(*({"cadence": "dear", "payload": {"n": n}} for n in range(6)))
    for _ in range(3):
        night.run("--once")
    assert night.run("--for", "300ms").returncode == 0
    assert (night.runs(), list(night.holds())) == (3, ["cadence-dear.daily_budget.json"])
    assert "$1.20 spent today" in night.screen()
    assert [line["account"] for line in night.told("budget.warned")] == ["dear"]
    night.write("dear", max_usd_per_day=1.5)
    night.run("--once")
    assert (night.runs(), "cadence-dear.daily_budget.json" in night.holds()) == (4, True)


def test_an_incident_is_told_once_and_its_end_once_over_restarts(night: Night, home: Path) -> None:
    """Thirty dead letters in three consumers are one notice; so is their end."""
    night.settings("notify: [{command: [sh, -c, 'cat >> told'], events: [dead, hold, recovered]}]\n")
    night.write("x", "test -e mended", circuit={"failures": 0}, concurrency=3)
    night.write("silent", "exit 3", notify=[], circuit={"failures": 0})
    for _ in range(3):
        night.enqueue(*({"cadence": "x", "payload": {"n": n}} for n in range(10)), {"cadence": "silent"})
        night.run("--drain")
    (home / "mended").touch()
    night.enqueue({"cadence": "x"})
    night.run("--drain")
    told = [json.loads(line) for line in (home / "told").read_text().splitlines()]
    assert [(one["notice"], one["incident"]) for one in told] == [
        ("dead", "dead:x:crash"),
        ("recovered", "dead:x:crash"),
    ]
    assert told[0]["text"].startswith("it failed")
    assert len(night.ended("dead")) == 33


@pytest.mark.parametrize("leave", ["SIGTERM", "--for"])
def test_a_consumer_that_leaves_takes_along_what_it_asks(
    leave: str,
    night: Night,
    home: Path,
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """A gate's command that hangs does not outlive who wanted to know."""
    night.settings("gates: {usage: {command: [sh, -c, 'echo $$ > asked; exec sleep 100']}}\n")
    process = consumer(*(("--for", "1s") if leave == "--for" else ()))
    asked = int(eventually(lambda: (home / "asked").exists() and (home / "asked").read_text()))
    if leave == "SIGTERM":
        process.terminate()
    assert process.wait(10) == 0
    eventually(lambda: not psutil.pid_exists(asked))
