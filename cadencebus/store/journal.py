"""The journal: one line per transition, append-only, a file a day."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import threading
from typing import TYPE_CHECKING, Any

from cadencebus.clock import day, rfc3339
from cadencebus.model import strictjson
from cadencebus.store import files, lock
from cadencebus.store.json_file import set_aside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cadencebus.store.paths import Home

_FACT = re.compile(rb'"event": ?"([a-z_.]+)".{0,200}?"tick": ?"([^"]{32})"')


# How long to wait for the lock: long enough for another program to write its lines on a busy machine.
_LOCK_WITHIN = 0.03


class Journal:
    """Appends lines, closing a torn one first; several programs and threads may append at once."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._fd: int | None = None
        self._day = ""
        # Where our last line ended: if nobody wrote since, it is whole.
        self._end = 0
        # At midnight one thread closes the file that another has in hand.
        self._turn = threading.RLock()

    def write(self, now: float, lines: Iterable[Mapping[str, Any]], *, durable: bool = False) -> None:
        """Append these facts in one write; `durable` waits for the disk."""
        at = rfc3339(now)
        data = b"".join(strictjson.dumps({"at": at, **line}) for line in lines)
        with self._turn:
            if data:
                self._append(now, data)
            # On a descriptor of its own, so that several threads can wait for the disk at once.
            fd = os.dup(self._fd) if durable and self._fd is not None else None
        if fd is not None:
            try:
                files.sync(fd)
            except OSError:
                # Never fsync the same descriptor twice: the next write opens the file anew.
                self.close()
                raise
            finally:
                os.close(fd)

    def _append(self, now: float, data: bytes) -> None:
        fd = self._open(now)
        # Best effort: a program that was stopped (Ctrl-Z) with the lock is not waited for; O_APPEND keeps
        # lines whole all the same.
        lock.taken(fd, _LOCK_WITHIN)
        try:
            size = os.fstat(fd).st_size
            if size != self._end and size and os.pread(fd, 1, size - 1) != b"\n":
                data = b"\n" + data
            files.write_all(fd, data)
            self._end = size + len(data)
        except OSError:
            self.close()
            raise
        finally:
            if self._fd is not None:
                fcntl.flock(fd, fcntl.LOCK_UN)

    def _open(self, now: float) -> int:
        today = day(now)
        path = self._home.journal(today)
        if self._fd is not None and self._day == today and os.fstat(self._fd).st_nlink:
            return self._fd
        self.close()
        fresh = _free(path, now)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd, self._day = os.open(path, flags, files.FILE_MODE), today
        if fresh:
            files.sync_folder(self._home.events)
        return self._fd

    def close(self) -> None:
        """Let go of the day's file."""
        with self._turn:
            fd, self._fd, self._end = self._fd, None, 0
        if fd is not None:
            with contextlib.suppress(OSError):
                os.close(fd)


def _free(path: str, now: float) -> bool:
    """Whether a day's journal has yet to be made; what is there and can't be one is set aside first."""
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode) and set_aside(path, now) is not None
    except FileNotFoundError:
        return True


def days(home: Home) -> list[str]:
    """The days that have a journal, oldest first."""
    try:
        with os.scandir(home.events) as entries:
            names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return sorted(name.removesuffix(".jsonl") for name in names if name.endswith(".jsonl"))


def lines(
    home: Home, since_day: str = "", *, passed_over: type[OSError] = FileNotFoundError
) -> Iterator[bytes]:
    """Every line from this day on, oldest first; days that fail as `passed_over` are left out."""
    for today in days(home):
        if today >= since_day:
            with contextlib.suppress(passed_over), open(home.journal(today), "rb") as file:
                yield from file


def read(home: Home) -> Iterator[dict[str, Any]]:
    """Every readable line; torn lines are passed over."""
    for line in lines(home):
        with contextlib.suppress(strictjson.BadJSON):
            fact = strictjson.loads(line)
            if isinstance(fact, dict):
                yield fact


def facts(home: Home, since_day: str) -> Iterator[tuple[str, str]]:
    """(event, tick) of every line that names a tick: fast, for a look at a million lines."""
    for line in lines(home, since_day):
        if found := _FACT.search(line):
            yield found[1].decode(), found[2].decode("ascii", "replace")
