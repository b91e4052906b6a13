"""Ring when a run is over. The bell is a hint, the lock on `alive` is the truth."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select

from cadencebus.session import launch

_LOOK_AGAIN = 1.0
_POLL = 0.1


class Bell:
    """Waits for the ends of processes that are nobody's children."""

    async def ended(self, run_dir: str, shim: int | None) -> None:
        """Return when the run's shim is gone."""
        while launch.is_alive(run_dir):
            note = launch.read_alive(run_dir)
            pid = note.shim if note else shim
            await (_gone(pid) if pid else asyncio.sleep(_POLL / 10))


async def _gone(pid: int) -> None:
    """Wait until a process is gone, or a second has passed."""
    if hasattr(os, "pidfd_open"):
        await _pidfd(pid)
    elif hasattr(select, "kqueue"):
        await _kqueue(pid)
    else:
        await asyncio.sleep(_POLL)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    rung = asyncio.Event()
    loop.add_reader(fd, rung.set)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_AGAIN):
                await rung.wait()
    finally:
        loop.remove_reader(fd)


async def _pidfd(pid: int) -> None:
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        # It ended this moment: the lock falls with its last breath, which may take another one.
        await asyncio.sleep(0.001)
        return
    except OSError:
        await asyncio.sleep(_POLL)
        return
    try:
        await _readable(fd)
        # Readable comes with the zombie, after its files are closed; give way so as never to spin.
        await asyncio.sleep(0)
    finally:
        os.close(fd)


async def _kqueue(pid: int) -> None:  # pragma: no cover - macOS
    queue = select.kqueue()  # type: ignore[attr-defined,unused-ignore]
    try:
        event = select.kevent(  # type: ignore[attr-defined,unused-ignore]
            pid,
            filter=select.KQ_FILTER_PROC,  # type: ignore[attr-defined,unused-ignore]
            flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,  # type: ignore[attr-defined,unused-ignore]
            fflags=select.KQ_NOTE_EXIT,  # type: ignore[attr-defined,unused-ignore]
        )
        try:
            queue.control([event], 0, 0)
        except ProcessLookupError:
            return
        await _readable(queue.fileno())
    finally:
        queue.close()
