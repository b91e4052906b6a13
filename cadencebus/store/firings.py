"""What the bus's own clock writes: ticks that are made once, and how far each schedule has come.

The id of a firing's tick is made of cadence and slot. After a crash between putting it in and saving the
cursor the same tick is made again, and found by its name wherever it lies by then. A `key` would do as well,
but ticks with a key are never absorbed, and a schedule whose runs take longer than its interval would pile
up.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import stamp
from cadencebus.errors import CantCreate, IOTrouble
from cadencebus.model.firing_rule import FiringRule, kept_rule
from cadencebus.model.naming import Name, name_of, parse_deferred
from cadencebus.model.tick import BadTick
from cadencebus.policy.due import Cursor, cursor_of
from cadencebus.policy.timetable import timetable_of
from cadencebus.store import files, inlet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cadencebus.model.tick import Tick
    from cadencebus.store.memory import Memories
    from cadencebus.store.spool import Spool

MEMBER = "schedule"
_PRIORITIES = range(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is remembered of a schedule: its rule, how far it has come, the tick it made last."""

    rule: FiringRule
    cursor: Cursor
    tick: str | None = None

    def dump(self) -> dict[str, Any]:
        """The JSON object in the cadence's memory."""
        return {**self.cursor.dump(), "tick": self.tick, "rule": self.rule.dump()}


def standing_of(name: str, members: Any) -> Standing:  # noqa: ANN401 - what lies on the disk
    """Read a standing back; ValueError for what is none."""
    if not isinstance(members, dict) or not isinstance(members.get("rule", {}), dict):
        raise ValueError("not a schedule's standing")  # noqa: TRY004 - bad content like any other
    tick, rule = members.get("tick"), kept_rule(name, members.get("rule", {}))
    # A rule that makes no timetable is none.
    timetable_of(rule)
    return Standing(
        rule=rule,
        cursor=cursor_of(members),
        tick=tick if isinstance(tick, str) else None,
    )


class Firings:
    """Puts the clock's ticks in, and keeps where each schedule stands."""

    def __init__(
        self, spool: Spool, memory: Memories, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._spool = spool
        self._state = spool.home.state
        self._memory = memory
        self._report = report

    def load(self, cadence: str, now: float, *, mend: bool = True) -> Standing | None:
        """Where its schedule stands; None for one never seen, or whose memory made no sense."""
        members = self._memory.load(cadence, now, mend=mend).get(MEMBER)
        if members is None:
            return None
        try:
            return standing_of(cadence, members)
        except ValueError as error:
            if mend:
                self._keep_aside(cadence, now, error)
            return None

    def _keep_aside(self, cadence: str, now: float, error: ValueError) -> None:
        """Give the memory a second name, under which it stays as it is; the next change makes a new file."""
        path = self._spool.home.memory(cadence)
        aside = f"{path}.corrupt-{stamp(now)}"
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            os.link(path, aside, follow_symlinks=False)
            files.sync_folder(os.path.dirname(aside))
        self._report(
            f"cadences/{cadence}.json: {MEMBER} can't be read ({error}); kept as {os.path.basename(aside)}, "
            "and the schedule begins now"
        )

    def save(self, cadence: str, standing: Standing, now: float) -> None:
        """Remember, durably, where it stands."""
        self._memory.change(cadence, now, {MEMBER: standing.dump()})

    def put(self, ticks: Sequence[Tick], now: float) -> None:
        """Make ticks durable; one that lies in the queue already is there. OSError where the disk refuses."""
        if not ticks:
            return
        for tick in ticks:
            # A kill may have left half of it there, which must not be taken for the whole.
            files.discard(f"{self._spool.home.tmp}/{tick.name.file}")
        try:
            self._spool.put(ticks, now)
        except (CantCreate, IOTrouble) as error:
            cause = error.__cause__
            if not isinstance(cause, FileExistsError):
                raise (cause if isinstance(cause, OSError) else OSError(error.message)) from None
            if len(ticks) > 1:
                for tick in ticks:
                    self.put([tick], now)
            # The process that named it may have died before the name was durable.
            files.sync_folder(self._spool.home.inbox)

    def made(self, name: Name) -> bool:
        """Whether the tick of this name lies anywhere, ready, running, put off or ended."""
        # Once more at the end: one that went back from claimed/ to inbox/ while we looked.
        if self._at(name, "inbox", "claimed") or self._put_off(name):
            found = True
        else:
            found = self._spool.ended(name) is not None or self._at(name, "inbox", "claimed") is not None
        if found:
            files.sync_folder(self._spool.home.inbox)
        return found

    def waits(self, cadence: str, tick_id: str) -> bool:
        """Whether a tick of the clock's still waits to start, as it was made."""
        name = name_of(tick_id, cadence, 0)
        place = self._at(name, "inbox")
        if place is None:
            return False
        try:
            tick = self._spool.read("inbox", os.path.basename(place))
        except (BadTick, FileNotFoundError):
            return False
        # Edited, forced or cancelled: then it can't stand for the next firing.
        own = tick.payload or tick.force or tick.key or tick.expires_at or tick.not_before
        return not own and tick.outcome is None

    def full(self, limit: int) -> bool:
        """Whether one tick more would make the queue longer than `max_inbox`."""
        return not inlet.has_room(self._spool.home, limit, 1)

    def _at(self, name: Name, *folders: str) -> str | None:
        paths = (f"{self._state}/{folder}/{name.at(p).file}" for folder in folders for p in _PRIORITIES)
        return next((path for path in paths if files.exists(path)), None)

    def _put_off(self, name: Name) -> bool:
        late = (parse_deferred(file) for file in self._spool.names("deferred"))
        return any(parsed and parsed[1].id == name.id for parsed in late)
