"""What one gc knew of the clock is there for the next, or nothing of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.policy.clock_trust import Clocks, Trust
from cadencebus.store import gc_state
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
CLOCKS = Clocks(wall=NOW, steady=12.5, boot="b")


@pytest.mark.parametrize(
    "known", [Trust(clocks=CLOCKS), Trust(clocks=CLOCKS, doubted_at=NOW - 5, doubt="why")]
)
def test_what_was_known_is_read_back(home: Path, known: Trust) -> None:
    """And what was not there is not known."""
    there = Home(str(home))
    assert gc_state.load(there) is None
    gc_state.save(there, known)
    assert gc_state.load(there) == known


@pytest.mark.parametrize(
    "change",
    [
        {"at": NOW},
        {"steady": "12"},
        {"steady": 10**400},
        {"boot_id": None},
        {"doubted_at": "lately"},
        {"doubt": 5},
        {"doubt": None},
    ],
)
def test_what_makes_no_sense_is_not_known(home: Path, change: dict[str, Any]) -> None:
    """Whatever stands there: the next gc begins anew."""
    there = Home(str(home))
    gc_state.save(there, Trust(clocks=CLOCKS))
    path = home / "state" / "gc.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert gc_state.load(there) is None
    path.write_text("{torn")
    assert gc_state.load(there) is None
