"""The durable write where a sync has to be asked for in another way (macOS)."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from typing import TYPE_CHECKING

import pytest

from cadencebus.store import files

if TYPE_CHECKING:
    from pathlib import Path

FULL = 51


class Mac:
    """Answers F_FULLFSYNC as it is told to, and notes each sync."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.error: int | None = None
        self.asked: list[str] = []
        patch.setattr(sys, "platform", "darwin")
        patch.setattr(fcntl, "F_FULLFSYNC", FULL, raising=False)
        patch.setattr(fcntl, "fcntl", self.full)
        patch.setattr(os, "fsync", lambda _: self.asked.append("fsync"))

    def full(self, _: int, command: int) -> None:
        """Flush the drive's cache, or say that there is no such thing."""
        assert command == FULL
        self.asked.append("full")
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Mac:
    """A system whose fsync stops at the drive's cache."""
    return Mac(monkeypatch)


def test_a_sync_goes_through_the_cache_of_the_drive(mac: Mac, tmp_path: Path) -> None:
    """For files and for folders; the weaker sync is not asked for as well."""
    files.replace(str(tmp_path / "new"), str(tmp_path / "file"), b"x")
    assert mac.asked == ["full", "full"]


@pytest.mark.parametrize("name", ["ENOTSUP", "EOPNOTSUPP", "EINVAL", "ENOTTY"])
def test_a_file_system_without_it_is_synced_as_far_as_it_goes(mac: Mac, tmp_path: Path, name: str) -> None:
    """SMB, WebDAV and macFUSE refuse in words of their own; that was a disk in trouble, and held the bus."""
    mac.error = getattr(errno, name)
    files.sync_folder(str(tmp_path))
    assert mac.asked == ["full", "fsync"]


@pytest.mark.parametrize("name", ["EIO", "ENOSPC", "EDQUOT"])
def test_a_disk_that_fails_is_not_asked_again(mac: Mac, tmp_path: Path, name: str) -> None:
    """The kernel may have dropped the pages and would say "fine"."""
    mac.error = getattr(errno, name)
    with pytest.raises(OSError, match=os.strerror(mac.error)):
        files.sync_folder(str(tmp_path))
    assert mac.asked == ["full"]
