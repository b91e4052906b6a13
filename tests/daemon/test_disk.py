"""A state folder that refuses for hours: the consumer waits for it, and that costs next to nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.consumer import Consumer
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

TURNS = 50


def test_trouble_that_lasts_is_looked_at_by_one_task_and_not_at_every_turn(home: Path) -> None:
    """Each turn found the same error and left another task behind, a hundred a second: 1 GB an hour."""
    said: list[str] = []
    (home / "state" / "inbox").rmdir()

    async def suffer() -> tuple[int, float]:
        gear = assemble(Home(str(home)), flags={}, say=said.append)
        consumer = Consumer(gear)
        for _ in range(TURNS):
            consumer.turn()
            consumer.presence.beat()
            await asyncio.sleep(0)
        tasks, pause = len(asyncio.all_tasks()), consumer.next_look()
        await consumer.crew.dismiss()
        return tasks, pause

    tasks, pause = asyncio.run(suffer())
    # This one, the trouble's, and the one that probes.
    assert tasks <= 3
    assert pause > 0.4
    assert len(said) == 1, said


def test_trouble_that_comes_again_and_again_is_told_of_once(home: Path) -> None:
    """The folder takes files, and what lies in it can't be read: a line a second would bury all others."""
    said: list[str] = []
    (home / "state" / "inbox").rmdir()

    async def suffer() -> None:
        gear = assemble(Home(str(home)), flags={}, say=said.append)
        consumer = Consumer(gear)
        for _ in range(2):
            consumer.turn()
            await asyncio.sleep(0)
            assert not consumer.idle()
            async with asyncio.timeout(10):
                while not consumer.idle():
                    await consumer.bell.wait()
                    consumer.bell.clear()
        await consumer.crew.dismiss()

    asyncio.run(suffer())
    assert len([line for line in said if "refuses" in line]) == 1, said


def test_the_hold_names_a_place_and_not_the_home(home: Path) -> None:
    """Nothing in state/ holds the home's path: it may be moved while it is held."""
    (home / "state" / "inbox").rmdir()

    async def suffer() -> str:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        consumer.turn()
        await asyncio.sleep(0)
        told = (home / "state" / "holds" / "bus.disk_full.json").read_text()
        await consumer.crew.dismiss()
        return told

    told = asyncio.run(suffer())
    assert str(home) not in told
    assert "state/inbox: No such file" in told


def test_of_a_key_that_could_not_be_taken_the_place_is_told(home: Path) -> None:
    """Of a link's two names the first is a tick's id, which is no place to look at."""
    error = OSError(
        13, "Permission denied", "20261121T023000.123456Z-7f3k9q2m", None, f"{home}/state/keys/ab"
    )

    async def suffer() -> str:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        waiting = asyncio.ensure_future(gear.trouble(error))
        await asyncio.sleep(0)
        told = (home / "state" / "holds" / "bus.disk_full.json").read_text()
        waiting.cancel()
        await consumer.crew.dismiss()
        return told

    assert '"state/keys/ab: Permission denied"' in asyncio.run(suffer())
