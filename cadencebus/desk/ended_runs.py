"""Runs that ended, read back from the journal."""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from cadencebus.clock import day
from cadencebus.model.foreign import amount, instant, mapping
from cadencebus.policy.figures import WELL
from cadencebus.store import journal
from cadencebus.store.rollups import REMEMBERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cadencebus.store.paths import Home

# The size of a piece when reading backwards; and how far back failures are looked for in all.
_PIECE = 1 << 16
_FAR_ENOUGH = 16 << 20


@dataclass(frozen=True, slots=True)
class EndedRun:
    """What the journal says of a run that ended."""

    at: float
    line: dict[str, Any]

    @property
    def cadence(self) -> str:
        """Whose run it was."""
        return str(self.line.get("cadence"))

    @property
    def klass(self) -> str:
        """The class of its end."""
        return str(self.line.get("class"))

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return amount(self.line.get("seconds")) or 0.0

    @property
    def waited(self) -> float | None:
        """How long its tick had waited for it."""
        return amount(self.line.get("waited"))

    @property
    def usd(self) -> float | None:
        """What it cost, where its stream said so."""
        return amount(self.line.get("usd"))


def runs(home: Home, since: float, cadence: str | None = None) -> Iterator[EndedRun]:
    """Every run that ended since then, oldest first, as the journal is read."""
    return _told(journal.lines(home, day(max(0.0, since)), passed_over=OSError), since, cadence)


def newest(home: Home, since: float, cadence: str | None, most: int) -> list[EndedRun]:
    """The last so many of them, oldest first; no more of the journal is read than they take."""
    lines = _backwards(home, day(max(0.0, since)), float("inf"))
    return [*islice(_told(lines, since, cadence), most)][::-1]


def _told(lines: Iterable[bytes], since: float, cadence: str | None) -> Iterator[EndedRun]:
    """Runs' ends, told once each."""
    seen: OrderedDict[str, None] = OrderedDict()
    for line in lines:
        told = _ended(line)
        if told is None or (cadence is not None and told.get("cadence") != cadence):
            continue
        at, run = instant(told.get("at")), str(told.get("run"))
        if at is None or at < since or run in seen:
            continue
        seen[run] = None
        if len(seen) > REMEMBERED:
            seen.popitem(last=False)
        yield EndedRun(at, told)


def _ended(line: bytes) -> dict[str, Any] | None:
    """What a line says of a run's end; None where it tells of something else, or is torn."""
    # Most lines do, and are not worth parsing.
    if b"run.ended" not in line:
        return None
    try:
        told = mapping(json.loads(line))
    except (ValueError, RecursionError):
        return None
    return told if told.get("event") == "run.ended" else None


def failures(home: Home, since: float, most: int) -> list[EndedRun]:
    """The last runs that did not end well, oldest first; read from the journal's end, however long it is."""
    found: dict[str, EndedRun] = {}
    for line in _backwards(home, day(max(0.0, since)), _FAR_ENOUGH):
        told = _ended(line)
        if told is None or str(told.get("class")) in WELL:
            continue
        at = instant(told.get("at"))
        if at is None:
            continue
        if at < since:
            break
        found.setdefault(str(told.get("run")), EndedRun(at, told))
        if len(found) == most:
            break
    return list(found.values())[::-1]


def _backwards(home: Home, since_day: str, left: float) -> Iterator[bytes]:
    """The journal's lines from the newest on, so many bytes of them at least."""
    for today in reversed(journal.days(home)):
        if today < since_day or left <= 0:
            return
        try:
            fd = os.open(home.journal(today), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            end, rest = os.lseek(fd, 0, os.SEEK_END), b""
            while end > 0 and left > 0:
                begin = max(0, end - _PIECE)
                first, *lines = (os.pread(fd, end - begin, begin) + rest).split(b"\n")
                left -= end - begin
                end, rest = begin, first
                yield from reversed(lines)
            yield rest
        finally:
            os.close(fd)
