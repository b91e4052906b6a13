"""The folder holds/: one file per reason, set by writing it, released by removing it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.model import strictjson
from cadencebus.model.hold import Hold, hold_of, parse_hold_name
from cadencebus.store import files
from cadencebus.store.json_file import load_object
from cadencebus.store.paths import FOR_A_PERSON

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

_LIMIT = 1 << 16
# So long what a disk does not let read holds without another look at it.
_A_LOOK = 1.0
# How long the bus does not set a hold again that a person has released.
SPARED_FOR = 300.0
# How often a hold that is set again and again is reported.
TOLD_AGAIN = 60.0

# A hold, and the stamp, size and inode of the file that it was read from.
_Read = tuple[tuple[int, int, int], Hold]


class Holds:
    """Reads the folder each time it is asked, each file only when it changed."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._seen: dict[str, _Read] = {}
        # A full disk must hold even when its own file can't be written.
        self._unwritten: dict[str, Hold] = {}
        self._mine: set[str] = set()
        self._released: dict[str, float] = {}
        self._told: dict[str, float] = {}

    def all(self, now: float) -> list[Hold]:
        """Every hold there is, over or not, oldest file name first."""
        current: dict[str, _Read] = {}
        with os.scandir(self._home.holds) as entries:
            for entry in entries:
                known = self._look(entry, now)
                if known is not None:
                    current[entry.name] = known
        for gone in self._seen.keys() - current.keys() - self._mine:
            # Somebody released it: the bus does not set the same hold again at once.
            self._released[gone] = now
        # What is still there may be about to go: runs end beside the loop.
        self._mine.intersection_update(current)
        self._seen = current
        for name in self._unwritten.keys() & current.keys():
            self._unwritten.pop(name, None)
        return [hold for _, (_, hold) in sorted(current.items())] + list(self._unwritten.values())

    def _look(self, entry: os.DirEntry[str], now: float) -> _Read | None:
        if parse_hold_name(entry.name) is None:
            return None
        try:
            at = entry.stat(follow_symlinks=False)
            mark = (at.st_mtime_ns, at.st_size, at.st_ino)
            known = self._seen.get(entry.name)
            if known is not None and known[0] == mark:
                return known
            members = _members(entry.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unread(entry.name, error, now)
        hold = hold_of(entry.name, members, seen=now)
        return None if hold is None else (mark, hold)

    def set(self, hold: Hold, *, durable: bool = True) -> None:
        """Write a hold, replacing one of the same scope and reason."""
        data = strictjson.dumps(hold.dump())
        temporary = f"{self._home.tmp}/hold.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            files.replace(temporary, f"{self._home.holds}/{hold.file}", data, durable=durable)
        except OSError:
            self._unwritten[hold.file] = hold
            raise
        self._mine.discard(hold.file)

    def release(self, file: str) -> bool:
        """Remove a hold; False where it was gone already."""
        kept = self._unwritten.pop(file, None)
        self._mine.add(file)
        try:
            os.unlink(f"{self._home.holds}/{file}")
        except FileNotFoundError:
            return kept is not None
        return True

    def worth_telling(self, hold: Hold, now: float) -> bool:
        """Whether setting it is news: one that stands already is told of again once a minute at most."""
        last = self._told.get(hold.file, 0.0)
        stands = any(known.file == hold.file and known.detail == hold.detail for known in self.known)
        # A clock that stepped back must not silence it for longer.
        if stands and last <= now < last + TOLD_AGAIN:
            return False
        self._told[hold.file] = now
        return True

    @property
    def known(self) -> list[Hold]:
        """The holds as they were when the folder was looked at last."""
        return [hold for _, hold in list(self._seen.values())]

    def spared(self, file: str, now: float, *, known: float | None = None) -> bool:
        """Whether a person released this hold so lately that the bus must not set it again.

        What began since then (`known`) is news, and holds all the same.
        """
        at = self._released.get(file)
        if at is None or (known is not None and known >= at):
            return False
        # A clock that stepped back must not spare it for longer than was meant.
        return at <= now < at + SPARED_FOR

    def remember(self, hold: Hold) -> None:
        """Hold in memory only: for the disk that takes no file."""
        self._unwritten[hold.file] = hold

    def forget(self, file: str) -> None:
        """Drop a hold that was kept in memory only."""
        self._unwritten.pop(file, None)


def _unread(file: str, error: OSError, now: float) -> _Read | None:
    """What holds in the place of a hold that can't be read now: for good, or until the next look."""
    hold = hold_of(file, None, seen=now, why=error.strerror or str(error))
    if hold is None:
        return None
    passes = error.errno not in FOR_A_PERSON
    # A stamp that no file has: it is read anew each time.
    return (0, 0, 0), replace(hold, until=now + _A_LOOK) if passes else hold


def _members(path: str) -> dict[str, Any] | None:
    try:
        return load_object(path, _LIMIT)
    except ValueError:
        return None
