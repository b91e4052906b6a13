"""How long something has to wait: as the runs before it went, or at the latest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.desk.estimate import Expected, expected
from cadencebus.desk.snapshot import Snapshot
from cadencebus.policy.admit import Wait
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = parse_rfc3339("2026-11-21T12:00:00Z")


def running(
    home: Path, cadence: str, *, spent: float | None, limit: float | None, usual: float | None = None
) -> None:
    """Let a run of a cadence be under way."""
    end = cadence * 8
    (home / "state" / "claimed" / f"5-20261121T115000.000000Z-{cadence}-{end}.json").write_text("{}")
    run = home / "state" / "runs" / "2026-11-21" / f"20261121T115000.000000Z-{end}.1"
    run.mkdir(parents=True)
    began = {} if spent is None else {"started_at": rfc3339(NOW - spent)}
    (run / "run.json").write_text(json.dumps(began | {"deadline_s": limit}))
    averages = {} if usual is None else {"averages": {"seconds": usual}}
    (home / "state" / "cadences" / f"{cadence}.json").write_text(json.dumps(averages))


def told(home: Path, reason: str, cadence: str = "a", until: float | None = None) -> Expected | None:
    """What is said of something that waits for this reason."""
    return expected(Snapshot(Home(str(home)), NOW), cadence, Wait(reason, "", until))


def test_what_has_an_end_ends_then(home: Path) -> None:
    """Exactly; what is past is now, and of what nobody knows nothing is said."""
    assert told(home, "paused", until=NOW + 90) == Expected(90)
    assert told(home, "paused", until=NOW - 90) == Expected(0)
    assert told(home, "paused") is None
    assert told(home, "running") is None


@pytest.mark.parametrize(
    ("spent", "limit", "usual", "said"),
    [
        (20, 100, 60, Expected(40, "about ")),
        (20, 100, None, Expected(80, "at most ")),
        # It takes longer than ever: then until its time-out, if it has one, and if that is not over.
        (60, 100, 60, Expected(40, "at most ")),
        (20, None, None, None),
        (100, 100, 60, None),
        (None, 100, 60, None),
    ],
)
def test_a_run_is_expected_to_take_what_it_usually_takes(
    home: Path, spent: float | None, limit: float | None, usual: float | None, said: Expected | None
) -> None:
    """Else what it may take; another cadence's says nothing of it."""
    running(home, "a", spent=spent, limit=limit, usual=usual)
    assert told(home, "running") == told(home, "probing") == said
    assert told(home, "running", "b") is None


def test_a_slot_is_free_with_the_first_end_and_all_are_with_the_last(home: Path) -> None:
    """To be alone all must be known to end."""
    running(home, "a", spent=20, limit=100, usual=60)
    running(home, "b", spent=10, limit=1000, usual=400)
    assert told(home, "full") == Expected(40, "about ")
    assert told(home, "exclusive") == Expected(390, "about ")
    running(home, "c", spent=10, limit=600)
    assert told(home, "full") == Expected(40, "about ")
    assert told(home, "exclusive") == Expected(990, "at most ")
    running(home, "d", spent=10, limit=None)
    assert told(home, "full") == Expected(40, "about ")
    assert told(home, "exclusive") is None
