"""Durable as one: many files and folders of which none must be so before another.

Their waits overlap, and the disk takes them in one go.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import math
import os
import sys
import time
from typing import TYPE_CHECKING, ClassVar, Self

from cadencebus.store import files
from cadencebus.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LINUX = sys.platform.startswith("linux")
_WORTH_A_SYNCFS = 16
# Until then a failed write-back could pass syncfs unnoticed.
_HONEST_SYNCFS = (5, 8)
# How many wait for the disk at once, the caller among them.
_LANES = 3
# About the time that it takes to hand work to another thread.
_AT_ONCE = 0.0002
_OPEN_AT_ONCE = 64


class Together:
    """Takes in what was written and named, and syncs all of it at once."""

    # How long the disk let somebody wait when it was asked last.
    _longest_wait: ClassVar[float] = math.inf

    def __init__(self) -> None:
        self._fds: list[int] = []
        # What is synced one after the other; everything else in any order.
        self._turns: list[list[int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def add(self, *paths: str) -> None:
        """Take in what is there already: the names in a folder, the data of a file.

        Several are synced in this order: what a rename took from one folder it has put into another, and
        that one comes first.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._turns.append([self._keep(os.open(path, flags)) for path in paths])

    def write_new(self, path: str, data: bytes) -> None:
        """Create a file that did not exist, or leave nothing behind."""
        fd = self._keep(files.create(path))
        if data:
            # An empty file has nothing to lose: the sync of its folder is enough.
            self._turns.append([fd])
        try:
            files.write_all(fd, data)
        except OSError:
            files.discard(path)
            raise

    def sync(self) -> None:
        """Make all of it survive a power cut; an error is raised when nobody waits any more."""
        turns, longest = list(self._turns), 0.0
        # A disk that answered at once is asked again before another thread would have heard of it.
        while turns and max(longest, Together._longest_wait) < _AT_ONCE:
            longest = max(longest, _sync_one_by_one([turns.pop(0)]))
        Together._longest_wait = max(longest, _sync_beside(turns))

    def _keep(self, fd: int) -> int:
        self._fds.append(fd)
        return fd


def _sync_beside(turns: list[list[int]]) -> float:
    """Let the waits overlap; how long the caller's longest one was."""
    workers = _workers() if len(turns) > 1 else None
    if workers is None:
        return _sync_one_by_one(turns)
    mine, *others = (turns[lane::_LANES] for lane in range(_LANES))
    with contextlib.ExitStack() as waited:
        for lane in filter(None, others):
            waited.callback(workers.submit(_sync_one_by_one, lane).result)
        return _sync_one_by_one(mine)


def _sync_one_by_one(turns: list[list[int]]) -> float:
    """How long the longest of the waits was."""
    longest = 0.0
    for turn in turns:
        for fd in turn:
            began = time.monotonic()
            files.sync(fd)
            longest = max(longest, time.monotonic() - began)
    return longest


@functools.cache
def _workers() -> Workers | None:
    """Those who wait for the disk beside the caller; None where there is nobody to be had."""
    try:
        return Workers(4 * _LANES)
    except OSError:
        return None


def write_many(contents: Iterable[tuple[str, bytes]]) -> None:
    """Create many files, durable as a whole, or leave nothing behind."""
    batch, made = list(contents), list[str]()
    try:
        if len(batch) > _WORTH_A_SYNCFS:
            _write_crowd(batch, made)
        else:
            _write_few(batch, made)
    except OSError:
        for path in made:
            files.discard(path)
        raise


def _write_few(batch: Sequence[tuple[str, bytes]], made: list[str]) -> None:
    with Together() as few:
        for path, data in batch:
            few.write_new(path, data)
            made.append(path)
        few.sync()


def _write_crowd(batch: Sequence[tuple[str, bytes]], made: list[str]) -> None:
    # Open before the first write: the kernel tells a descriptor only of the errors since then.
    folder = os.open(os.path.dirname(batch[0][0]), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, data in batch:
            files.write_new(path, data, durable=False)
            made.append(path)
        if _sync_file_system(folder):
            return
    finally:
        os.close(folder)
    for start in range(0, len(made), _OPEN_AT_ONCE):
        with Together() as some:
            for path in made[start : start + _OPEN_AT_ONCE]:
                some.add(path)
            some.sync()


def _sync_file_system(folder: int) -> bool:
    """Make all that was written to a file system durable; False where the kernel can't, or hides errors."""
    if not _LINUX:
        return False
    kernel = tuple(int(number) for number in os.uname().release.split(".")[:2] if number.isdigit())
    if kernel < _HONEST_SYNCFS:
        return False
    import ctypes  # noqa: PLC0415 - only for bulk work, never on the way of one tick

    if ctypes.CDLL(None, use_errno=True).syncfs(folder) == 0:
        return True
    number = ctypes.get_errno()
    if number == errno.ENOSYS:
        return False
    raise OSError(number, os.strerror(number))
