"""The bus's own clock in a real consumer: seconds, kills, edits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import parse_rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cadence, Eventually

QUICK = "settle: 200ms\ndefaults: {runner: command, command: ['true'], backoff: [20ms]}\n"


@pytest.fixture
def consumer(home: Path, environment: dict[str, str]) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start consumers of this home that live on; they are gone when the test is over."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        words = [str(Path(sys.executable).with_name("cadence")), "run", "--quiet"]
        started.append(subprocess.Popen(words, env=environment, cwd=home))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=15)


def done(home: Path) -> list[dict[str, Any]]:
    """Every finished tick, in the order of their slots."""
    return [json.loads(path.read_bytes()) for path in sorted(home.glob("state/done/*/*.json"))]


def test_killed_again_and_again_it_fires_each_second_once(
    home: Path, consumer: Callable[[], subprocess.Popen[bytes]], eventually: Eventually
) -> None:
    """With `catch_up: all` the seconds of downtime come, too; nothing dies as somebody's twin."""
    (home / "cadence.yaml").write_text(QUICK)
    (home / "prompts" / "tick.md").write_text("---\nevery: 1s\ncatch_up: all\noverlap: queue\n---\nNow.\n")
    for enough in (1, 2):
        process = consumer()
        eventually(lambda: len(done(home)) >= enough, message="it fires")  # noqa: B023 - asked at once
        process.kill()
        process.wait()
    consumer()
    seen = len(done(home))
    eventually(lambda: len(done(home)) >= seen + 1 and not list((home / "state/inbox").iterdir()))
    slots = [parse_rfc3339(tick["slot"]) for tick in done(home)]
    assert slots == [slots[0] + n for n in range(len(slots))]
    assert not list((home / "state" / "dead").iterdir())
    assert all(tick["outcome"]["status"] == "ok" for tick in done(home))


def test_edits_and_new_files_are_seen_without_a_restart(
    home: Path, cadence: Cadence, consumer: Callable[[], subprocess.Popen[bytes]], eventually: Eventually
) -> None:
    """A file dropped in fires; broken it goes on; switched off it stops; a heartbeat is a file like it."""
    (home / "cadence.yaml").write_text(QUICK)
    consumer()
    eventually((home / "state" / "consumer.json").exists)
    path = home / "prompts" / "tick.md"
    path.write_text("---\nevery: 1s\n---\nNow.\n")
    eventually(lambda: done(home), message="it fires")
    path.write_text("---\nevery: never\n---\nNow.\n")
    eventually(lambda: list((home / "state" / "inbox").glob("*-tick-*")), message="it goes on, and waits")
    path.write_text("---\nevery: 1s\nenabled: false\n---\nNow.\n")
    (home / "HEARTBEAT.md").write_text("tasks:\n- name: beat\n  interval: 1s\n  prompt: Look.\n")
    eventually(lambda: [tick for tick in done(home) if tick["cadence"] == "beat"], message="it beats")
    (row,) = [row for row in json.loads(cadence("next", "--json").stdout) if not row["missed"]]
    assert (row["cadence"], row["when"], row["by"]) == ("beat", "every second", "clock")


def test_draining_fires_nothing(home: Path, cadence: Cadence) -> None:
    """It brings to an end what is there: a schedule would never let it."""
    (home / "cadence.yaml").write_text(QUICK)
    (home / "prompts" / "tick.md").write_text("---\nevery: 1s\n---\nNow.\n")
    cadence("enqueue", "tick")
    assert cadence("run", "--drain").returncode == 0
    assert [tick["source"] for tick in done(home)] == ["cli"]
