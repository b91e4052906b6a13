"""What the looking verbs print as --json is what their published schemas say, busy or ill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def check(cadence: Cadence, *words: str) -> None:
    """Hold what a verb prints to its schema."""
    schema = json.loads((SCHEMAS / f"{words[0]}.schema.json").read_text(encoding="utf-8"))
    ended = cadence(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    Draft202012Validator(schema).validate(json.loads(ended.stdout))


@pytest.fixture
def busy(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
) -> str:
    """Let something run, wait, fail, be held and be due; give the tick that died."""
    define("long", "echo hello; sleep 60", overlap="queue")
    define("bad", "exit 3", retries=0)
    define("timed", every="10m")
    consumer()
    dead = enqueue("bad")
    assert cadence("wait", dead).returncode == 1
    running, _ = enqueue("long"), enqueue("long")
    assert cadence("wait", running, "--timeout", "500ms").returncode == 75
    enqueue("timed", "--in", "1h")
    cadence("pause", "timed", "--for", "1h")
    enqueue("timed")
    return dead


def test_a_busy_home_is_told_by_the_schema(busy: str, cadence: Cadence) -> None:
    """Each verb, each key."""
    for words in (["status"], ["stats"], ["metrics"], ["show", busy]):
        check(cadence, *words)


def test_an_ill_home_is_told_by_the_schema(home: Path, cadence: Cadence, define: Define) -> None:
    """Whatever the files say."""
    state = home / "state"
    define("good")
    tick = cadence("enqueue", "good").stdout.strip()
    (home / "cadence.yaml").write_text("max_sessions: [\n")
    (state / "consumer.json").write_text('{"pid": [], "version": 7, "started_at": 1}')
    (state / "cadences" / "good.json").write_text('{"circuit": {"since": 7}, "failures": "many"}')
    (state / "cadences" / "torn.json").write_text("{")
    (state / "holds" / "strange.json").write_text('{"until": "soon"}')
    (state / "holds" / "cadence-good.circuit_open.json").write_text('{"until": null}')
    (state / "events" / "2026-11-21.jsonl").write_text('{"event": "run.ended", "at": 7}\n{torn\n[]\n')
    (state / "claimed" / "5-20261121T023000.123456Z-good-7f3k9q2m.json").write_text("[]")
    (state / "dead").rmdir()
    for words in (["status"], ["stats"], ["metrics"], ["show", tick]):
        check(cadence, *words)
