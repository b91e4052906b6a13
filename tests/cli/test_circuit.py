"""`cadence circuit`: open breakers, and closing them by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually


def test_an_open_circuit_is_listed_and_reset(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Reset closes it, forgets the failures, removes hold and snapshot; the cadence runs at once."""
    define("bad", "exit 1", retries=0, backoff=[0], circuit={"failures": 2})
    for n in range(3):
        enqueue("bad", "--set", f"n={n}")
    for _ in range(2):
        cadence("run", "--once", "--quiet")
    (row,) = json.loads(cadence("circuit", "--json").stdout)
    assert (row["cadence"], row["state"], row["failures"]) == ("bad", "open", 2)
    assert "bad" in cadence("circuit", "ls").stdout
    assert (home / "state" / "circuit-open.json").exists()
    assert cadence("circuit", "reset", "bad").stdout.startswith("bad: its circuit is closed")
    assert json.loads(cadence("circuit", "--json").stdout) == []
    assert not (home / "state" / "circuit-open.json").exists()
    assert not list((home / "state" / "holds").iterdir())
    memory = json.loads((home / "state" / "cadences" / "bad.json").read_text())
    assert (memory["failures"], memory["circuit"]) == (0, None)
    define("bad")
    assert cadence("run", "--drain", "--quiet").returncode == 0


def test_no_open_circuit_is_shown_once_it_is_released(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """By `resume` with no consumer up, and by a hand that removes the hold of one that is."""
    define("bad", "exit 1", retries=0, backoff=[0], circuit={"failures": 1})
    enqueue("bad")
    cadence("run", "--once", "--quiet")
    drawn = home / "state" / "circuit-open.json"
    assert drawn.exists()
    assert cadence("resume", "bad").returncode == 0
    assert not drawn.exists()
    enqueue("bad")
    consumer()
    eventually(drawn.exists)
    (home / "state" / "holds" / "cadence-bad.circuit_open.json").unlink()
    eventually(lambda: not drawn.exists())


def test_a_circuit_whose_hold_is_gone_is_half_open(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Deleting the file releases the hold: one probe may go."""
    define("bad", "exit 1", retries=0, backoff=[0], circuit={"failures": 1})
    enqueue("bad")
    cadence("run", "--once", "--quiet")
    (home / "state" / "holds" / "cadence-bad.circuit_open.json").unlink()
    (row,) = json.loads(cadence("circuit", "--json").stdout)
    assert row["state"] == "half-open"
    assert json.loads(cadence("circuit", "reset", "--all", "--json").stdout) == {"reset": ["bad"]}


def test_reset_wants_to_know_which(cadence: Cadence, define: Define) -> None:
    """One name or --all; an unknown name is 66; nothing to reset is no error."""
    define("work")
    assert cadence("circuit", "reset").returncode == 64
    assert cadence("circuit", "reset", "work", "--all").returncode == 64
    assert cadence("circuit", "reset", "wrok").returncode == 66
    assert cadence("circuit", "reset", "work").returncode == 0
    assert cadence("circuit", "reset", "--all").returncode == 0
