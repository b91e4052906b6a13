"""The bell: when a run is over it rings at once, and it never rings before."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

from cadencebus.session import life
from cadencebus.session.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.session.conftest import Session, Start


async def _rings(run: Session, within: float = 5.0) -> float:
    """When the bell rang."""
    async with asyncio.timeout(within):
        await Bell().ended(str(run.folder), run.shim)
    return time.monotonic()


def test_it_rings_as_soon_as_the_shim_is_gone(start: Start, slowness: Callable[[], float]) -> None:
    """Within milliseconds: nobody polls."""
    run = start("sleep", "0.3")
    rang = asyncio.run(_rings(run))
    end = life.exit_record(str(run.folder))
    assert end is not None
    assert end.monotonic is not None
    assert 0 <= rang - end.monotonic < 0.25 * slowness()
    assert not run.alive


def test_it_rings_for_a_shim_that_was_killed(start: Start) -> None:
    """There is no record then, and the bell does not ask for one."""
    run = start("hang")
    os.kill(run.shim, signal.SIGKILL)
    asyncio.run(_rings(run))
    assert not run.alive


def test_it_rings_for_a_run_that_is_long_over(tmp_path: Path) -> None:
    """Nobody left a note, nobody holds the lock."""
    asyncio.run(asyncio.wait_for(Bell().ended(str(tmp_path), None), 1.0))


def test_a_lock_that_somebody_else_holds_is_waited_for_gently(
    tmp_path: Path, slowness: Callable[[], float]
) -> None:
    """The note names a process that is gone, the lock is held: asked again, less and less often."""
    held = life.open_alive(str(tmp_path))

    async def release_later() -> float:
        began, cpu = time.monotonic(), time.process_time()
        asyncio.get_running_loop().call_later(0.4, os.close, held)
        await asyncio.wait_for(Bell().ended(str(tmp_path), None), 20.0)
        assert time.process_time() - cpu < 0.2
        return time.monotonic() - began

    assert 0.4 <= asyncio.run(release_later()) < 2.0 * slowness()
