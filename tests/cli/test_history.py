"""`cadence history`, `stats`, `cadences`: how things went, and how they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence


@pytest.fixture
def past(cadence: Cadence, define: Define, enqueue: Callable[..., str]) -> list[str]:
    """Let three runs end, one of them badly."""
    define("good", overlap="queue")
    define("bad", "echo why >&2; exit 3", retries=0)
    ids = [enqueue("good"), enqueue("good"), enqueue("bad")]
    cadence("run", "--drain", "--quiet")
    return ids


def test_history_tells_of_every_run_once(home: Path, cadence: Cadence, past: list[str]) -> None:
    """By cadence and time; a line that stands twice in the journal is the same fact."""
    (day,) = (home / "state" / "events").iterdir()
    lines = [line for line in day.read_text().splitlines() if "run.ended" in line]
    day.write_text(day.read_text() + lines[0] + "\n{torn\n")
    told = [json.loads(line) for line in cadence("history", "--json").stdout.splitlines()]
    assert sorted(line["tick"] for line in told) == sorted(past)
    assert all(line["event"] == "run.ended" and line["waited"] >= 0 for line in told)
    table = cadence("history", "--cadence", "bad").stdout.splitlines()
    assert len(table) == 2
    assert past[2] in table[1]
    assert "why" in table[1]
    assert len(cadence("history", "-n", "1").stdout.splitlines()) == 2
    assert cadence("history", "--since", "0s").stdout == ""


def test_stats_sum_up_by_cadence(cadence: Cadence, past: list[str]) -> None:
    """Rate, percentiles, classes."""
    rows: list[dict[str, Any]] = json.loads(cadence("stats", "--json").stdout)
    bad, good = rows
    assert (bad["cadence"], bad["runs"], bad["success_rate"], bad["classes"]) == ("bad", 1, 0.0, {"crash": 1})
    assert (good["cadence"], good["runs"], good["ok"], good["classes"]) == ("good", 2, 2, {})
    assert 0 < good["seconds"]["p50"] <= good["seconds"]["p95"] <= good["seconds"]["max"]
    table = cadence("stats").stdout
    assert "100%" in table
    assert "crash 1" in table


def test_cadences_say_how_they_run_and_fare(
    home: Path, cadence: Cadence, define: Define, past: list[str]
) -> None:
    """State, schedule in words, last run; what ails one is told."""
    define("timed", schedule="*/5 8-19 * * mon-fri", description="Now and \x1b[31mthen")
    define("off", enabled=False)
    (home / "prompts" / "broken.md").write_text("---\nretires: 2\n---\n")
    rows = {row["name"]: row for row in json.loads(cadence("cadences", "--json").stdout)}
    assert {name: row["state"] for name, row in rows.items()} == {
        "bad": "held",
        "broken": "broken",
        "good": "well",
        "off": "disabled",
        "timed": "well",
    }
    assert rows["good"]["last_run"]["class"] == "ok"
    assert "every 5 minutes" in rows["timed"]["when"]
    ended = cadence("cadences")
    assert "Now and then" in ended.stdout
    assert "broken: prompts/broken.md:2: retires: unknown key" in ended.stderr
