"""The consumer tidies once a day, by itself."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import TYPE_CHECKING

from cadencebus.clock import day, stamp
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.gc_daily import DailyGc
from cadencebus.store import gc_state
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FakeClock

DAY = 86400.0


def test_the_first_day_takes_down_the_clock_and_the_second_tidies(home: Path, fake_clock: FakeClock) -> None:
    """Due a minute after the start, then a day later; every waiting tick is as it was."""
    at = time.time() - 20 * DAY
    old = home / "state" / "done" / day(at)
    old.mkdir()
    (old / f"5-{stamp(at)}-old-00000001.json").write_text("{}")
    waiting = home / "state" / "inbox" / f"5-{stamp(at)}-old-00000002.json"
    waiting.write_text("{}")
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    gear.clock = fake_clock
    chore = DailyGc(gear)
    assert chore.due_in() == 60
    asyncio.run(chore.do())
    assert chore.due_in() == DAY
    assert old.exists()
    assert gc_state.load(gear.home) is not None
    asyncio.run(chore.do())
    assert not old.exists()
    assert waiting.exists()
    lines = [
        json.loads(line)
        for path in (home / "state/events").iterdir()
        for line in path.read_text().splitlines()
    ]
    assert [line["done"] for line in lines if line["event"] == "gc.done"] == [1]
    gear.journal.close()


def test_a_consumer_that_came_back_soon_does_not_tidy_again(home: Path, fake_clock: FakeClock) -> None:
    """The day is counted on from the last gc."""
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    asyncio.run(DailyGc(gear).do())
    fake_clock.jump(time.time() + DAY / 4 - fake_clock.wall())
    gear.clock = fake_clock
    assert DAY * 0.7 < DailyGc(gear).due_in() < DAY * 0.8
    fake_clock.jump(-400 * DAY)
    assert DailyGc(gear).due_in() <= DAY
    os.unlink(home / "state" / "gc.json")
    gear.journal.close()
