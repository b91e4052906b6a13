"""Between two turns the loop hears everybody."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from cadencebus.daemon import loop
from cadencebus.daemon.consumer import Consumer

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear


def test_a_bell_that_never_rests_keeps_no_signal_from_being_heard() -> None:
    """A flood rings during each turn; what else the loop is told of must not wait for its end."""

    async def flooded() -> int:
        consumer = cast("Consumer", SimpleNamespace(bell=asyncio.Event(), next_look=lambda: 30.0))
        heard = asyncio.Event()
        asyncio.get_running_loop().call_soon(heard.set)
        for turns in range(100):
            consumer.bell.set()
            await loop._pause(consumer, None)
            if heard.is_set():
                return turns
        return 100

    assert asyncio.run(flooded()) < 5


def test_a_pause_ends_in_its_time() -> None:
    """Nobody rings, and something is due; and an alarm that is not needed any more rings for nobody."""

    async def paused() -> tuple[float, bool]:
        consumer = cast("Consumer", SimpleNamespace(bell=asyncio.Event(), next_look=lambda: 0.05))
        began = time.monotonic()
        await loop._pause(consumer, None)
        took = time.monotonic() - began
        consumer.bell.set()
        await loop._pause(consumer, None)
        consumer.bell.clear()
        await asyncio.sleep(0.1)
        return took, consumer.bell.is_set()

    took, rung = asyncio.run(paused())
    assert 0.05 <= took < 5
    assert not rung


def test_who_only_waits_for_sessions_does_not_turn_for_what_is_due(gear: Gear) -> None:
    """After a first Ctrl-C no gate is asked and no schedule fires, so nobody looks whether one should."""

    async def stopping() -> float:
        consumer = Consumer(gear)
        consumer.stopping = True
        consumer.turn()
        consumer.presence.beat()
        return consumer.next_look()

    assert asyncio.run(stopping()) > 1.0
