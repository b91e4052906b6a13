"""Nothing from the disk gives orders to a terminal: not names, payloads, logs, notes or settings."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

from cadencebus.cli.main import VERBS
from cadencebus.clock import day, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from tests.security.conftest import Terminal

# Colours, a title, a bell, a C1 control, a reversal of the writing's direction.
EVIL = "\x1b[31mred\x1b]0;pwned\x07\x9b2J\u202egnp\x08\x7f"
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
STAMP = "20261121T023000.123456Z"
NAME = f"5-{STAMP}-brief-7f3k9q2{{}}.json"
RUN = f"{STAMP}-7f3k9q20.1"

# What looks; and what is told to do something with a hostile word.
WORDS = [
    *([verb] for verb in VERBS if verb not in {"run", "up", "down", "restart", "init", "top", "uninstall"}),
    *(["ls", state] for state in ("inbox", "deferred", "claimed", "done", "dead")),
    ["dead", "show", "--all"],
    ["doctor", "-v"],
    ["gc", "--dry-run"],
    ["export", "-"],
    ["help", EVIL],
    ["completion", "words", "--", "show", ""],
    ["completion", "words", "--", "fire", ""],
    *(["show", f"7f3k9q2{n}"] for n in range(5)),
    ["logs", "7f3k9q20"],
    ["logs", "7f3k9q20", "--stderr"],
    ["logs", EVIL],
    ["install", "cron", "--print"],
    ["install", "systemd", "--print"],
    *(
        [verb, EVIL]
        for verb in ("enqueue", "fire", "show", "rm", "check", "resume", "circuit", "dead", "wait")
    ),
    ["check", "prompts/broken.md"],
    ["--home", EVIL, "status"],
    ["--json", "status"],
    ["--json", "ls"],
    ["--json", "dead"],
    ["--json", "holds"],
    ["--json", "history"],
    ["--json", "doctor"],
    ["--json", "show", "7f3k9q20"],
]


def hostile(root: Path) -> Path:
    """Make a home in which everything that can be written says something evil."""
    state = root / "state"
    for folder in (
        "inbox",
        "deferred",
        "claimed",
        "dead",
        "tmp",
        "runs",
        "keys",
        "holds",
        "cadences",
        "events",
    ):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (root / "prompts").mkdir()
    (state / "FORMAT").write_text("1\n")
    (root / "prompts" / "brief.md").write_text(
        '---\nrunner: command\ncommand: ["true"]\ndescription: "\\e[31mred\\a"\nevery: 1h\n---\n'
    )
    (root / "prompts" / "broken.md").write_text(f"---\n{EVIL}: 1\n---\n")
    (root / "prompts" / "worse.md").write_text('---\n"\\e[31m\\a": "\\e]0;x\\a"\nrunner: "\\e[1m"\n---\n')
    (root / "prompts" / f"{EVIL}.md").write_text(EVIL)
    (root / "cadence.yaml").write_text('"\\e[31m\\x9b2J": "\\a"\n')
    now = rfc3339(time.time())
    attempt = {"n": 1, "class": EVIL, "reason": EVIL, "stderr_tail": EVIL, "run": RUN, "started_at": now}
    tick = {
        "cadence": "brief",
        "source": EVIL,
        "key": EVIL,
        "payload": {EVIL: EVIL},
        EVIL: EVIL,
        "attempts": [attempt],
        "outcome": {"status": EVIL, "class": EVIL, "reason": EVIL, "finished_at": now},
    }
    text = json.dumps(tick, ensure_ascii=False)
    (state / "done" / day(time.time())).mkdir(parents=True)
    places = ("dead", "inbox", "claimed", f"done/{day(time.time())}", "dead")
    for at, folder in enumerate(places):
        (state / folder / NAME.format(at)).write_text(text)
    (state / "deferred" / f"29991121T000000.000000Z~{NAME.format(5)}").write_text(text)
    (state / "dead" / f"{NAME.format(4)}.raw").write_text(EVIL)
    for folder in ("inbox", "dead", "claimed", "holds", "cadences", "runs", "done", "tmp"):
        (state / folder / f"{EVIL}.json").write_text(EVIL)
    note = {"scope": EVIL, "reason": EVIL, "since": now, "until": None, "detail": EVIL, "by": EVIL}
    for name in ("bus.paused", "cadence-brief.circuit_open", f"cadence-{EVIL}.auth"):
        (state / "holds" / f"{name}.json").write_text(json.dumps(note))
    memory = {
        "failures": 3,
        "circuit": {"reason": EVIL, "since": now, "until": now, "failures": 3},
        "last_run": {"run": RUN, "class": EVIL, "at": now},
        "session_id": EVIL,
    }
    (state / "cadences" / "brief.json").write_text(json.dumps(memory))
    for file in ("consumer.json", "supervisor.json", "installed.json", "circuit-open.json", "gc.json"):
        said = {"pid": EVIL, "version": EVIL, "heartbeat_at": EVIL, "by": EVIL, "doubt": EVIL, "open": [note]}
        (state / file).write_text(json.dumps(said))
    ended = {"at": now, "event": "run.ended", "cadence": EVIL, "tick": f"{STAMP}-7f3k9q20", "run": EVIL}
    lines = [ended | {"class": EVIL, "reason": EVIL, "seconds": 1.0, "hold": EVIL, "scope": EVIL}] * 2
    lines.append(lines[0] | {"cadence": "brief", "run": RUN})
    (state / "events" / f"{day(time.time())}.jsonl").write_text("".join(f"{json.dumps(x)}\n" for x in lines))
    run = state / "runs" / "2026-11-21" / RUN
    run.mkdir(parents=True)
    record = {"runner": EVIL, "reason": EVIL, "argv": [EVIL], "cwd": EVIL, "leaked": [{"name": EVIL}]}
    (run / "run.json").write_text(json.dumps(record | {"started_at": now, "cadence": EVIL, "stream": EVIL}))
    (run / "stdout.log").write_text(f"{EVIL}\n")
    (run / "stderr.log").write_text(f"{EVIL}\n")
    (state / "consumer.log").write_text(f"{EVIL}\n")
    for path in (root, *root.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return root


def test_no_verb_lets_an_escape_through(tmp_path: Path, terminal: Terminal) -> None:
    """Every verb, on a home whose very name is hostile, in a real terminal."""
    root = hostile(tmp_path / f"bus{EVIL.replace('/', '')}")
    said = terminal(WORDS, str(root))
    assert len(said) == len({" ".join(words) for words in WORDS})
    bad = {words: text for words, text in said.items() if OBEYED.search(text)}
    assert not bad, "\n".join(f"{words!r}: {text!r}" for words, text in bad.items())
    fell = {words: text for words, text in said.items() if "Traceback" in text}
    assert not fell, "\n".join(f"{words!r}: {text}" for words, text in fell.items())
    assert any("red" in text for text in said.values()), "it was shown, and cleaned"
