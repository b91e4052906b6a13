"""The tasks that run beside the turns: one that fails is reported, and the rest goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

# A quarter of the time that a consumer may take to leave.
_GIVE_WAY_WITHIN = 0.5


class Crew:
    """Holds on to every task, so that none is lost while it runs."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def take_on(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Start a task; the caller may wait for its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reaped)
        return task

    def _reaped(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    async def dismiss(self) -> None:
        """Cancel all tasks, and let them clean up: kill a command that they run, for example."""
        await ended(self._tasks)


async def ended(tasks: Iterable[asyncio.Future[None]]) -> None:
    """Cancel tasks and wait a moment for their end; those that ignore it are left behind."""
    under_way = [task for task in tasks if task.cancel()]
    if under_way:
        await asyncio.wait(under_way, timeout=_GIVE_WAY_WITHIN)
