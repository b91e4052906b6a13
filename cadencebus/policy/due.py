"""What is due: which ticks a schedule puts in now, and what the bus remembers of it afterwards.

The cursor is a high-water mark: everything up to its slot is settled, and it never goes back. It is
saved only after the ticks are durable; a crash between the two makes the same ticks again, with the same ids.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339, stamp
from cadencebus.model.naming import crockford
from cadencebus.policy.timetable import zone_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cadencebus.policy.timetable import Timetable

# `catch_up: none` still takes a firing that is no later than this: late is not missed.
GRACE = 60.0
# The most that `catch_up: all` brings back at once; a clock that is a year off must not make a million ticks.
MOST = 1000
# The most stretches that are remembered as passed over: the newest, and of the others the longest.
STRETCHES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A tick to put in: the slot it stands for, the key that makes it one, and when it was due."""

    slot: float
    key: str
    at: float

    def tick_id(self, cadence: str) -> str:
        """The id of its tick: drawn from cadence and slot, so whoever makes it again makes the same one."""
        seed = hashlib.sha256(f"{cadence}\0{self.key}".encode()).digest()
        return f"{stamp(self.slot)}-{crockford(seed[:5])}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a schedule has come.

    `passed_over` are stretches that were skipped unfired, both ends excluded. Should the clock be set back
    into one, its slots are still to come: a clock that was wrong for an hour costs no year of silence.
    """

    slot: float
    fingerprint: str
    place: str = ""
    fired: int = 0
    passed_over: tuple[tuple[float, float], ...] = ()

    def stretch(self, here: float) -> tuple[float, float] | None:
        """The stretch that a moment lies in."""
        return next((over for over in self.passed_over if over[0] <= here < over[1]), None)

    def dump(self) -> dict[str, Any]:
        """The JSON object for the cadence's memory."""
        return {
            "slot": rfc3339(self.slot),
            "fired": self.fired,
            "fingerprint": self.fingerprint,
            "place": self.place,
            "passed_over": [[rfc3339(start), rfc3339(end)] for start, end in self.passed_over],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What to put in, what to remember once that is durable, and when to ask again (None: never).

    `skipped` counts missed slots without a tick, `uncounted` says that older ones were not even counted, and
    `behind` is by how much the clock stands before what is settled: until it is there, nothing fires.
    """

    ticks: tuple[Firing, ...]
    cursor: Cursor
    wake_at: float | None
    skipped: int = 0
    uncounted: bool = False
    behind: float = 0.0

    @property
    def remark(self) -> str | None:
        """What an operator should hear about it; None on an ordinary turn."""
        if self.uncounted:
            return f"of more than {MOST} missed firings only {len(self.ticks)} got a tick"
        if self.skipped:
            return f"{self.skipped} missed firing{'s'[: self.skipped > 1]} got no tick of their own"
        return None


def cursor_of(members: Mapping[str, Any]) -> Cursor:
    """Read a cursor back; ValueError for what is none."""
    try:
        return Cursor(
            slot=parse_rfc3339(members["slot"]),
            fingerprint=str(members["fingerprint"]),
            place=str(members.get("place", "")),
            fired=int(members.get("fired", 0)),
            passed_over=tuple(
                (parse_rfc3339(start), parse_rfc3339(end)) for start, end in _stretches(members)
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a cursor: {error}") from None


def _stretches(members: Mapping[str, Any]) -> Sequence[Sequence[str]]:
    """As they are written; an earlier version knew no more than one."""
    over = members.get("passed_over") or ()
    return (over,) if over and isinstance(over[0], str) else over


def suspended(cursor: Cursor) -> Cursor:
    """The cursor of a schedule that is off: whenever it is on again, it begins at that moment."""
    return replace(cursor, fingerprint="")


def begin(timetable: Timetable, at: float, *, fired: int = 0) -> Cursor:
    """The cursor of a schedule that is new at this moment: the past is settled, nothing has fired."""
    return Cursor(
        slot=_nominal(timetable, at), fingerprint=timetable.fingerprint, place=timetable.place, fired=fired
    )


def due(timetable: Timetable, cursor: Cursor | None, now: float, *, written: float | None = None) -> Due:
    """Decide which slots get a tick now; None as cursor is a schedule seen for the first time."""
    if cursor is None or cursor.fingerprint != timetable.fingerprint:
        # A new rule starts at the moment it is seen; how often the cadence fired, `max_firings` still counts.
        # A single moment that was still to come when it was written down is missed only once: it counts.
        since = now if timetable.once_at is None or written is None else min(now, written)
        cursor = begin(timetable, since, fired=cursor.fired if cursor else 0)
    here = _nominal(timetable, now)
    if cursor.place != timetable.place:
        return _moved(timetable, cursor, here)
    return _look(timetable, cursor, here)


def _look(timetable: Timetable, cursor: Cursor, here: float) -> Due:
    left = MOST if timetable.max_firings is None else timetable.max_firings - cursor.fired
    if left <= 0:
        return Due(ticks=(), cursor=cursor, wake_at=None)
    since = _unsettled_since(cursor, here)
    missed, uncounted = ([], False) if since is None else _newest(timetable, since, here)
    caught_up = _caught_up(timetable, missed, here)
    wanted = caught_up[:left]
    if since is not None and missed:
        gap = uncounted or len(caught_up) < len(missed)
        cursor = _advance(cursor, since, here, missed, wanted, gap=gap)
    cursor = replace(cursor, fired=cursor.fired + len(wanted))
    return Due(
        ticks=tuple(_firing(timetable, slot) for slot in wanted),
        cursor=cursor,
        wake_at=_wake_at(timetable, cursor, here),
        skipped=len(missed) - len(caught_up),
        uncounted=uncounted,
        behind=0.0 if since is not None else cursor.slot - here,
    )


def _firing(timetable: Timetable, slot: float) -> Firing:
    return Firing(slot=slot, key=f"schedule:{stamp(slot)}", at=slot + timetable.offset)


def _moved(timetable: Timetable, cursor: Cursor, here: float) -> Due:
    """The machine is in another zone: the old clock says what was missed, the new one what comes."""
    try:
        found = _look(timetable.at(zone_named(cursor.place)), cursor, here)
    except ValueError:
        # The old zone had no name that the tz database knows: then it can't be asked what it missed.
        found = Due(ticks=(), cursor=cursor, wake_at=None)
    settled = replace(found.cursor, slot=max(found.cursor.slot, here), place=timetable.place)
    upcoming = _look(timetable, settled, here)
    return replace(found, cursor=settled, wake_at=upcoming.wake_at)


def _caught_up(timetable: Timetable, missed: Sequence[float], here: float) -> Sequence[float]:
    """Of the slots that have passed, those that get a tick."""
    if timetable.catch_up == "all":
        return missed
    if timetable.catch_up == "none" and missed and here - missed[-1] > max(GRACE, timetable.jitter):
        return []
    return missed[-1:]


def _advance(
    cursor: Cursor, since: float, here: float, missed: Sequence[float], wanted: Sequence[float], *, gap: bool
) -> Cursor:
    """Settle what has passed; remember the stretch in which nothing fired, if slots were in it."""
    over = cursor.passed_over
    if since < cursor.slot:
        # The clock was set back: its progress eats the stretch, the high-water mark stands.
        eaten = ((missed[-1] if start == since else start, end) for start, end in over)
        return replace(cursor, passed_over=tuple(eaten))
    if gap:
        longest = sorted(over, key=lambda one: one[0] - one[1])[: STRETCHES - 1]
        over = (*longest, (since, wanted[0] if wanted else here))
    return replace(cursor, slot=missed[-1] if wanted else here, passed_over=over)


def _unsettled_since(cursor: Cursor, here: float) -> float | None:
    """From where slots are open; None where the clock was set back onto what is settled."""
    if here >= cursor.slot:
        return cursor.slot
    over = cursor.stretch(here)
    return over[0] if over else None


def _wake_at(timetable: Timetable, cursor: Cursor, here: float) -> float | None:
    if timetable.max_firings is not None and cursor.fired >= timetable.max_firings:
        return None
    upcoming = next(timetable.slots(max(here, cursor.slot)), None)
    for start, end in cursor.passed_over:
        # The clock was set back before it: what was passed over is still to come.
        sooner = next(timetable.slots(max(here, start)), math.inf) if here < end else math.inf
        if sooner < end:
            upcoming = sooner if upcoming is None else min(upcoming, sooner)
    return None if upcoming is None else upcoming + timetable.offset


def _newest(timetable: Timetable, since: float, here: float) -> tuple[list[float], bool]:
    """The newest slots in (since, here], at most MOST, and whether there were more.

    Where there were more they are looked for backwards, in growing steps: how long the machine was off must
    not matter.
    """
    all_of_them = list(islice(_between(timetable, since, here), MOST + 1))
    if len(all_of_them) <= MOST:
        return all_of_them, False
    reach = 1.0
    while True:
        start = max(since, here - reach)
        found = list(_between(timetable, start, here))
        if len(found) > MOST or start == since:
            return found[-MOST:], len(found) > MOST
        reach *= 2


def _between(timetable: Timetable, since: float, here: float) -> Iterator[float]:
    return takewhile(lambda slot: slot <= here, timetable.slots(since))


def _nominal(timetable: Timetable, now: float) -> float:
    """The slot-time of a moment, exact to what a file holds: never later than the truth."""
    return math.floor((now - timetable.offset) * 1_000_000) / 1_000_000
