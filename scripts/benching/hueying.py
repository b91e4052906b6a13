"""huey at work, in an environment that has it: `hueying.py runs|latency KIND FOLDER COUNT|COMMAND`."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

_WORKERS = 2
# By default it looks every 0.1 s at first and up to 10 s apart later: that would be all there is to see.
_POLL = 0.01


def made(kind: str, folder: str) -> Any:  # noqa: ANN401 - a library that is not in this environment
    """A huey that keeps no results."""
    library = importlib.import_module("huey")
    if kind == "huey_sqlite":
        return library.SqliteHuey(filename=f"{folder}/huey.db", fsync=True, results=False)
    return library.FileHuey(path=f"{folder}/huey", results=False)


def consumer(queue: Any) -> int:  # noqa: ANN401
    """Fork a consumer, and give its pid."""
    pid = os.fork()
    if pid == 0:
        queue.create_consumer(
            workers=_WORKERS, periodic=False, initial_delay=_POLL, backoff=1.0, max_delay=_POLL
        ).run()
        os._exit(0)
    return pid


def runs(queue: Any, count: int) -> None:  # noqa: ANN401
    """Queue, then start a consumer; how many a second from the first that ended."""
    ours, theirs = os.pipe()

    def true() -> None:
        subprocess.run(["true"], check=True)
        os.write(theirs, b".")

    task = queue.task()(true)
    for _ in range(count):
        task()
    pid = consumer(queue)
    os.read(ours, 1)
    began, left = time.perf_counter(), count - 1
    while left > 0:
        left -= len(os.read(ours, left))
    print((count - 1) / (time.perf_counter() - began))
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


def latency(queue: Any, command: str) -> None:  # noqa: ANN401
    """Put a task for each line of input, and say when that was begun."""

    def run() -> None:
        subprocess.run(["sh", "-c", command], check=True)

    task = queue.task()(run)
    pid = consumer(queue)
    for _ in sys.stdin:
        print(time.perf_counter(), flush=True)
        task()
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


if __name__ == "__main__":
    mode, kind, folder, last = sys.argv[1:]
    if mode == "runs":
        runs(made(kind, folder), int(last))
    else:
        latency(made(kind, folder), last)
