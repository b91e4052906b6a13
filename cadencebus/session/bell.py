"""Ring when a run is over. The bell is a hint, the lock on `alive` is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from typing import TYPE_CHECKING

from cadencebus.session import life

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# However reliable the kernel's word is: an end that it does not report is noticed by then.
_LOOK_AGAIN = 1.0
# Where nothing rings, or rings too early: look soon, then less and less often.
_SOON, _SELDOM = 0.001, 0.1


class Bell:
    """Waits for the ends of processes that are nobody's children."""

    async def ended(self, run_dir: str, shim: int | None) -> None:
        """Return when the run's shim is gone."""
        tells = way_to_wait()
        pause = 0.0
        while life.is_alive(run_dir):
            await asyncio.sleep(pause)
            pid = shim
            if pid is None and (note := life.read_alive(run_dir)) is not None:
                pid = note.shim
            # No note yet; or its writer is gone, and the lock, of which somebody holds a copy, is not.
            waited = bool(pid and tells and await tells(pid))
            pause = 0.0 if waited else min(max(pause * 2, _SOON), _SELDOM)


def way_to_wait() -> Callable[[int], Awaitable[bool]] | None:
    """How this platform tells that a process ended; None where it has to be asked again and again.

    What it returns waits for the end of a pid, at most a second; True where it could wait at all.
    """
    if hasattr(os, "pidfd_open"):
        return _by_pidfd
    if hasattr(select, "kqueue"):
        return _by_kqueue
    return None


async def _readable(fd: int) -> bool:
    """Wait until a descriptor has something to tell; False where it had that from the beginning."""
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    began = loop.time()
    loop.add_reader(fd, rung.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN):
                await rung.wait()
    finally:
        loop.remove_reader(fd)
    return loop.time() - began > _SOON


async def _by_pidfd(pid: int) -> bool:
    try:
        fd = os.pidfd_open(pid)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        # It ended this moment, or there is no descriptor to be had, or the kernel is an old one.
        return False
    try:
        return await _readable(fd)
    finally:
        os.close(fd)


async def _by_kqueue(pid: int) -> bool:  # pragma: no cover - macOS and the BSDs
    try:
        queue = select.kqueue()  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    with contextlib.closing(queue):
        event = select.kevent(  # type: ignore[attr-defined,unused-ignore]
            pid,
            filter=select.KQ_FILTER_PROC,  # type: ignore[attr-defined,unused-ignore]
            flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,  # type: ignore[attr-defined,unused-ignore]
            fflags=select.KQ_NOTE_EXIT,  # type: ignore[attr-defined,unused-ignore]
        )
        try:
            queue.control([event], 0, 0)
        except OSError:
            return False
        return await _readable(queue.fileno())
