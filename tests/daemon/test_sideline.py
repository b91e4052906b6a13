"""Ticks that need no run of their own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cadencebus.daemon.index import Index
from cadencebus.daemon.sideline import Sideline
from cadencebus.model.tick import Tick
from cadencebus.store.inlet import new_id
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
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
