"""What arrived, reported by an event or found by the slow rescan, taken up some at a time."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING

from cadencebus.clock import stamp
from cadencebus.daemon.heap import trim_heap
from cadencebus.daemon.index import cadence_in
from cadencebus.daemon.presence import OWN_DRAWINGS
from cadencebus.model.naming import SUFFIX, parse_deferred
from cadencebus.store import files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from cadencebus.daemon.gear import Gear
    from cadencebus.daemon.index import Calendar, Index
    from cadencebus.daemon.intake import Intake

# Correctness rests on this, not on an event arriving; a rescan may take a hundredth of the time at most.
RESCAN = 30.0
# Where events are known to be lost: this soon, and a tenth of the time.
_SOON = 1.0
_A_TURN = 500
# How long a turn may bury what is no tick, and how much before it asks the clock: each waits for the disk.
_A_WHILE = 0.1
_SOME = 10
# Names that a turn looks at for a rescan: a million at once would stop the turns for seconds.
_A_LOOK = 2000


class Lookout:
    """Hears what happens in the folders, and fills the index and the calendar."""

    def __init__(
        self,
        gear: Gear,
        index: Index,
        calendar: Calendar,
        intake: Intake,
        tell: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._gear = gear
        self._index = index
        self._calendar = calendar
        self._intake = intake
        self._tell = tell
        self._arrived: dict[str, None] = {}
        # Under names of their own: they are taken up behind the ticks, for all of it may be rubbish.
        self._strange: dict[str, None] = {}
        # In deferred/, but without a due time in front.
        self._misplaced: dict[str, None] = {}
        self._rescan_at = self._soonest = 0.0
        # The rescan under way, and what it has taken so far.
        self._round: Iterator[bool] | None = None
        self._took = 0.0

    def ring(self, folder: str, name: str) -> None:
        """Something happened in a folder: remember the name if it is a tick's, and wake."""
        home = self._gear.home
        if folder == home.inbox:
            self._came(name)
        elif folder == home.deferred:
            self._defer(name)
        elif folder in {home.prompts, home.root, home.state}:
            if name in OWN_DRAWINGS:
                return
            self._gear.edits += 1
        self._gear.wake()

    def _came(self, file: str) -> None:
        """Keep a name of inbox/ until it is taken up."""
        (self._strange if cadence_in(file) is None else self._arrived)[file] = None

    def _defer(self, file: str) -> None:
        """Take up a name of deferred/, and tell that its tick was accepted."""
        # Asked first, for a rescan: to take a million known names apart would cost seconds.
        if file in self._calendar:
            return
        parsed = parse_deferred(file)
        if parsed is None:
            self._misplace([file])
        elif self._calendar.add(file):
            self._tell({"event": "tick.accepted", "cadence": parsed[1].cadence, "tick": parsed[1].id})

    def _misplace(self, names: Iterable[str]) -> None:
        """Keep names of deferred/ that say no time, of files that may be ticks all the same."""
        self._misplaced |= {
            file: None for file in names if file.endswith(SUFFIX) and not file.startswith(".")
        }

    def lost(self) -> None:
        """Events were lost: rescan soon."""
        self._rescan_at = min(self._rescan_at, self._soonest)
        self._gear.wake()

    def all_seen(self, strangers: Iterable[str], misplaced: Iterable[str]) -> None:
        """Note that the folders were read whole: these are left to be taken up, events report what comes."""
        self._strange.update(dict.fromkeys(strangers))
        self._misplace(misplaced)
        self._rescan_at = self._gear.clock.monotonic() + RESCAN

    def look_anew(self) -> None:
        """Don't rely on earlier events: read the folders anew from the next turn on."""
        self._rescan_at, self._round = 0.0, None
        self._gear.wake()

    @property
    def pending(self) -> bool:
        """Whether names are known that have not been looked at, or folders are being read."""
        return bool(self._arrived or self._strange or self._misplaced) or self._round is not None

    def take_up(self, now: float, *, rename: bool = True) -> None:
        """Take up what arrived, what became clear, and what became due; `rename` what waited before."""
        self._readmit()
        self._intake.arrived(_first(self._arrived))
        self._intake.arrived(_first(self._strange))
        if self._arrived or self._strange:
            self._gear.wake()
        self._bury_for_a_while()
        if rename and self._intake.priorities.go_on():
            self._gear.wake()
        self._intake.ready(self._gear.spool.promote(self._calendar.due(stamp(now))))

    def _bury_for_a_while(self) -> None:
        """Look again at what was no tick; what is left of a flood is looked at in the next turns."""
        clock = self._gear.clock
        ends = clock.monotonic() + _A_WHILE
        while some := self._intake.doubtful(_SOME):
            self._intake.ingest(some)
            if clock.monotonic() >= ends:
                self._gear.wake()
                return

    def _readmit(self) -> None:
        """Let intake name what came to deferred/ without saying when it is due, some at a time."""
        for file in list(islice(self._misplaced, _SOME)):
            if self._gear.spool.readmit(file):
                self._came(file)
            # Only now: whatever the disk refused is tried again.
            del self._misplaced[file]
        if self._misplaced:
            self._gear.wake()

    def forget_gone(self) -> bool:
        """Forget heads that were removed by hand; True where there were any: all is looked at anew."""
        home, before = self._gear.home, len(self._calendar) + len(self._index)
        while (due := self._calendar.first()) and not files.exists(f"{home.deferred}/{due}"):
            self._calendar.discard(due)
        for cadence in self._index.cadences():
            while (head := self._index.head(cadence)) and not files.exists(f"{home.inbox}/{head}"):
                self._index.discard(head)
        if gone := len(self._calendar) + len(self._index) < before:
            # Perhaps it only has another name, of which no event told yet.
            self.look_anew()
        return gone

    def rescan(self, beside: Callable[[], None]) -> None:
        """Look for what no event told of, some at a time: the slow safety net, when it is due."""
        clock = self._gear.clock
        started = clock.monotonic()
        if self._round is None:
            if started < self._rescan_at:
                return
            # What gets lost from here on may have come where this round has already been.
            self._round, self._took, self._rescan_at = self._look(beside), 0.0, math.inf
        try:
            going_on = next(self._round, False)
        except OSError:
            self.look_anew()
            raise
        ended = clock.monotonic()
        self._took += ended - started
        if going_on:
            self._gear.wake()
        else:
            self._looked_through(ended)

    def _looked_through(self, ended: float) -> None:
        """Plan the next round: the longer this one took the later, but soon where events were lost."""
        lost = self._rescan_at < math.inf
        self._round = None
        self._soonest = ended + max(_SOON, 10 * self._took)
        self._rescan_at = self._soonest if lost else ended + max(RESCAN, 100 * self._took)
        trim_heap()

    def _look(self, beside: Callable[[], None]) -> Iterator[bool]:
        """Read the folders, with a yield after each piece, then do what `beside` does."""
        # Only what is new is kept; a name that vanished is found to be gone when its turn comes.
        for number, file in enumerate(self._gear.spool.names("inbox"), 1):
            if file not in self._index:
                self._came(file)
                self._gear.wake()
            if number % _A_LOOK == 0:
                yield True
        for number, file in enumerate(self._gear.spool.names("deferred"), 1):
            self._defer(file)
            if number % _A_LOOK == 0:
                yield True
        beside()

    def due_in(self) -> float:
        """Seconds until the next look that no event causes, but for the due times of the calendar."""
        monotonic = self._gear.clock.monotonic()
        doubt = self._intake.look_again_at()
        return min(self._rescan_at, self._rescan_at if doubt is None else doubt) - monotonic


def _first(names: dict[str, None]) -> list[str]:
    """Take out what came first."""
    some = list(islice(names, _A_TURN))
    for name in some:
        del names[name]
    return some
