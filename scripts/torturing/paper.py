"""A disk on paper: which names and data a power cut may leave of recorded file operations."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from torturing.ground import Ground

CALLS = (
    "openat,write,pwrite64,rename,renameat,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "fsync,fdatasync,syncfs"
)
# Loses everything unsynced; keeps every name and loses all data; the others choose.
NOTHING, NAMES_ONLY = 0, 1
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_AT = re.compile(r"(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, \"((?:[^\"\\]|\\.)*)\"")


@dataclass
class Inode:
    """A file: what was written, and what of it is safe."""

    data: bytearray = field(default_factory=bytearray)
    safe: bytes | None = None
    link: str | None = None
    folder: bool = False


@dataclass
class Change:
    """A name given or taken that is not safe yet; `after` is the name that came of the same rename."""

    path: str
    inode: Inode | None
    after: str | None = None


@dataclass
class Disk:
    """Names that are safe, and the changes of names that are not yet."""

    safe: dict[str, Inode] = field(default_factory=dict)
    names: dict[str, Inode] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def do(self, call: str, text: str) -> None:
        """Take in what the program did: a call of its trace, with its arguments."""
        paths = [os.path.join(at or "", name) for at, name in _AT.findall(text)]
        plain = [_bytes(found).decode(errors="replace") for found in _TEXT.findall(text)]
        holder = re.match(r"\d+<([^>]*)>", text)
        if call == "openat":
            if "O_CREAT" in text and paths[0] not in self.names:
                self.name(paths[0], Inode())
        elif call in {"write", "pwrite64"} and holder and holder[1] in self.names:
            _write(self.names[holder[1]], call, text)
        elif call in {"rename", "renameat", "link", "linkat"}:
            source, target = paths if call.endswith("at") else plain
            self.name(target, self.names.get(source))
            if call.startswith("rename"):
                self.name(source, None, target)
        elif call == "symlink":
            self.name(plain[1], Inode(link=plain[0]))
        elif call in {"unlink", "unlinkat", "rmdir"}:
            self.name((paths or plain)[0], None)
        elif call in {"mkdir", "mkdirat"}:
            self.name((paths or plain)[0], Inode(folder=True))
        elif call in {"fsync", "fdatasync", "syncfs"} and holder:
            self.sync(None if call == "syncfs" else holder[1])

    def name(self, path: str, inode: Inode | None, after: str | None = None) -> None:
        """Give or take a name, safe once its folder is synced."""
        if inode is None:
            self.names.pop(path, None)
        else:
            self.names[path] = inode
        self.pending.append(Change(path, inode, after))

    def sync(self, path: str | None) -> None:
        """Make a file's data or a folder's names safe; None is the whole file system.

        A rename is torn by no file system: where the old name is safely gone, the new one is safely there.
        """
        for at, inode in self.names.items():
            if path in {None, at}:
                inode.safe = bytes(inode.data)
        now_safe = [path is None or os.path.dirname(change.path) == path for change in self.pending]
        for position, change in enumerate(self.pending):
            if now_safe[position] and change.after is not None:
                now_safe[position - 1] = True
        for change, safe in zip(self.pending, now_safe, strict=True):
            if safe:
                _apply(self.safe, change)
        self.pending = [change for change, safe in zip(self.pending, now_safe, strict=True) if not safe]

    def left(self, rng: random.Random, seed: int) -> dict[str, Inode]:
        """The names that a power cut leaves."""
        names = dict(self.safe)
        lost: set[str] = set()
        for change in self.pending:
            kept = seed == NAMES_ONLY or (seed > NAMES_ONLY and rng.random() < 0.5)  # noqa: PLR2004
            if kept and change.after not in lost:
                _apply(names, change)
            elif change.inode is not None:
                lost.add(change.path)
        return names


def of(ground: Ground) -> Disk:
    """A home as it lies there, all of it safe."""
    disk = Disk()
    for path in sorted(ground.state.rglob("*")):
        inode = Inode(folder=path.is_dir())
        if path.is_symlink():
            inode.link = os.readlink(path)
        elif path.is_file():
            inode.data = bytearray(path.read_bytes())
        inode.safe = bytes(inode.data)
        disk.safe["/" + str(path.relative_to(ground.root))] = inode
    disk.names = dict(disk.safe)
    return disk


def _apply(names: dict[str, Inode], change: Change) -> None:
    if change.inode is None:
        names.pop(change.path, None)
    else:
        names[change.path] = change.inode


def _write(inode: Inode, call: str, text: str) -> None:
    data = _bytes(_TEXT.findall(text)[0])
    at = int(text.rpartition(", ")[2]) if call == "pwrite64" else len(inode.data)
    inode.data[at : at + len(data)] = data


def _bytes(text: str) -> bytes:
    return codecs.escape_decode(text.encode())[0]
