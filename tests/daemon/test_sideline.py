"""Ticks that need no run of their own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cadencebus.daemon.closing import Closing
from cadencebus.daemon.index import Index
from cadencebus.daemon.sideline import Sideline
from cadencebus.model.tick import Tick
from cadencebus.store.inlet import new_id
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.daemon.gear import Gear


class Guarded(Spool):
    """A queue with one file in it that belongs to another user: root, who runs tests too, may read any."""

    shut = ""

    def read(self, folder: str, file: str) -> Tick:
        """Read any other."""
        if file == self.shut:
            raise PermissionError(13, "Permission denied", f"{self.home.state}/{folder}/{file}")
        return super().read(folder, file)


def test_a_file_that_may_not_be_read_holds_nobody_up(gear: Gear) -> None:
    """It is buried when its turn comes; the whole bus was held over it each time, as by a full disk."""
    spool = gear.spool = Guarded(gear.home)
    now = time.time()
    ticks = [Tick(id=new_id(now), cadence="x", source="cli", created_at=now) for _ in range(2)]
    spool.put(ticks, now)
    spool.shut, other = (tick.name.file for tick in ticks)
    asyncio.run(Sideline(gear, Index()).skip("x", [spool.shut, other]))
    assert [path.name for path in Path(gear.home.inbox).iterdir()] == [spool.shut]
    assert [path.name for path in Path(gear.home.done).rglob("*.json")] == [other]


class Weighed(Closing):
    """Notes how much it was given at once."""

    def __init__(self, gear: Gear) -> None:
        super().__init__(gear.spool, gear.holds, gear.memory, gear.journal)
        self.at_once: list[int] = []

    def finish_unrun(self, ticks: Iterable[tuple[Tick, str, str]], now: float, **extra: object) -> list[Tick]:
        """Note, and finish."""
        given = list(ticks)
        self.at_once.append(sum(len(tick.bytes()) for tick, _, _ in given))
        return super().finish_unrun(given, now, **extra)


def test_large_ticks_are_not_all_in_memory_at_once(gear: Gear) -> None:
    """A thousand of a megabyte, set aside two hundred at a time, made the consumer a gigabyte large."""
    closing = gear.closing = Weighed(gear)
    now = time.time()
    ticks = [
        Tick(id=new_id(now), cadence="x", source="cli", created_at=now, payload={"text": "y" * 1_000_000})
        for _ in range(12)
    ]
    gear.spool.put(ticks, now)
    asyncio.run(Sideline(gear, Index()).skip("x", [tick.name.file for tick in ticks]))
    assert len(list(Path(gear.home.done).rglob("*.json"))) == len(ticks)
    assert max(closing.at_once) < 5_000_000
