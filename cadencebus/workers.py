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
        self._closed = False
        self._under_way: set[Future[Any]] = set()
        try:
            # The first one is started now: with it, all that is queued comes to its end.
            super().submit(int)
        except RuntimeError as error:
            raise OSError(
                errno.EAGAIN, "the system gives no thread: processes or memory are limited"
            ) from error

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401
        """Take on a piece of work."""
        future: Future[Any] = Future()
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        try:
            super().submit(_do, future, work, args, kwargs)
        except RuntimeError:
            if self._closed:
                raise
        return future

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait at most so long for what is under way; False where some of it goes on."""
        return not wait(set(self._under_way), seconds).not_done

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - its base's
        """Take on no further work."""
        self._closed = True
        super().shutdown(wait, cancel_futures=cancel_futures)


def _do(future: Future[Any], work: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - it is handed on to whoever waits
        future.set_exception(error)
