"""Between two turns the loop hears everybody."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from cadencebus.daemon import loop

if TYPE_CHECKING:
    from cadencebus.daemon.consumer import Consumer


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
