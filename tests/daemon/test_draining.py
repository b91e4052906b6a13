"""A drain ends when nothing is left that could run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from cadencebus.daemon import draining
from cadencebus.daemon.consumer import Consumer

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear


def test_a_drain_does_not_end_where_it_can_not_look(gear: Gear) -> None:
    """It ended with 74 in the middle of a disk's trouble; what can't be looked at may still wait."""

    async def looked() -> tuple[object, bool, bool]:
        consumer = Consumer(gear)
        consumer.calendar.add("20991121T120000.000000Z~5-20261121T000000.000000Z-x-7f3k9q2m.json")
        before = consumer.idle()
        over = draining.left_over(consumer)
        await asyncio.sleep(0)
        after = consumer.idle()
        await consumer.crew.dismiss()
        return over, before, after

    deferred = Path(gear.home.deferred)
    deferred.rmdir()
    deferred.touch()
    assert asyncio.run(looked()) == (None, True, False)
