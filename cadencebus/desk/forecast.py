"""What is due: the firings of every schedule and the ticks put off, with what will make them wait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_stamp, rfc3339, stamp
from cadencebus.desk.lookup import listing, names
from cadencebus.desk.snapshot import Snapshot
from cadencebus.errors import CadenceError
from cadencebus.model.firing_rule import FiringRule, rule_of
from cadencebus.model.naming import parse_deferred
from cadencebus.policy import schedule_words
from cadencebus.policy.admit import STOPPED, Wait
from cadencebus.policy.brakes import opens_at
from cadencebus.policy.due import due
from cadencebus.policy.timetable import timetable_of
from cadencebus.store import producers
from cadencebus.store.fired_outside import fired_outside
from cadencebus.store.firings import Firings, Standing
from cadencebus.store.spool import Spool
from cadencebus.store.zone import local_zone

if TYPE_CHECKING:
    from cadencebus.model.naming import Name
    from cadencebus.policy.due import Due
    from cadencebus.policy.timetable import Timetable
    from cadencebus.store.paths import Home

# How many firings of a cadence have a line each; beyond that, one line says how many there are.
FEW = 6
# Firings are counted up to this number.
MANY = 1000
# A tick put off further than this is a mistake; and how many of those are named.
FAR, _FEW_FAR = 366 * 86400.0, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    """Something due: when, whose, by whom; how often until when, where one line stands for many firings."""

    at: float
    cadence: str
    # `clock` is the bus's own; `systemd`, `launchd`, `cron` were installed; `deferred`: a tick that waits.
    by: str = "clock"
    tick: str | None = None
    times: int = 1
    last_at: float | None = None
    when: str | None = None
    # Already past: downtime, which `catch_up` makes good as soon as somebody consumes.
    missed: bool = False
    wait: Wait | None = None

    def dump(self) -> dict[str, Any]:
        """The object that `next --json` prints."""
        return {
            "at": rfc3339(self.at),
            "cadence": self.cadence,
            "by": self.by,
            "tick": self.tick,
            "times": self.times,
            "last_at": rfc3339(self.at if self.last_at is None else self.last_at),
            "when": self.when,
            "missed": self.missed,
            "wait": self.wait and self.wait.dump(),
        }

    def brief(self) -> dict[str, Any]:
        """The object that `status --json` prints."""
        return {"at": rfc3339(self.at), "cadence": self.cadence, "tick": self.tick, "by": self.by}


def upcoming(home: Home, now: float, hours: float) -> list[Upcoming]:
    """Everything due within these hours, in order; nothing on the disk is changed."""
    snapshot = Snapshot(home, now)
    until = now + hours * 3600
    found = []
    # They come as they are due: of a hundred thousand only those are taken apart that are shown.
    for tick in listing(home, ("deferred",)):
        if tick.due is None:
            continue
        if tick.due > until:
            break
        found.append(Upcoming(at=tick.due, cadence=tick.name.cadence, by="deferred", tick=tick.name.id))
    for schedule in schedules(snapshot):
        found += schedule.firings(now, until)
    found.sort(key=lambda one: (one.at, one.cadence))
    return [replace(one, wait=_wait(snapshot, one)) for one in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A cadence that fires: its timetable, who fires it, how far it came; `kept` while its file is broken."""

    cadence: str
    timetable: Timetable
    by: str = "clock"
    standing: Standing | None = None
    kept: bool = False
    written: float | None = None

    def firings(self, now: float, until: float) -> list[Upcoming]:
        """What it has due up to then: each firing, or one line for many."""
        answer = self._due(now)
        one = Upcoming(at=now, cadence=self.cadence, by=self.by, when=schedule_words.describe(self.timetable))
        found = []
        if answer.ticks and self.by == "clock":
            found.append(replace(one, at=answer.ticks[-1].at, missed=True, times=len(answer.ticks)))
        left = MANY + 1
        if self.timetable.max_firings is not None:
            left = max(0, min(left, self.timetable.max_firings - answer.cursor.fired))
        since = max(now, answer.cursor.slot + self.timetable.offset)
        times = list(islice(self.timetable.firings(since, until), left))
        if len(times) <= FEW:
            return [*found, *(replace(one, at=at) for at in times)]
        last = until if len(times) > MANY else times[-1]
        return [*found, replace(one, at=times[0], times=len(times), last_at=last)]

    def next_at(self, now: float) -> float | None:
        """When it fires next; None: never again."""
        return self._due(now).wake_at

    def _due(self, now: float) -> Due:
        cursor = self.standing.cursor if self.standing else None
        return due(self.timetable, cursor, now, written=self.written)


def put_off(due: str, name: Name) -> Upcoming:
    """A tick that waits in deferred/, by its file's name."""
    return Upcoming(at=parse_stamp(due), cadence=name.cadence, by="deferred", tick=name.id)


def far_off(home: Home, now: float) -> list[Upcoming]:
    """Ticks put off beyond every plan: a mistyped year, a clock that ran ahead."""
    limit = stamp(now + FAR)
    beyond = sorted(file for file in names(home, "deferred") if file > limit)[-_FEW_FAR:]
    return [put_off(*parsed) for parsed in map(parse_deferred, beyond) if parsed]


def schedules(snapshot: Snapshot) -> list[Schedule]:
    """Every schedule of a home that is on."""
    return [one for name in snapshot.prompts.names() if (one := schedule_of(snapshot, name)) is not None]


def schedule_of(snapshot: Snapshot, name: str) -> Schedule | None:
    """The schedule of a cadence; None where it has none, or is switched off."""
    firings = Firings(Spool(snapshot.home), snapshot.memory)
    standing = firings.load(name, snapshot.now, mend=False)
    kept = False
    rule: FiringRule | None = None
    try:
        rule = rule_of(snapshot.prompts.load(name))
    except CadenceError:
        if standing is not None and standing.cursor.fingerprint:
            rule, kept = standing.rule, True
    except OSError:
        return None
    timetable = timetable_of(rule, local=local_zone()) if rule and rule.scheduled else None
    if timetable is None:
        return None
    agreed = (producers.path_of(snapshot.home),)
    fired = snapshot.cache.get("outside", agreed, lambda: fired_outside(snapshot.home))
    by = fired.by or "outside" if name in fired.cadences else "clock"
    written = snapshot.prompts.written(name)
    return Schedule(cadence=name, timetable=timetable, by=by, standing=standing, kept=kept, written=written)


def _wait(snapshot: Snapshot, one: Upcoming) -> Wait | None:
    """What will keep it from running at once when it is due, as far as that can be known now."""
    if snapshot.stopped:
        return STOPPED
    try:
        cadence = snapshot.prompts.load(one.cadence)
    except (CadenceError, OSError) as error:
        return Wait("broken", str(error))
    if not cadence.enabled:
        return Wait("disabled", f"prompts/{cadence.name}.md says enabled: false")
    credentials = snapshot.settings.credentials_of(cadence.runner)
    covering = [
        hold
        for hold in snapshot.holds_on(cadence.name, credentials)
        if hold.reason != "active_hours" and (hold.until is None or hold.until > one.at)
    ]
    if covering:
        longest = max(covering, key=lambda hold: float("inf") if hold.until is None else hold.until)
        return Wait(longest.reason, longest.detail, longest.until)
    hours = cadence.active_hours
    opens = hours and opens_at(hours.start, hours.end, cadence.timezone, one.at)
    return Wait("active_hours", "outside its active hours", opens) if opens else None
