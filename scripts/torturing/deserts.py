"""What each misbehaviour of `tests/doubles/agent.py` deserves, and whether it got it."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import own_python

from torturing import audit
from torturing.ground import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torturing.ground import Ground

AGENT = ROOT / "tests" / "doubles" / "agent.py"
MAX_LOG = 1 << 20

# A session of each runner, acted: what stands behind the words is passed over by the stand-in.
RUNNERS = f"""\
runners:
  claude: {{argv: [{own_python.find()}, {AGENT}]}}
  codex: {{argv: [{own_python.find()}, {AGENT}]}}
  gemini: {{argv: [{own_python.find()}, {AGENT}]}}
"""

# cadence: (runner, words, keys, the classes that it may end with)
# A watch of the consumer's starts anew with each consumer; the time-out, which is the shim's, does not.
DESERTS: dict[str, tuple[str, str, str, set[str]]] = {
    "well": ("command", "say hi", "", {"ok"}),
    "slow": ("command", "chatter 1.5", "", {"ok"}),
    "fails": ("command", "complain oh exit 3", "", {"crash"}),
    "again": ("command", "fail-times 1 {file} ok", "retries: 1", {"ok"}),
    "misconfigured": ("command", "exit 78", "", {"ex_config"}),
    "busy": ("command", "exit 75", "", {"ex_tempfail"}),
    "shot": ("command", "signal 9", "", {"aborted"}),
    "hangs": ("command", "hang", "timeout: 1s", {"timeout"}),
    "deaf": ("command", "ignore-all hang", "timeout: 1s", {"timeout"}),
    "sleeps": ("command", "stop hang", "timeout: 1s", {"timeout"}),
    "leaves": ("command", "child 60 setsid-child 60 double-fork 60", "", {"ok"}),
    "hops": ("command", "hop 60 sleep 0.2", "", {"ok"}),
    "crowds": ("command", "fork-many 5 60 exit 1", "", {"crash"}),
    "daemonizes": ("command", "close-stdout sleep 0.5 exit 4", "", {"crash"}),
    "silent": ("command", "say-then-sleep 60", "idle_timeout: 1s\ntimeout: 6s", {"stalled", "timeout"}),
    "loud": ("command", f"flood {3 * MAX_LOG} hang", "timeout: 6s", {"log_overflow", "timeout"}),
    "wedged": (
        *("command", "say-then-sleep 60"),
        'idle_timeout: 3s\ntimeout: 6s\nprobe: [sh, -c, "exit 1"]',
        {"wedged", "stalled", "timeout"},
    ),
    "claude": ("claude", "claude-ok", "", {"ok"}),
    "claude-lingers": (
        "claude",
        "claude-result-then-hang 60",
        "result_grace: 1s\ntimeout: 6s",
        {"ok", "timeout"},
    ),
    "claude-cut": ("claude", "claude-cut", "", {"truncated"}),
    "claude-mute": ("claude", "claude-silent", "", {"aborted"}),
    "claude-529": ("claude", "claude-error 529 Overloaded", "", {"overloaded"}),
    "claude-tools": ("claude", "claude-tool-then-hang 60", "timeout: 1s", {"timeout"}),
    "claude-long": ("claude", "claude-long-line 400000", "", {"ok"}),
    "codex": ("codex", "codex-ok", "", {"ok"}),
    "codex-fails": ("codex", "codex-error boo", "", {"crash"}),
    "gemini": ("gemini", "gemini-ok", "", {"ok"}),
    "gemini-503": ("gemini", "gemini-error 503", "", {"overloaded"}),
}


def prompts() -> dict[str, str]:
    """A prompt file for each."""
    return {name: _prompt(*row[:3]) for name, row in DESERTS.items()}


def _prompt(runner: str, words: str, keys: str) -> str:
    if runner != "command":
        how = f"runner: {runner}\nargs: {json.dumps(words.split())}\n"
    else:
        file = '"$CADENCE_HOME/again-$CADENCE_TICK_ID"'
        shell = f"exec {own_python.find()} {AGENT} {words.format(file=file)}"
        how = f"command: {json.dumps(['sh', '-c', shell])}\n"
    retries = "" if "retries" in keys else "retries: 0\n"
    return f"---\nconcurrency: 20\n{how}{retries}{keys}\n---\nMisbehave.\n"


def judged(ground: Ground, killed: set[str]) -> list[str]:
    """Every tick ended as it deserves, after as many counted runs as it deserves, one after the other."""
    faults: list[str] = []
    told = _told(ground)
    for folder, tick_id, path in audit.tick_files(ground):
        tick = json.loads(path.read_bytes())
        name, got = tick["cadence"], (tick.get("outcome") or {}).get("class")
        wanted = DESERTS[name][3] | ({"killed"} if tick_id in killed else set())
        if got not in wanted:
            reason = (tick.get("outcome") or {}).get("reason")
            faults.append(
                f"class: {tick_id} ({name}, {folder}) is {got}, not {' or '.join(wanted)}: {reason}"
            )
        faults += _counted(tick_id, tick, killed=tick_id in killed)
        faults += _in_turn(ground, tick_id, tick)
        for attempt in tick.get("attempts", []):
            missing = {"run.started", "run.ended"} - told[attempt["run"]]
            faults += [f"journal: {attempt['run']} lacks {event}" for event in sorted(missing)]
        if len(ends := {event for event in told[tick_id] if event in {"tick.done", "tick.dead"}}) != 1:
            faults.append(f"journal: {tick_id} has the ends {sorted(ends)}")
    return faults


def _counted(tick_id: str, tick: dict[str, Any], *, killed: bool) -> Iterator[str]:
    """One failure is counted once, and what ended well or was interrupted never."""
    counted = [attempt["class"] for attempt in tick.get("attempts", []) if attempt.get("counted")]
    most = 0 if tick["outcome"]["class"] in {"ok", "killed"} else 1
    if tick["cadence"] == "again":
        most = 1
    if len(counted) > most or (not killed and tick["outcome"]["status"] == "dead" and len(counted) != 1):
        yield f"counted: {tick_id} ({tick['cadence']}) was counted {len(counted)} times: {counted}"


def _in_turn(ground: Ground, tick_id: str, tick: dict[str, Any]) -> Iterator[str]:
    """A run starts after the end of the one before."""
    ended = 0.0
    for attempt in tick.get("attempts", []):
        (folder,) = (ground.state / "runs").glob(f"*/{attempt['run']}")
        # A consumer that was killed before it had furnished the folder started nothing in it.
        started = json.loads((folder / "run.json").read_bytes()).get("monotonic", ended)
        if started < ended:
            early = f"{ended - started:.3f} s too early"
            yield f"run twice while alive: {tick_id}: {attempt['run']} began {early}"
        for record in folder.glob("exit.*"):
            text = record.read_text()
            ended = json.loads(text)["monotonic"] if text else ended


def _told(ground: Ground) -> dict[str, set[str]]:
    """The events of each tick and of each run."""
    told: dict[str, set[str]] = defaultdict(set)
    for fact in audit.journal(ground):
        told[fact.get("tick", "")].add(fact["event"])
        told[fact.get("run", "")].add(fact["event"])
    return told
