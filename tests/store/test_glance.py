"""One stat tells whether a file changed, unless its stamp is so young that it can't."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.store.glance import Glance, glance, glance_at, unchanged

if TYPE_CHECKING:
    from pathlib import Path

SECOND = 1_000_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a file."""
    path = tmp_path / "file"
    path.write_text("x")
    return path


def later(path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> Glance:
    """Look at the file as if so long after its last change."""
    at = path.stat()
    now = max(at.st_mtime_ns, at.st_ctime_ns) + int(seconds * SECOND)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now)
        seen = glance(str(path))
    assert seen is not None
    return seen


def test_an_old_stamp_can_be_trusted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was written after it has another one."""
    assert unchanged(later(file, monkeypatch, 3), later(file, monkeypatch, 9))


@pytest.mark.parametrize(("ctime_ns", "old_after"), [(7 * SECOND, 2.0), (7 * SECOND + 4_000_000, 0.05)])
def test_a_young_stamp_can_not(ctime_ns: int, old_after: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another edit may hide behind it, longer where the file system stamps in whole seconds."""
    at = os.stat_result(
        (stat.S_IFREG, 1, 1, 1, 0, 0, 1, 7, 7, 7), {"st_mtime_ns": 0, "st_ctime_ns": ctime_ns}
    )
    looks = []
    for seconds in (0.0, old_after - 0.01, old_after + 0.01):
        monkeypatch.setattr(time, "time_ns", lambda age=seconds: ctime_ns + int(age * SECOND))
        looks.append(glance_at(at))
    new, young, old = looks
    assert not unchanged(new, young)
    assert not unchanged(young, old)
    assert unchanged(old, old)


def test_an_mtime_of_a_whole_second_says_nothing_of_the_file_system(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who unpacks or copies sets it; when the file was changed is told by the file system alone."""
    os.utime(file, (SECOND, SECOND))
    if file.stat().st_ctime_ns % SECOND:
        assert unchanged(old := later(file, monkeypatch, 0.1), old)


def test_a_stamp_from_the_future_is_as_good_as_any(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that was set back must not have every file read at every look for a day."""
    ahead = later(file, monkeypatch, -86400)
    assert unchanged(ahead, ahead)


@pytest.mark.parametrize("change", ["size", "mtime", "ctime", "inode"])
def test_each_difference_is_a_change(change: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that keeps time and size still has another time of change, or another inode."""
    before = later(file, monkeypatch, 3)
    name = {"size": "size", "mtime": "mtime_ns", "ctime": "ctime_ns", "inode": "inode"}[change]
    after = before._replace(**{name: getattr(before, name) + 1})
    assert not unchanged(before, after)
    assert unchanged(after, after)


def test_a_file_that_is_not_there_is_nothing(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing equals nothing; coming and going are changes; a broken link is nothing too."""
    (tmp_path / "link").symlink_to("nowhere")
    assert glance(str(tmp_path / "gone")) is None
    assert glance(str(tmp_path / "link")) is None
    there = later(file, monkeypatch, 3)
    assert unchanged(None, None)
    assert not unchanged(None, there)
    assert not unchanged(there, None)


def test_only_a_regular_file_is_one(tmp_path: Path, file: Path) -> None:
    """Behind a link, too."""
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "fifo")
    seen = {name: glance(str(tmp_path / name)) for name in ("file", "link", "fifo", ".")}
    assert {name: look.regular for name, look in seen.items() if look} == {
        "file": True,
        "link": True,
        "fifo": False,
        ".": False,
    }


def test_other_troubles_are_raised(file: Path) -> None:
    """A path through a file is no file that is missing."""
    with pytest.raises(NotADirectoryError):
        glance(f"{file}/x")
