"""The folder archive/, and what goes there before it goes: nothing is removed that is not written first.

Every file of it is written whole, synced and linked into place; a crash leaves it out, or leaves in place
what it already holds, and the next gc writes that once more.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import gzip
import json
import os
import shutil
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model import strictjson
from cadencebus.model.legible import escaped
from cadencebus.model.naming import RAW
from cadencebus.model.tick import LARGEST
from cadencebus.store import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cadencebus.store.paths import Home

# Raw bytes up to here are kept; larger ones, and what is no file, are only described.
_RAW_KEPT = 1 << 20
_AT_ONCE = 8 << 20
# Folders that are being removed lie in tmp/ under this name.
LEAVING = ".gc-"


def folder_of(home: Home) -> str:
    """Where archives lie; made when the first one is written."""
    return f"{home.state}/archive"


def letters_path(home: Home) -> str:
    """Where letters go that left dead/."""
    return f"{home.state}/dead-archive.jsonl"


@contextlib.contextmanager
def alone(folder: str, *, wait: bool = True) -> Iterator[bool]:
    """Be the only one who takes things out of a folder; False where another is, and `wait` is false."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


# --- finished ticks and the journal ---------------------------------------------------------------


def put_away(home: Home, day: str, names: Sequence[str]) -> int:
    """Write finished ticks of a day into an archive, then remove them; how many of them were taken."""
    lines: list[bytes] = []
    size = 0
    for name in names:
        line = _as_line(f"{home.done}/{day}", name)
        lines.append(line)
        size += len(line)
        if size >= _AT_ONCE:
            break
    temporary = _temporary(home, "done")
    files.write_new(temporary, gzip.compress(b"".join(lines), 6))
    _place(home, temporary, f"done-{day}")
    for name in names[: len(lines)]:
        remove(f"{home.done}/{day}/{name}")
    return len(lines)


def put_away_journal(home: Home, day: str) -> Iterator[None]:
    """Write a day's journal into an archive, a piece at a time, then remove it."""
    temporary = _temporary(home, "events")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, files.FILE_MODE)
        with open(fd, "wb") as target, open(home.journal(day), "rb") as source:
            with gzip.GzipFile(fileobj=target, mode="wb", filename="") as packed:
                while piece := source.read(1 << 20):
                    packed.write(piece)
                    yield
            target.flush()
            files.sync(target.fileno())
        _place(home, temporary, f"events-{day}")
    finally:
        files.discard(temporary)
    remove(home.journal(day))


def _as_line(folder: str, name: str) -> bytes:
    """A finished tick, whole; what is none as the bytes that it is."""
    path, said = f"{folder}/{name}", {"file": escaped(name)}
    try:
        # Spelled inside the `try`: json.loads accepts what no line can hold (NaN, half a surrogate pair).
        return strictjson.dumps(said | {"tick": json.loads(files.read(path, LARGEST))})
    except (OSError, ValueError, RecursionError):
        return strictjson.dumps(said | kept_bytes(path, LARGEST))


def _temporary(home: Home, what: str) -> str:
    return f"{home.tmp}/{LEAVING}{what}.{os.getpid()}.{os.urandom(4).hex()}"


def _place(home: Home, temporary: str, stem: str) -> None:
    """Give a written archive the first free name: a day may have several."""
    if files.make_folder(folder_of(home)):
        files.sync_folder(home.state)
    number = 1
    while True:
        target = f"{folder_of(home)}/{stem}{'' if number == 1 else f'.{number}'}.jsonl.gz"
        try:
            files.place(temporary, target)
        except FileExistsError:
            number += 1
        else:
            files.sync_folder(folder_of(home))
            return


# --- dead letters --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A letter that leaves dead/, and what is to be remembered of its leaving."""

    path: str
    members: Mapping[str, Any]
    more: Mapping[str, Any] = field(default_factory=dict)


def take_out(home: Home, leaving: Sequence[Leaving], why: str, now: float) -> None:
    """Archive letters, then remove them: first their raw bytes, the letters last."""
    told = {"at": rfc3339(now), "why": why}
    lines = [
        strictjson.dumps({**told, **one.more, **_letter(one), **kept_bytes(one.path + RAW)})
        for one in leaving
    ]
    _append(home, b"".join(lines))
    for one in leaving:
        remove(one.path + RAW)
    for one in leaving:
        remove(one.path)
    files.sync_folder(home.dead)


def _letter(one: Leaving) -> dict[str, Any]:
    """A letter, whole; one that could not be read as the bytes that it is."""
    if one.members:
        return {"letter": dict(one.members)}
    return {"letter": None, "unread": kept_bytes(one.path, LARGEST).get("raw")}


def _append(home: Home, data: bytes) -> None:
    path = letters_path(home)
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


def kept_bytes(path: str, limit: int = _RAW_KEPT) -> dict[str, Any]:
    """What can be kept of bytes that could not be a tick; OSError where the disk does not give them up."""
    try:
        at = os.lstat(path)
    except FileNotFoundError:
        return {}
    described: dict[str, Any] = {"mode": stat.filemode(at.st_mode), "size": at.st_size}
    if not stat.S_ISREG(at.st_mode) or at.st_size > limit:
        return {"raw": described}
    try:
        data = files.read(path, limit)
    except FileNotFoundError:
        return {}
    except (PermissionError, ValueError) as error:
        return {"raw": described | {"unread": str(error)}}
    try:
        return {"raw": {"text": data.decode("utf-8")}}
    except UnicodeDecodeError:
        return {"raw": {"base64": base64.b64encode(data).decode("ascii")}}


# --- removing ------------------------------------------------------------------------------------


def remove(path: str) -> None:
    """Remove a file or a folder with all that is in it, following no link; one that is gone is gone."""
    try:
        whole = stat.S_ISDIR(os.lstat(path).st_mode)
        if not whole:
            os.unlink(path)
            return
    except FileNotFoundError:
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        # A session may have shut a folder of its own.
        _open_up(path)
        shutil.rmtree(path)


def _open_up(path: str) -> None:
    os.chmod(path, files.FOLDER_MODE)
    with os.scandir(path) as entries:
        inside = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    for folder in inside:
        _open_up(folder)


def remove_folder(home: Home, path: str) -> None:
    """Rename a folder into tmp/, then remove it: nobody ever sees half of it."""
    aside = f"{home.tmp}/{LEAVING}{os.path.basename(path)}"
    remove(aside)
    try:
        files.move(path, aside)
    except FileNotFoundError:
        return
    remove(aside)
