"""The schedules that the bus's own clock keeps, as their files say, or said before they were broken."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cadencebus.errors import CadenceError, NoSuch
from cadencebus.model.firing_rule import FiringRule, rule_of
from cadencebus.policy.due import suspended
from cadencebus.policy.timetable import timetable_of
from cadencebus.store.fired_outside import fired_outside
from cadencebus.store.zone import local_zone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

    from cadencebus.daemon.gear import Gear
    from cadencebus.policy.timetable import Timetable
    from cadencebus.store.firings import Firings, Standing
    from cadencebus.store.prompts import Prompts


@dataclass(slots=True, kw_only=True)
class Dial:
    """One schedule: when it fires, how far it has come on disk, when it is to be asked next."""

    rule: FiringRule
    timetable: Timetable
    standing: Standing | None
    wake_at: float = -math.inf
    # Whether a crash, or the disk, may have cut its last firing off.
    doubtful: bool = True
    # The waiting tick that stands for later firings, too, once this has been reported.
    folded_into: str | None = None

    @property
    def new(self) -> bool:
        """Whether its rule is seen for the first time: that fires nothing."""
        return self.standing is None or self.standing.cursor.fingerprint != self.timetable.fingerprint


class Dials:
    """A dial for each schedule that is on and that nobody else fires."""

    def __init__(self, gear: Gear, prompts: Prompts, firings: Firings) -> None:
        self._gear = gear
        self._prompts = prompts
        self._firings = firings
        self._dials: dict[str, Dial] = {}
        self._suspended: set[str] = set()
        self._lost: frozenset[str] = frozenset()
        self._complaints: dict[str, str] = {}
        self._zone = local_zone()

    def __iter__(self) -> Iterator[Dial]:
        return iter(self._dials.values())

    def look(self, now: float) -> None:
        """Read the files of all cadences that were edited."""
        zone, fired = local_zone(), self._fired_outside()
        if zone != self._zone:
            # The C library does not notice a new zone by itself: `active_hours` would keep to the old one.
            time.tzset()
            self._zone = zone
        names = self._prompts.names()
        # A file that is away fires nothing, and comes back as after downtime.
        for gone in self._dials.keys() - set(names):
            del self._dials[gone]
        for name in names:
            rule = self._rule(name, now)
            if rule is None:
                continue
            if rule.scheduled and name not in fired:
                self._take_up(rule, zone, now)
            else:
                self._suspend(name, now)

    def _fired_outside(self) -> frozenset[str]:
        """What a service manager fires; what it should fire and can't is reported once."""
        found = fired_outside(self._gear.home)
        if found.lost and found.lost != self._lost:
            self._gear.say(f"{found.remark}; {found.cure}")
        self._lost = found.lost
        return found.cadences

    def _rule(self, name: str, now: float) -> FiringRule | None:
        """What its file says, or said before it was broken; None: nothing new is known."""
        try:
            rule = rule_of(self._prompts.load(name))
        except (NoSuch, OSError):
            return None
        except CadenceError as error:
            return self._kept(name, str(error), now)
        self._complaints.pop(name, None)
        return rule

    def _kept(self, name: str, why: str, now: float) -> FiringRule | None:
        """The last rule that made sense, from memory or disk: a broken edit stops no clock."""
        dial = self._dials.get(name)
        standing = dial.standing if dial else self._firings.load(name, now)
        known = standing is not None and bool(standing.cursor.fingerprint)
        if known and self._complaints.get(name) != why:
            self._complaints[name] = why
            self._gear.say(f"{why}; its last good schedule goes on")
            self._gear.tell({"event": "schedule.kept", "cadence": name, "reason": why})
        return standing.rule if known and standing else None

    def _take_up(self, rule: FiringRule, zone: tzinfo, now: float) -> None:
        timetable = timetable_of(rule, local=zone)
        if timetable is None:
            return
        dial = self._dials.get(rule.name)
        if dial is None:
            self._suspended.discard(rule.name)
            standing = self._firings.load(rule.name, now)
            self._dials[rule.name] = Dial(rule=rule, timetable=timetable, standing=standing)
        elif (dial.rule, dial.timetable) != (rule, timetable):
            dial.rule, dial.timetable, dial.wake_at = rule, timetable, -math.inf

    def _suspend(self, name: str, now: float) -> None:
        """Give up a schedule that is off or fired by others; once it is the clock's again, it begins anew."""
        if name in self._suspended:
            return
        dial = self._dials.pop(name, None)
        standing = dial.standing if dial else self._firings.load(name, now)
        if standing is not None and standing.cursor.fingerprint:
            self._firings.save(name, replace(standing, cursor=suspended(standing.cursor)), now)
        self._suspended.add(name)
