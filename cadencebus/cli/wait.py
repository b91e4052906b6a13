"""`cadence wait`: until ticks are finished."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.desk.lookup import Found, find_each
from cadencebus.desk.options import Parser, a_duration
from cadencebus.desk.output import Output, painted, safe
from cadencebus.errors import TryLater
from cadencebus.model.foreign import mapping
from cadencebus.model.tick import LARGEST
from cadencebus.model.wording import some
from cadencebus.store.json_file import load_object
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

WELL = frozenset({"ok", "skipped", "absorbed", "duplicate"})
EXAMPLES = """  cadence wait 7f3k9q2m --timeout 10m
  cadence wait $(cadence enqueue brief) && publish"""
# Between two glances at the folders' times: quick at first, gentle when it takes long.
_FIRST, _SLOWEST, _SLOWER = 0.05, 1.0, 1.2
# A folder's time may stand still through two changes in one moment of its clock: then this look finds them.
_LOOK_ANYWAY = 1.0
_LOOK_EVERYWHERE = 30.0
# Of the time that passes, looking may take a tenth.
_REST = 10


def main(words: list[str], context: Context) -> int:
    """Wait; 0 if all ended well, 1 if not, 75 at the time-out."""
    parser = Parser(
        "wait",
        "Until ticks are finished. Exit 0: ok, skipped, absorbed, duplicate. 1: otherwise. 75: time-out.",
        EXAMPLES,
    )
    parser.add_argument("tick", nargs="+", help="ids, or unique parts of them")
    parser.add_argument("--timeout", type=a_duration, metavar="D", help="give up after that time, exit 75")
    asked = parser.parse_args(words)
    ids = [found.name.id for found in find_each(context.home, asked.tick)]
    return until_finished(context.home, ids, context, timeout=asked.timeout)


def until_finished(home: Home, ids: list[str], context: Context, timeout: float | None = None) -> int:
    """Wait for all of these ticks and tell of each as it ends; the exit code."""
    deadline = None if timeout is None else time.monotonic() + timeout
    out, watch = Output(context), _Watch(home, ids)
    worst, pause = 0, _FIRST
    while True:
        ended = watch.look()
        for place, members in ended:
            worst = max(worst, _tell(out, place, members))
        sys.stdout.flush()
        left = None if deadline is None else deadline - time.monotonic()
        if not watch.waiting:
            return worst
        if left is not None and left <= 0:
            out.warn(f"time-out: still waiting for {some(list(watch.waiting))}")
            return TryLater.exit_code
        pause = _FIRST if ended else min(pause * _SLOWER, _SLOWEST)
        rest = max(pause, _REST * watch.took)
        time.sleep(rest if left is None else min(rest, left))


class _Watch:
    """Which of some ticks have ended; a look without news costs a handful of stats."""

    def __init__(self, home: Home, ids: list[str]) -> None:
        self._home = home
        self._spool = Spool(home)
        self.waiting = self._places(ids)
        self.took = 0.0
        self._mark: list[int] = []
        self._looked = self._everywhere = time.monotonic()

    def _places(self, ids: list[str]) -> dict[str, Found]:
        return {tick.name.id: tick for tick in find_each(self._home, ids)}

    def look(self) -> list[tuple[Found, dict[str, Any]]]:
        """The ticks that have ended since the last look."""
        mark, now = self._times(), time.monotonic()
        if mark == self._mark and now - self._looked < _LOOK_ANYWAY:
            return []
        self._mark, self._looked = mark, now
        ended = []
        for tick_id, found in list(self.waiting.items()):
            place = self._ended(found)
            members = _members(self._home, place) if place else None
            if place is not None and members is not None:
                del self.waiting[tick_id]
                ended.append((place, members))
        if now - self._everywhere > _LOOK_EVERYWHERE:
            self._everywhere = now
            find_each(self._home, self.waiting)
        self.took = time.monotonic() - now
        return ended

    def _times(self) -> list[int]:
        days = self._spool.done_days()[-2:]
        folders = (self._home.dead, self._home.done, *(f"{self._home.done}/{day}" for day in days))
        times = []
        for folder in folders:
            with contextlib.suppress(OSError):
                times.append(os.stat(folder).st_mtime_ns)
        return times

    def _ended(self, found: Found) -> Found | None:
        folder = self._spool.ended(found.name)
        if folder is None:
            return None
        # The consumer, or `bump`, may have given it another priority: then its name is another, too.
        for priority in range(10):
            name = found.name.at(priority)
            if os.path.lexists(f"{self._home.state}/{folder}/{name.file}"):
                return Found(folder, name.file, name)
        return None


def _members(home: Home, found: Found) -> dict[str, Any] | None:
    try:
        return load_object(f"{home.state}/{found.place}", LARGEST)
    except FileNotFoundError:
        return None
    except ValueError as error:
        reason = f"state/{found.place} can't be read: {error}"
        return {"id": found.name.id, "outcome": {"status": found.state, "reason": reason}}


def _tell(out: Output, found: Found, members: dict[str, Any]) -> int:
    outcome = mapping(members.get("outcome"))
    status = safe(outcome.get("status"))
    if out.json:
        out.line_of_json({"id": found.name.id, "cadence": found.name.cadence, "outcome": outcome})
    else:
        out.line(found.name.id, " ", painted(status))
    if status in WELL:
        return 0
    told = f"{found.name.id} {found.name.cadence}: {status}: {outcome.get('reason')}"
    out.warn(f"{told}: cadence show {found.name.random}")
    return 1
