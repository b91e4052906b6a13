"""The consumer tidies once a day, by itself."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from cadencebus.clock import day, stamp
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.gc_daily import DailyGc, read_clocks
from cadencebus.policy.clock_trust import Trust
from cadencebus.store import archive, gc_state, journal
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FakeClock

DAY = 86400.0
OLD = time.time() - 20 * DAY


def done_long_ago(home: Path) -> Path:
    """Lay a tick into the folder of a day that retention is done with."""
    folder = home / "state" / "done" / day(OLD)
    folder.mkdir()
    (folder / f"5-{stamp(OLD)}-old-00000001.json").write_text("{}")
    return folder


def test_the_first_day_takes_down_the_clock_and_the_second_tidies(home: Path, fake_clock: FakeClock) -> None:
    """Due a minute after the start, then a day later; every waiting tick is as it was."""
    old = done_long_ago(home)
    waiting = home / "state" / "inbox" / f"5-{stamp(OLD)}-old-00000002.json"
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


def test_while_the_clock_is_in_doubt_nothing_goes_and_one_gc_makes_way_for_another(home: Path) -> None:
    """A clock that jumped 40 days ahead makes everything look old: it is said, and waited out."""
    old = done_long_ago(home)
    said: list[str] = []
    gear = assemble(Home(str(home)), flags={}, say=said.append)
    clocks = read_clocks()
    gc_state.save(gear.home, Trust(clocks=replace(clocks, wall=clocks.wall - 40 * DAY)))
    with archive.alone(gear.home.tmp):
        asyncio.run(DailyGc(gear).do())
    assert (said, journal.days(gear.home)) == ([], [])
    for _ in range(2):
        asyncio.run(DailyGc(gear).do())
    assert old.exists()
    assert said == ["gc waits for a day: the clock jumped 40 days ahead"] * 2
    assert [line["event"] for line in journal.read(gear.home)] == ["gc.refused"] * 2
    gear.journal.close()


def test_what_gc_could_not_do_is_said_and_the_rest_is_done(home: Path) -> None:
    """Letters can't be archived; what is done long ago goes all the same."""
    old = done_long_ago(home)
    letter = home / "state" / "dead" / f"5-{stamp(OLD)}-old-00000003.json"
    letter.write_text("{}")
    os.utime(letter, (OLD, OLD))
    (home / "state" / "dead-archive.jsonl").mkdir()
    (home / "cadence.yaml").write_text("retention: {dead: 10d}\n")
    said: list[str] = []
    gear = assemble(Home(str(home)), flags={}, say=said.append)
    gc_state.save(gear.home, Trust(clocks=read_clocks()))
    asyncio.run(DailyGc(gear).do())
    assert (old.exists(), letter.exists()) == (False, True)
    assert said == ["gc: dead-archive.jsonl: Is a directory"]
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
