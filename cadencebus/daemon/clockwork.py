"""The bus's own clock: puts a tick in for each firing of each schedule.

First the tick is made durable, then the journal is written, then the cursor: so a crash anywhere neither
loses nor doubles a firing. The tick of one that was cut off has the same id again, for that is made of
cadence and slot; it is looked for wherever ticks lie before it is made once more.

Where runs take longer than the interval, or are held, ticks don't pile up: with `overlap: coalesce` a tick
that still waits stands for the next firing, since its run starts after both. In a full queue (`max_inbox`) it
does so whatever `overlap` says. The ticks that `catch_up: all` brings back are wanted one by one: they have a
key, and are never folded or absorbed.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.daemon.dials import Dials
from cadencebus.model.duration import spell_duration
from cadencebus.model.tick import Tick
from cadencebus.policy.due import Firing, due
from cadencebus.store import files
from cadencebus.store.firings import Firings, Standing
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.daemon.dials import Dial
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.firing_rule import FiringRule

# Edits cause events; this is for file systems that have none.
LOOK_EVERY = 30.0
# Looking at the files may take a twentieth of the time, however often they are touched.
_REST = 20
# Neither a machine that wakes up nor a clock that is set causes an event: a firing may be this late then.
OFTEN = 5.0
_BEHIND_ENOUGH = 60.0
_AFTER_A_FAULT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """What one schedule wants now."""

    dial: Dial
    standing: Standing
    wake_at: float
    ticks: Sequence[Tick] = ()
    events: Sequence[dict[str, Any]] = ()


class Clockwork:
    """The chore that fires."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        # A reader of its own: the loop and this chore's thread must not use one at the same time.
        self._prompts = Prompts(gear.home, lambda: gear.settings.current.defaults)
        self._firings = Firings(gear.spool, gear.memory, gear.say)
        self._dials = Dials(gear, self._prompts, self._firings)
        self._edits = -1
        self._look_at = self._rest_until = -math.inf
        self._wake_at = math.inf
        self._now = -math.inf
        self._stopped = False

    def due_in(self) -> float:
        """Seconds until the next firing, or the next look at the files."""
        monotonic = self._gear.clock.monotonic()
        wanted = [self._look_at - monotonic]
        if self._gear.edits != self._edits:
            wanted.append(self._rest_until - monotonic)
        if self._wake_at < math.inf and not self._stopped:
            # The wall clock may be set, or the laptop suspended, while we sleep: neither wakes us.
            wanted += [self._wake_at - self._gear.clock.wall(), OFTEN]
        return min(wanted)

    async def do(self) -> None:
        """Look at what was edited, fire what is due."""
        await asyncio.to_thread(self.turn)

    def turn(self) -> None:
        """One look and what follows from it; after an OSError it is simply done again."""
        began, now = self._gear.clock.monotonic(), self._gear.clock.wall()
        # Read before the look: what is edited meanwhile is looked at again.
        edits = self._gear.edits
        if edits != self._edits or began >= self._look_at:
            self._dials.look(now)
            took = self._gear.clock.monotonic() - began
            self._look_at = began + max(LOOK_EVERY, _REST * took)
            self._rest_until = began + _REST * took
        if now < self._now:
            # The clock was set back: what was passed over may be still to come.
            for dial in self._dials:
                dial.wake_at = -math.inf
        self._now = now
        # The emergency stop stops this clock as well: what it would have fired counts as missed.
        self._stopped = files.exists(self._gear.home.stop)
        asked = [dial for dial in self._dials if dial.wake_at <= now]
        self._fire([dial for dial in asked if dial.new or not self._stopped], now)
        self._wake_at = min((dial.wake_at for dial in self._dials), default=math.inf)
        self._edits = edits

    def _fire(self, dials: Sequence[Dial], now: float) -> None:
        turns = [turn for dial in dials if (turn := self._asked(dial, now)) is not None]
        for turn in turns:
            turn.dial.doubtful = turn.dial.doubtful or bool(turn.ticks)
        self._firings.put([tick for turn in turns for tick in turn.ticks], now)
        events = [event for turn in turns for event in turn.events]
        if events:
            self._gear.journal.write(now, events, durable=True)
        for turn in turns:
            dial = turn.dial
            if turn.standing != dial.standing:
                self._firings.save(dial.rule.name, turn.standing, now)
            dial.standing, dial.wake_at, dial.doubtful = turn.standing, turn.wake_at, False

    def _asked(self, dial: Dial, now: float) -> _Turn | None:
        """What a schedule wants; None where asking it fails by a bug, which must not stop the others."""
        try:
            return self._turn_of(dial, now)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this schedule's alone
            name = dial.rule.name
            self._gear.say(f"{name}: a fault of cadencebus itself in its schedule: {error!r}")
            self._gear.tell({"event": "consumer.fault", "cadence": name, "reason": repr(error)[:500]})
            dial.wake_at = now + _AFTER_A_FAULT
            return None

    def _turn_of(self, dial: Dial, now: float) -> _Turn:
        """Ask a schedule what it wants, and make the ticks."""
        name, before = dial.rule.name, dial.standing
        cursor, last = (before.cursor, before.tick) if before else (None, None)
        found = due(dial.timetable, cursor, now, written=self._prompts.written(name))
        events: list[dict[str, Any]] = []
        if found.remark:
            self._gear.say(f"{name}: {found.remark}")
            events.append(_skipped(name, found.remark, count=found.skipped))
        if found.behind > _BEHIND_ENOUGH and cursor == found.cursor and dial.wake_at < 0:
            self._gear.say(
                f"{name}: the clock stands {spell_duration(found.behind)} before its last firing; "
                "until it is there again, nothing fires twice"
            )
        firings = found.ticks
        if firings and last and self._folds(dial, firings, last):
            if dial.folded_into != last:
                dial.folded_into = last
                events.append(_skipped(name, "the tick that still waits stands for it", tick=last))
            firings = ()
        ticks = [_tick(dial.rule, firing, now, alone=len(firings) > 1) for firing in firings]
        events += [_fired(tick, firing, now) for tick, firing in zip(ticks, firings, strict=True)]
        return _Turn(
            dial=dial,
            standing=Standing(rule=dial.rule, cursor=found.cursor, tick=ticks[-1].id if ticks else last),
            wake_at=math.inf if found.wake_at is None else found.wake_at,
            ticks=[tick for tick in ticks if not (dial.doubtful and self._firings.made(tick.name))],
            events=events,
        )

    def _folds(self, dial: Dial, firings: Sequence[Firing], last: str) -> bool:
        """Whether the tick made last still waits, and its run will do for this firing as well."""
        if len(firings) > 1 or not self._firings.waits(dial.rule.name, last):
            return False
        # In a full queue no cadence gets a second tick of the clock's.
        return dial.rule.folds or self._firings.full(self._gear.settings.current.max_inbox)


def _tick(rule: FiringRule, firing: Firing, now: float, *, alone: bool) -> Tick:
    return Tick(
        id=firing.tick_id(rule.name),
        cadence=rule.name,
        source="schedule",
        created_at=now,
        priority=rule.priority,
        key=firing.key if alone else None,
        extra={"slot": rfc3339(firing.slot)},
    )


def _fired(tick: Tick, firing: Firing, now: float) -> dict[str, Any]:
    return {
        "event": "schedule.fired",
        "cadence": tick.cadence,
        "tick": tick.id,
        "slot": rfc3339(firing.slot),
        "late": round(max(0.0, now - firing.at), 3),
    }


def _skipped(name: str, why: str, **more: object) -> dict[str, Any]:
    return {"event": "schedule.skipped", "cadence": name, "reason": why, **more}
