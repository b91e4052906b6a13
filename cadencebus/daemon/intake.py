"""What appears in inbox/: canonical names are taken up, foreign files are named, rubbish is buried."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING

from cadencebus.clock import stamp
from cadencebus.daemon.own_priority import OwnPriority
from cadencebus.model.legible import escaped
from cadencebus.model.naming import (
    SUFFIX,
    Name,
    deferred_name,
    name_of,
    parse_name,
)
from cadencebus.model.tick import BadTick, Misnamed, tick_of
from cadencebus.store import files, inlet, runs, tomb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from cadencebus.clock import Clock
    from cadencebus.daemon.index import Calendar, Index
    from cadencebus.store.spool import Spool

Signature = tuple[int, int, int]
# Faults that no further writing to the file would mend.
_NO_DOUBT = frozenset({"not_a_file", "unreadable", "duplicate_id", "id_in_use"})


@dataclass(slots=True)
class Doubt:
    """A file that is no tick yet: perhaps somebody still writes it."""

    signature: Signature
    # When it was found; and since when it has stood still.
    found: float
    since: float


class Intake:
    """Turns what lies in inbox/ and deferred/ into names of the index."""

    def __init__(
        self,
        spool: Spool,
        index: Index,
        calendar: Calendar,
        clock: Clock,
        *,
        own_priority: Callable[[str], int],
        running_as: Callable[[str], str | None],
        look_after: Callable[[str, str], None],
        tell: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._spool = spool
        self._index = index
        self._calendar = calendar
        self._clock = clock
        self.priorities = OwnPriority(spool, index, clock, own_priority)
        self._running_as = running_as
        self._look_after = look_after
        self._tell = tell
        self._doubts: dict[str, Doubt] = {}
        self.settle = 2.0

    def look_again_at(self) -> float | None:
        """When the next doubtful file should be looked at, on the monotonic clock."""
        return next((doubt.since + self.settle for doubt in self._doubts.values()), None)

    def undecided(self) -> bool:
        """Whether a doubtful file is due, or was found so lately that it may still become a tick."""
        now = self._clock.monotonic()
        return any(
            doubt.since + self.settle <= now or now < doubt.found + self.settle
            for doubt in self._doubts.values()
        )

    def doubtful(self, most: int) -> list[str]:
        """The first of the doubtful files that are to be looked at again now."""
        now = self._clock.monotonic()
        waited = takewhile(lambda doubt: doubt[1].since + self.settle <= now, self._doubts.items())
        return [file for file, _ in islice(waited, most)]

    def arrived(self, files_seen: Iterable[str]) -> None:
        """Take up names that appeared in inbox/."""
        strangers = []
        for file in files_seen:
            name = parse_name(file)
            if name is None:
                strangers.append(file)
            elif self._new(file, name) and self._take_up(file, name):
                self._tell({"event": "tick.accepted", "cadence": name.cadence, "tick": name.id})
        self.ingest(strangers)
        self.priorities.sync()

    def ready(self, promoted: Iterable[str]) -> None:
        """Take up names whose time has come, and which lie in inbox/ now."""
        for file in promoted:
            name = parse_name(file)
            if name is not None and self._new(file, name) and self._take_up(file, name):
                self._tell({"event": "tick.due", "cadence": name.cadence, "tick": name.id})
        self.priorities.sync()

    def _new(self, file: str, name: Name) -> bool:
        if file in self._index or self._twin(file, name):
            return False
        if (running := self._running_as(file)) is None:
            return True
        # One that comes back from a run is taken up when that run is over, never beside it.
        self._look_after(running, file)
        return False

    def _twin(self, file: str, name: Name) -> bool:
        """Bury a tick whose id has already ended or waits under another priority; True where it did."""
        state = self._spool.home.state
        place: str | None
        if files.exists(f"{state}/dead/{file}"):
            place = "dead"
        elif files.exists(f"{state}/claimed/{file}"):
            place = "claimed"
        else:
            place = self._spool.finished(name)
        others = (copy for copy in name.copies() if copy != name.file)
        if place is None and any(map(self._waits_as, others)):
            place = "inbox"
        if place is None:
            return False
        self._bury("inbox", file, BadTick("duplicate_id", f"the id {name.id} already lies in {place}/"))
        return True

    def _waits_as(self, file: str) -> bool:
        """Whether a tick waits under this name; one that was renamed (`bump`, `mv`) does not."""
        return file in self._index and self._lies(self._index, f"{self._spool.home.inbox}/{file}")

    @staticmethod
    def _lies(known: Index | Calendar, path: str) -> bool:
        """Whether a known name is still there; one that a hand moved away is forgotten."""
        if files.exists(path):
            return True
        known.discard(os.path.basename(path))
        return False

    def _take_up(self, file: str, name: Name) -> bool:
        """Add a tick to the index, renamed to its cadence's priority where its producer gave none."""
        return self._index.add(self.priorities.name(file, name))

    def ingest(self, strangers: Iterable[str]) -> None:
        """Give foreign files their names, in the order in which they were written."""
        found: list[tuple[int, str, os.stat_result]] = []
        for file in strangers:
            if file.startswith(".") or not file.endswith(SUFFIX):
                continue
            try:
                at = os.lstat(f"{self._spool.home.inbox}/{file}")
            except FileNotFoundError:
                self._doubts.pop(file, None)
                continue
            found.append((at.st_mtime_ns, file, at))
        named = [
            name for mtime, file, at in sorted(found, key=lambda f: f[:2]) if (name := self._name(file, at))
        ]
        if named:
            files.sync_folder(self._spool.home.inbox)

    def _name(self, file: str, at: os.stat_result) -> str | None:
        path = f"{self._spool.home.inbox}/{file}"
        try:
            members = tomb.examine(path, self._spool.max_tick_bytes)
        except FileNotFoundError:
            self._doubts.pop(file, None)
            return None
        except BadTick as fault:
            self._judge(file, at, fault)
            return None
        self._doubts.pop(file, None)
        if (name := parse_name(file)) is not None:
            # A tick that had its canonical name before its content was complete.
            self._take_up(file, name)
            return None
        return self._adopt(file, members, at)

    def _judge(self, file: str, at: os.stat_result, fault: BadTick) -> None:
        """Bury what is no tick, unless somebody may still be writing it."""
        if fault.code in _NO_DOUBT or self._had_its_time(file, at):
            self._doubts.pop(file, None)
            self._bury("inbox", file, fault)

    def _had_its_time(self, file: str, at: os.stat_result) -> bool:
        """Whether content that is no tick had its time to become one."""
        signature = (at.st_size, at.st_mtime_ns, at.st_ino)
        doubt, now = self._doubts.get(file), self._clock.monotonic()
        if doubt is None or doubt.signature != signature:
            # Always at the end: the doubts are kept in the order in which they are due.
            self._doubts.pop(file, None)
            self._doubts[file] = Doubt(signature, now if doubt is None else doubt.found, now)
            return self.settle <= 0
        return now - doubt.since >= self.settle

    def _adopt(self, file: str, members: dict[str, Any], at: os.stat_result) -> str | None:
        """Give a foreign file its canonical name by one rename; its content stays as it is."""
        now = self._clock.wall()
        cadence = members["cadence"]
        priority = members.get("priority")
        name = name_of(
            members.get("id") or inlet.new_id(now),
            cadence,
            self.priorities.of(cadence) if priority is None else priority,
        )
        tick = tick_of(members, name, born=at.st_mtime)
        if "id" in members and (place := self._taken(name)):
            self._bury("inbox", file, BadTick("duplicate_id", f"the id {name.id} already lies in {place}/"))
            return None
        due = tick.not_before or 0.0
        late = due > now
        folder, target = ("deferred", deferred_name(stamp(due), name)) if late else ("inbox", name.file)
        try:
            files.move(f"{self._spool.home.inbox}/{file}", f"{self._spool.home.state}/{folder}/{target}")
        except FileNotFoundError:
            return None
        if late:
            self._calendar.add(target)
            files.sync_folder(self._spool.home.deferred)
        else:
            self._index.add(target)
        self._tell(
            {
                "event": "tick.accepted",
                "cadence": cadence,
                "tick": name.id,
                "file": escaped(file),
                "source": tick.source,
            }
        )
        return target

    def _taken(self, name: Name) -> str | None:
        """Where another tick of this id lies."""
        for priority in range(10):
            file = name.at(priority).file
            if self._waits_as(file):
                return "inbox"
            if files.exists(f"{self._spool.home.claimed}/{file}"):
                return "claimed"
        if any(
            self._lies(self._calendar, f"{self._spool.home.deferred}/{f}") for f in self._calendar.of(name.id)
        ):
            return "deferred"
        if any(map(self._waits_as, self._index.elsewhere(name))):
            return "inbox"
        if runs.owner(self._spool.home, name.id) not in {None, name.cadence}:
            return "runs"
        return self._spool.ended(name)

    def _bury(self, folder: str, file: str, fault: BadTick) -> None:
        try:
            name = tomb.bury(self._spool.home, folder, file, fault, self._clock.wall())
        except tomb.Immovable:
            # A mount, another user's folder: it lies there until somebody takes it away, and holds nobody up.
            self._index.discard(file)
            return
        if name is not None:
            self._index.discard(file)
            self._tell(tomb.told(name, file, fault))

    def bury(self, file: str, fault: BadTick) -> None:
        """Bury a tick of inbox/ that turned out to be none, once it had its time to become one."""
        with contextlib.suppress(FileNotFoundError):
            self._judge(file, os.lstat(f"{self._spool.home.inbox}/{file}"), fault)

    def bury_unknown(self, file: str, fault: BadTick) -> None:
        """Bury a tick of a cadence that nobody knows, unless only its name speaks of that one."""
        with contextlib.suppress(BadTick, OSError):
            try:
                self._spool.read("inbox", file)
            except Misnamed as misnamed:
                if self._spool.rename("inbox", file, misnamed.file):
                    self._index.discard(file)
                    self._index.add(misnamed.file)
                    return
        self._bury("inbox", file, fault)
