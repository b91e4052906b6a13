"""Puts by other queues: `peers.py NAME FOLDER COUNT`, in an environment that has them; prints JSON."""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def dirq(folder: str) -> tuple[Callable[[dict[str, Any]], object], str]:
    """A maildir of files; nothing in it syncs."""
    queue = importlib.import_module("dirq.QueueSimple").QueueSimple(folder)
    return (lambda tick: queue.add(json.dumps(tick))), "no durable mode"


def persist_queue(folder: str) -> tuple[Callable[[dict[str, Any]], object], str]:
    """SQLite, committed at each put, synchronous=FULL by SQLite's own default."""
    queue = importlib.import_module("persistqueue").SQLiteQueue(folder, auto_commit=True)
    return queue.put, "SQLite, synchronous=FULL"


def litequeue(folder: str) -> tuple[Callable[[dict[str, Any]], object], str]:
    """SQLite with synchronous=NORMAL, which a power cut takes from; it is told FULL here."""
    queue = importlib.import_module("litequeue").LiteQueue(f"{folder}/queue.db")
    queue.conn.execute("PRAGMA synchronous = FULL;")
    return (lambda tick: queue.put(json.dumps(tick))), "SQLite, told synchronous=FULL"


def huey(folder: str) -> tuple[Callable[[dict[str, Any]], object], str]:
    """FileHuey: a file a task, behind a lock; nothing in it syncs."""
    storage = importlib.import_module("huey").FileHuey(path=folder).storage
    return (lambda tick: storage.enqueue(json.dumps(tick).encode())), "FileHuey, no durable mode"


def huey_sqlite(folder: str) -> tuple[Callable[[dict[str, Any]], object], str]:
    """SqliteHuey, which syncs where it is told to."""
    queue = importlib.import_module("huey").SqliteHuey(filename=f"{folder}/huey.db", fsync=True)
    return (lambda tick: queue.storage.enqueue(json.dumps(tick).encode())), "SqliteHuey, fsync=True"


PEERS = {
    "dirq": dirq,
    "persist-queue": persist_queue,
    "litequeue": litequeue,
    "huey": huey,
    "huey_sqlite": huey_sqlite,
}


def main() -> None:
    """Put so many ticks, one by one."""
    name, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    put, mode = PEERS[name](folder)
    tick = {"cadence": "x", "source": "cli", "created_at": "2026-11-21T02:30:00.000000Z"}
    began = time.perf_counter()
    for _ in range(count):
        put(tick)
    print(json.dumps({"rate": count / (time.perf_counter() - began), "mode": mode}))


if __name__ == "__main__":
    main()
