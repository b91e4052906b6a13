"""The tasks that run beside the turns: one that fails is told of, and the rest goes on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Crew:
    """Holds on to every task, so that none is lost while it runs."""

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def take_on(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Begin a piece of work; whoever has to may wait for its end."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reaped)
        return task

    def _reaped(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)

    def dismiss(self) -> None:
        """End all of it where it stands."""
        for task in self._tasks:
            task.cancel()
