"""Worker threads: as many as are needed and the system gives; work that was taken on is done once."""

from __future__ import annotations

import errno
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Workers(ThreadPoolExecutor):
    """A pool in which work waits for a thread where no further one can be had.

    The standard one queues the work, then fails to start a thread and says so: what its caller takes for a
    failure, a claim for example, is done all the same by the next thread that is free.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most, "worker")
        self._under_way: set[Future[Any]] = set()
        try:
            # The first one is started now: with it, all that is queued comes to its end.
            super()._adjust_thread_count()
        except RuntimeError as error:
            raise OSError(
                errno.EAGAIN, "the system gives no thread: processes or memory are limited"
            ) from error

    def _adjust_thread_count(self) -> None:
        """Called once the work is queued: where no thread can be had, those that are there do it."""
        try:
            super()._adjust_thread_count()
        except RuntimeError:
            return

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Take on a piece of work."""
        future = super().submit(work, *args, **kwargs)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        return future

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait at most so long for what is under way; False where some of it goes on."""
        return not wait(set(self._under_way), seconds).not_done
