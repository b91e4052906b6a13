"""Many syncs as one: who waits for the disk, and what comes of a failure."""

from __future__ import annotations

import errno
import os
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from cadencebus.store import files, together
from cadencebus.store.together import Together

if TYPE_CHECKING:
    from pathlib import Path

ME = threading.main_thread()
SLOW = 0.002


class Disk:
    """Takes as long as it is told to, by a clock of its own, and notes who waited."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.wait = self.now = 0.0
        self.waited: list[threading.Thread] = []
        patch.setattr(files, "sync", self.sync)
        patch.setattr(together, "time", SimpleNamespace(monotonic=lambda: self.now))
        patch.setattr(Together, "_longest_wait", 0.0)

    def sync(self, fd: int) -> None:
        """Make durable what this descriptor stands for."""
        os.fsync(fd)
        self.now += self.wait
        self.waited.append(threading.current_thread())


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that answers at once."""
    return Disk(monkeypatch)


def syncs(folder: Path, disk: Disk, count: int = 6) -> set[bool]:
    """Write some files together; whether those who waited for the disk were the caller."""
    disk.waited.clear()
    with Together() as some:
        for number in range(count):
            some.write_new(str(folder / f"{time.monotonic_ns()}-{number}"), b"x")
        some.sync()
    assert len(disk.waited) == count
    return {one is ME for one in disk.waited}


def test_only_a_slow_disk_is_waited_for_by_several(tmp_path: Path, disk: Disk) -> None:
    """One that turns slow is found out by the first wait; one that turns quick, by the next."""
    assert syncs(tmp_path, disk) == {True}
    disk.wait = SLOW
    assert syncs(tmp_path, disk) == {True, False}
    disk.wait = 0.0
    syncs(tmp_path, disk)
    assert syncs(tmp_path, disk) == {True}


def test_a_failure_is_told_when_nobody_waits_any_more(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is told may close what the others still sync."""
    disk.wait = SLOW
    syncs(tmp_path, disk)
    under_way = []

    def failing(fd: int) -> None:
        under_way.append(fd)
        time.sleep(SLOW)
        under_way.remove(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "sync", failing)
    with Together() as some:
        for number in range(6):
            some.write_new(str(tmp_path / str(number)), b"x")
        with pytest.raises(OSError, match="Input/output"):
            some.sync()
        assert not under_way


def test_several_folders_are_synced_in_their_order(tmp_path: Path, disk: Disk) -> None:
    """What a rename took from the one it has put into the other, slow disk or quick."""
    (tmp_path / "to").mkdir()
    (tmp_path / "from").mkdir()
    seen: list[str] = []

    def noted(fd: int) -> None:
        seen.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        disk.sync(fd)

    for disk.wait in (0.0, SLOW, SLOW):
        with pytest.MonkeyPatch.context() as patch, Together() as some:
            patch.setattr(files, "sync", noted)
            some.write_new(str(tmp_path / f"{time.monotonic_ns()}"), b"x")
            some.add(str(tmp_path / "to"), str(tmp_path / "from"))
            some.write_new(str(tmp_path / f"{time.monotonic_ns()}"), b"")
            some.sync()
        assert len(seen) == 3, "an empty file has nothing to sync"
        assert seen.index("to") < seen.index("from")
        seen.clear()
