"""Dead letters: choosing some, and taking them out of dead/ without losing a word.

A letter that leaves dead/ is first written, whole, into `state/dead-archive.jsonl`. Only then its raw bytes
go, and the letter last: whatever a crash leaves can be taken out again, and stands in the archive twice.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.cli import clockface
from cadencebus.cli.finding import Found, find, listing
from cadencebus.cli.ls import members_of
from cadencebus.clock import rfc3339
from cadencebus.errors import NoSuch
from cadencebus.model import strictjson
from cadencebus.model.foreign import mapping
from cadencebus.model.naming import RAW
from cadencebus.store import files

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping, Sequence

    from cadencebus.store.paths import Home

# Raw bytes up to here are kept in the archive; larger ones, and what is no file, are only described.
_RAW_KEPT = 1 << 20


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: its file, what it says, where the bytes lie that could not be a tick."""

    found: Found
    members: dict[str, Any]
    path: str

    @property
    def outcome(self) -> dict[str, Any]:
        """How it died."""
        return mapping(self.members.get("outcome"))

    @property
    def klass(self) -> str:
        """The class of its end."""
        return str(self.outcome.get("class") or "unknown")

    @property
    def died_at(self) -> float | None:
        """When it died."""
        return clockface.instant(self.outcome.get("finished_at"))

    @property
    def raw(self) -> str:
        """Where its bytes lie, if they were no tick."""
        return f"{self.path}{RAW}"


def letter_of(home: Home, found: Found) -> Letter:
    """Read a letter."""
    return Letter(found, members_of(home, found), f"{home.state}/{found.place}")


def chosen(home: Home, asked: Namespace, now: float) -> list[Letter]:
    """The letters that ids or filters name, oldest first; no filter at all is every letter."""
    if asked.id:
        return [_named(home, part) for part in dict.fromkeys(asked.id)]
    letters = (letter_of(home, found) for found in listing(home, ("dead",), asked.cadence))
    kept = [
        letter
        for letter in letters
        if asked.klass in {None, letter.klass}
        and (asked.since is None or (letter.died_at or 0.0) >= now - asked.since)
    ]
    return sorted(kept, key=lambda letter: (letter.died_at or 0.0, letter.found.file))


def _named(home: Home, part: str) -> Letter:
    found = find(home, part)
    if found.state != "dead":
        raise NoSuch(
            f"{found.name.id} is not dead: it lies in {found.folder}/",
            next_step=f"cadence show {found.name.random}",
        )
    return letter_of(home, found)


@contextlib.contextmanager
def alone(home: Home) -> Iterator[None]:
    """Let only one operator at a time take letters out."""
    fd = os.open(home.dead, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def archive_path(home: Home) -> str:
    """Where letters go that left dead/."""
    return f"{home.state}/dead-archive.jsonl"


def take_out(home: Home, leaving: Sequence[tuple[Letter, Mapping[str, Any]]], why: str, now: float) -> None:
    """Archive letters, each with what is to be remembered of its leaving, then remove them."""
    lines = [
        strictjson.dumps({"at": rfc3339(now), "why": why, **more, "letter": letter.members, **_raw(letter)})
        for letter, more in leaving
    ]
    _append(home, b"".join(lines))
    for letter, _ in leaving:
        _remove(letter.raw)
    for letter, _ in leaving:
        _remove(letter.path)
    files.sync_folder(home.dead)


def _append(home: Home, data: bytes) -> None:
    path = archive_path(home)
    fresh = not files.exists(path)
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(path, flags, files.FILE_MODE)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        # A line that a crash tore is closed before the next one is written.
        files.write_all(fd, (b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b"") + data)
        files.sync(fd)
    finally:
        os.close(fd)
    if fresh:
        files.sync_folder(home.state)


def _raw(letter: Letter) -> dict[str, Any]:
    """What can be kept of the bytes that could not be a tick."""
    try:
        at = os.lstat(letter.raw)
    except FileNotFoundError:
        return {}
    if not stat.S_ISREG(at.st_mode) or at.st_size > _RAW_KEPT:
        return {"raw": {"mode": stat.filemode(at.st_mode), "size": at.st_size}}
    try:
        data = files.read(letter.raw, _RAW_KEPT)
    except (OSError, ValueError) as error:
        return {"raw": {"mode": stat.filemode(at.st_mode), "size": at.st_size, "unread": str(error)}}
    try:
        return {"raw": {"text": data.decode("utf-8")}}
    except UnicodeDecodeError:
        return {"raw": {"base64": base64.b64encode(data).decode("ascii")}}


def _remove(path: str) -> None:
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return
