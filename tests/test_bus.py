"""The library: what it is given becomes a tick, or an error that says what is wrong with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

import pytest

from cadencebus.bus import Bus, Maker, Moment
from cadencebus.clock import rfc3339
from cadencebus.errors import BadData
from cadencebus.model.tick import read_members
from cadencebus.store import make_home
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1795262400.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with the cadence `hello`."""
    home = Home(str(tmp_path))
    make_home.make(home)
    return home


@pytest.mark.parametrize("step", [0, -3_600_000_000_000])
def test_a_batch_keeps_its_order_whatever_the_clock_does(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stamps differ by a microsecond at least, though the clock stand still or step back."""
    clock = count(int(NOON * 1e9), step)
    monkeypatch.setattr("cadencebus.bus.time.time_ns", lambda: next(clock))
    maker = Maker("test", {})
    stamps = [maker.make({"cadence": "hello"})[0].stamp for _ in range(300)]
    monkeypatch.undo()
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize(
    ("moment", "spelled"),
    [
        (NOON, "2026-11-21T12:00:00.000000Z"),
        (datetime(2026, 11, 21, 12, tzinfo=UTC), "2026-11-21T12:00:00.000000Z"),
        ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"),
    ],
)
def test_a_moment_may_be_given_in_many_ways(home: Home, moment: Moment, spelled: str) -> None:
    """Text stays as it was written."""
    tick_id = Bus(home.root).enqueue("hello", expires_at=moment)
    with open(f"{home.inbox}/5-{tick_id[:23]}-hello-{tick_id[24:]}.json", "rb") as file:
        assert read_members(file.read())["expires_at"] == spelled


def test_a_span_counts_from_now(home: Home) -> None:
    """In either direction."""
    before = datetime.now(UTC).timestamp()
    name, _, due = Bus(home.root)._made({"cadence": "hello", "not_before": timedelta(hours=1)})
    assert due is not None
    assert before + 3600 - 0.001 <= due <= before + 3700
    assert name.stamp >= rfc3339(before).replace("-", "").replace(":", "")


@pytest.mark.parametrize(
    "moment", [timedelta.max, timedelta.min, float("nan"), 1e300, -1e13, "tomorrow", [1]]
)
def test_what_is_no_moment_is_refused_in_words(home: Home, moment: Moment) -> None:
    """Nor is one that no file could hold; nothing is put in."""
    with pytest.raises(BadData, match="not_before"):
        Bus(home.root).enqueue("hello", not_before=moment)
