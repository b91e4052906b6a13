"""The journal summed up by day: each line is read once, however often somebody asks.

What was summed up is remembered outside the home, in the user's cache folder: looking changes nothing in a
home, and a cache that is deleted, stale or unreadable is made again. A day's journal only grows, so the
sum of its beginning is kept and continued; of a file that was replaced it is made anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.model import strictjson
from cadencebus.model.foreign import amount, mapping, whole
from cadencebus.policy.figures import WELL, Figures
from cadencebus.store import files, journal
from cadencebus.store.json_file import load_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.store.paths import Home

_VERSION = 1
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# A crash between writing and doing leaves a line twice, with few lines between.
REMEMBERED = 2048
# How many bytes before the offset are compared, to see whether the file still begins as it did.
_SEAM = 256
_MOST = 64 << 20


@dataclass(slots=True)
class Rollup:
    """One day's journal, up to an offset."""

    day: str
    cadences: dict[str, Figures] = field(default_factory=dict)
    offset: int = 0
    inode: int = 0
    seam: str = ""
    recent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _known: set[str] = field(default_factory=set)

    def take(self, line: bytes) -> None:
        """Count one line of the journal, if it tells of a run's end."""
        if b'"run.ended"' not in line:
            return
        try:
            told = mapping(json.loads(line))
        except (ValueError, RecursionError):
            return
        run = told.get("run")
        if told.get("event") != "run.ended" or not isinstance(run, str) or run in self._known:
            return
        if len(self.recent) == self.recent.maxlen:
            self._known.discard(self.recent[0])
        self.recent.append(run)
        self._known.add(run)
        count(self.cadences.setdefault(str(told.get("cadence")), Figures()), told)


def count(figures: Figures, told: Mapping[str, Any]) -> None:
    """Add one run's end, as the journal tells it."""
    klass = str(told.get("class"))
    figures.classes[klass] += 1
    figures.seconds.add(amount(told.get("seconds")) or 0.0)
    if (waited := amount(told.get("waited"))) is not None:
        figures.waited.add(waited)
    figures.turns += whole(told.get("turns")) or 0
    figures.usd += amount(told.get("usd")) or 0.0
    for kind, spent in mapping(told.get("tokens")).items():
        figures.tokens[str(kind)] += whole(spent) or 0
    figures.streaks.add(well=klass in WELL)


def daily(home: Home, since_day: str, environ: Mapping[str, str]) -> list[Rollup]:
    """The sums of every day from this one on, oldest first."""
    folder = _folder(home, environ)
    days = [day for day in journal.days(home) if day >= since_day and _DAY.fullmatch(day)]
    return [_summed(home, day, folder) for day in days]


def _folder(home: Home, environ: Mapping[str, str]) -> str | None:
    """Where this home's sums are remembered; None where there is no such place."""
    cache = environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(cache):
        user = environ.get("HOME") or ""
        if not os.path.isabs(user):
            return None
        cache = f"{user}/.cache"
    name = hashlib.sha256(os.fsencode(os.path.realpath(home.root))).hexdigest()[:16]
    return f"{cache}/cadencebus/{name}"


def _summed(home: Home, day: str, folder: str | None) -> Rollup:
    path = home.journal(day)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Rollup(day)
    with open(fd, "rb") as lines:
        about = os.fstat(fd)
        known = _load(f"{folder}/{day}.json", day) if folder else Rollup(day)
        begun = known.inode == about.st_ino and 0 <= known.offset <= about.st_size
        if not begun or known.seam != _seam(fd, known.offset):
            known = Rollup(day)
        if known.offset == about.st_size:
            return known
        lines.seek(known.offset)
        with contextlib.suppress(OSError):
            for line in lines:
                # A line that is still being written is counted when it is whole.
                if not line.endswith(b"\n"):
                    break
                known.take(line)
                known.offset += len(line)
        known.inode, known.seam = about.st_ino, _seam(fd, known.offset)
    if folder:
        _save(folder, known)
    return known


def _seam(fd: int, offset: int) -> str:
    """The bytes before an offset, by which to see later whether the file is still the same up to there."""
    begin = max(0, offset - _SEAM)
    return hashlib.sha256(os.pread(fd, offset - begin, begin)).hexdigest()[:16]


def _load(path: str, day: str) -> Rollup:
    """What is remembered of a day; nothing where it is not readable, or of another version."""
    try:
        said = load_object(path, _MOST)
        if said["version"] != _VERSION:
            return Rollup(day)
        cadences = {str(name): Figures.load(one) for name, one in said["cadences"].items()}
        recent = [str(run) for run in said["recent"]]
        return Rollup(
            day,
            cadences,
            int(said["offset"]),
            int(said["inode"]),
            str(said["seam"]),
            deque(recent, maxlen=REMEMBERED),
            set(recent),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return Rollup(day)


def _save(folder: str, rollup: Rollup) -> None:
    """Remember; where that can't be done the next look takes longer, no more."""
    members = {
        "version": _VERSION,
        "offset": rollup.offset,
        "inode": rollup.inode,
        "seam": rollup.seam,
        "recent": list(rollup.recent),
        "cadences": {name: figures.dump() for name, figures in rollup.cadences.items()},
    }
    temporary = f"{folder}/.{rollup.day}.{os.getpid()}"
    with contextlib.suppress(OSError, ValueError):
        os.makedirs(folder, mode=files.FOLDER_MODE, exist_ok=True)
        files.discard(temporary)
        files.replace(temporary, f"{folder}/{rollup.day}.json", strictjson.dumps(members), durable=False)
