"""A dead letter retried: new ticks that name the old ones, put in before the letter is taken out.

A new tick's id is derived from the old one's, so that a retry which a crash cut in two makes the same ticks
again, finds them, and only takes the letter out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import stamp
from cadencebus.desk import tick_size
from cadencebus.desk.dead_letters import Letter, in_batches, take_out
from cadencebus.desk.journaling import tell
from cadencebus.desk.lookup import folders, names
from cadencebus.desk.tick_size import spool_of
from cadencebus.errors import BadData
from cadencebus.model.foreign import sequence
from cadencebus.model.hold import OPERATOR
from cadencebus.model.naming import crockford, is_id, name_in
from cadencebus.model.tick import LARGEST, BadTick, Tick, check_members, tick_of
from cadencebus.model.wording import count
from cadencebus.store import files, inlet, tomb
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cadencebus.desk.lookup import Found
    from cadencebus.store.paths import Home

_MICROSECOND = 0.000_001
# Of a tick that dies, these told of its own way; the new one has another.
_LEFT_BEHIND = frozenset({"file", "origin_id", "earlier", "retry_of", "origin_key"})


@dataclass(frozen=True, slots=True)
class Retried:
    """A letter, and the ids of the ticks in its stead: its own first, then those its run had absorbed."""

    letter: Found
    ids: tuple[str, ...]


def retry(home: Home, letters: Sequence[Found], now: float) -> Iterator[Retried]:
    """Put the new ticks of some letters in durably, then take those letters out, then go on to the next."""
    spool, present = spool_of(home), _ids(home)
    for some in in_batches(home, letters):
        ticks = [(letter, successors(spool, letter, now)) for letter in some]
        _put(home, [tick for _, new in ticks for tick in new if tick.id not in present])
        retried = [(letter, Retried(letter.found, tuple(tick.id for tick in new))) for letter, new in ticks]
        # What an operator ended lies in done/, and stays there.
        leaving = [(letter, {"retried_as": one.ids}) for letter, one in retried if not letter.ended_by_hand]
        take_out(home, leaving, "retried", now)
        tell(home, *(_told(one) for _, one in retried), at=now)
        yield from (one for _, one in retried)


def _put(home: Home, ticks: Sequence[Tick]) -> None:
    for tick in ticks:
        # Half of it may lie there since a kill: the name is derived, so it would be in the way for ever.
        files.discard(f"{home.tmp}/{tick.name.file}")
    inlet.put_all(home, [(tick.name, tick.bytes(), tick.not_before) for tick in ticks])


def _told(one: Retried) -> dict[str, str]:
    about = {"cadence": one.letter.name.cadence, "tick": one.letter.name.id, "retry": one.ids[0]}
    return {"event": "dead.retried", **about, "by": OPERATOR}


def spell(retried: Sequence[Retried]) -> str:
    """How many they were, in words; what their runs had absorbed came back with them."""
    absorbed = sum(len(one.ids) - 1 for one in retried)
    whose = "its run" if len(retried) == 1 else "their runs"
    with_them = f", and {count(absorbed, 'tick')} that {whose} had absorbed"
    return f"{len(retried)} retried" + (with_them if absorbed else "")


def successors(spool: Spool, letter: Letter, now: float) -> tuple[Tick, ...]:
    """The ticks that take a letter's place; an error where they would be none."""
    dead = _as_tick(letter, spool.max_tick_bytes)
    since = letter.died_at or now
    absorbed = [tick_id for tick_id in sequence(letter.outcome.get("absorbed")) if is_id(tick_id)]
    ticks = tuple(
        _successor(dead, old_id, since + at * _MICROSECOND, now)
        for at, old_id in enumerate([letter.found.name.id, *absorbed])
    )
    # Alike but for their ids.
    tick_size.check(spool, ticks[0])
    return ticks


def is_tick(home: Home, letter: Letter) -> bool:
    """Whether it can be retried as it lies there."""
    try:
        _as_tick(letter, spool_of(home).max_tick_bytes if files.exists(letter.raw) else LARGEST)
    except (BadData, OSError):
        return False
    return True


def _as_tick(letter: Letter, most: int) -> Tick:
    """What the letter was as a tick; of raw bytes, what they say by now."""
    try:
        members: dict[str, Any] = letter.members
        if files.exists(letter.raw):
            members = tomb.examine(letter.raw, most)
        else:
            check_members(members)
        return tick_of({**members, "id": letter.found.name.id}, letter.found.name, born=0.0)
    except BadTick as fault:
        raise BadData(
            f"{letter.found.name.id} can't be retried: {fault.message}",
            next_step=f"fix {letter.raw} and move it to inbox/ as a *.json, or cadence dead purge "
            + letter.found.name.random,
        ) from None


def _successor(dead: Tick, old_id: str, at: float, now: float) -> Tick:
    extra = {key: value for key, value in dead.extra.items() if key not in _LEFT_BEHIND}
    extra["retry_of"] = old_id
    if dead.key is not None:
        # As a key it would make the retry a duplicate of the very tick that it retries.
        extra["origin_key"] = dead.key
    seed = hashlib.sha256(f"retry\0{old_id}".encode()).digest()
    return Tick(
        id=f"{stamp(at)}-{crockford(seed[:5])}",
        cadence=dead.cadence,
        source="retry",
        created_at=now,
        priority=dead.priority,
        payload=dead.payload,
        # Of one that was cancelled before it was due.
        not_before=dead.not_before if dead.not_before is not None and dead.not_before > now else None,
        hops=dead.hops,
        extra=extra,
    )


def _ids(home: Home) -> set[str]:
    """The id of every tick there is.

    Under the lock that claims take, ticks only move in the direction in which the folders are read.
    """
    with Spool(home).moving():
        places = list(folders(home, ("deferred", "claimed", "inbox", "done", "dead")))
        return {name.id for place in places for file in names(home, place) if (name := name_in(file))}
