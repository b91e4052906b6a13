"""Which waiting ticks may start now, and why the others wait."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

from cadencebus.clock import spelled
from cadencebus.model.hold import BUS, on_cadence, on_credentials
from cadencebus.policy.starvation import OWN_RUN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.hold import Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The head of one cadence's queue, and how the cadence wants to run."""

    cadence: str
    file: str
    priority: int = 5
    group: int | None = None
    force: bool = False
    inline: bool = False
    exclusive: bool = False
    concurrency: int = 1
    credentials: str = "command"
    half_open: bool = False
    # When the cadence last started something, on any clock; whoever waited longest goes first.
    last_started: float = 0.0
    # Where it stands in the line; worked out once, for the line is formed anew at every turn.
    rank: tuple[bool, int, int, float, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        group = -1 if self.group is None else self.group
        rank = (not self.force, group, self.priority, self.last_started, self.file[2:])
        object.__setattr__(self, "rank", rank)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that takes room now."""

    cadence: str
    credentials: str = ""
    group: int | None = None
    inline: bool = False
    exclusive: bool = False
    # Its processes are gone and its tick is being settled: it takes no slot any more.
    landing: bool = False


def run_of(cadence: Cadence, credentials: str) -> Running:
    """The room that a run of this cadence takes."""
    return Running(
        cadence=cadence.name,
        credentials=credentials,
        group=cadence.group,
        inline=cadence.mode == "inline",
        exclusive=cadence.exclusive,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much may run at once."""

    sessions: int
    inline: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a cadence's head does not start, and until when where that is known."""

    reason: str
    detail: str = ""
    until: float | None = None
    lasting: bool = False

    def dump(self) -> dict[str, str | None]:
        """As JSON."""
        return {"reason": self.reason, "detail": self.detail, "until": spelled(self.until)}


STOPPED = Wait("stop", "state/STOP is there: cadence start removes it")


def held_back(hold: Hold, now: float) -> Wait:
    """The wait of a head that this hold keeps."""
    return Wait(hold.reason, hold.detail, hold.changes_at(now), hold.lasting)


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer: what starts now, and why the rest waits."""

    starts: tuple[Waiting, ...]
    waits: Mapping[str, Wait] = field(default_factory=dict)

    @property
    def crowded(self) -> bool:
        """Whether somebody waits for more than the end of a run of his own cadence."""
        return any(wait.reason not in OWN_RUN for wait in self.waits.values())


def admit(
    waiting: Iterable[Waiting], running: Sequence[Running], holds: Sequence[Hold], caps: Caps, *, now: float
) -> Admission:
    """Choose what starts, at most one tick of each cadence; nothing is touched by being refused."""
    room = _Room(running, caps)
    by_scope: dict[str, list[Hold]] = {}
    for hold in holds:
        if not hold.over(now):
            by_scope.setdefault(hold.scope, []).append(hold)
    starts: list[Waiting] = []
    waits: dict[str, Wait] = {}
    free = line = sorted(waiting, key=attrgetter("rank"))
    if by_scope:
        free = []
        for head in line:
            held = None if head.force else held_by(head, by_scope, room, now)
            if held is not None:
                waits[head.cadence] = held_back(held, now)
            else:
                free.append(head)
    room.lowest_group(free)
    for head in free:
        # Asked again: a head that was let in before may be the only one that a probing hold lets through.
        held = held_by(head, by_scope, room, now) if by_scope and not head.force else None
        wait = room.refuse(head) if held is None else held_back(held, now)
        if wait is None:
            room.take(head)
            starts.append(head)
        else:
            waits[head.cadence] = wait
    return Admission(tuple(starts), waits)


def held_by(head: Waiting, by_scope: Mapping[str, Sequence[Hold]], room: _Room, now: float) -> Hold | None:
    """The hold that keeps it longest, of those that cover it and let nobody (or nobody more) through."""
    covering = [
        hold
        for scope in (BUS, on_credentials(head.credentials), on_cadence(head.cadence))
        for hold in by_scope.get(scope, ())
        if not _lets_through(hold, head, room, now)
    ]
    return max(covering, key=lambda hold: math.inf if hold.until is None else hold.until, default=None)


def _lets_through(hold: Hold, head: Waiting, room: _Room, now: float) -> bool:
    """Whether a hold that lets a few sessions through has room for this one; beside the slots all may go."""
    few = hold.lets_through(now)
    return few > 0 and (head.inline or room.sessions_under(hold) < few)


class _Room:
    """The room that is left, counted down as heads are let in."""

    def __init__(self, running: Sequence[Running], caps: Caps) -> None:
        self._sessions = caps.sessions - sum(1 for run in running if not run.inline and not run.landing)
        self._inline = caps.inline - sum(1 for run in running if run.inline and not run.landing)
        self._mine = Counter(run.cadence for run in running)
        self._groups = [run.group for run in running if run.group is not None]
        self._count = len(running)
        self._sessions_of = Counter(
            (run.cadence, run.credentials) for run in running if not run.inline and not run.landing
        )
        self._alone = next((run.cadence for run in running if run.exclusive), None)
        self._waits_alone: str | None = None
        self._no_place = Wait("full", f"all {caps.inline} inline places are taken")
        self._no_slot = (
            Wait("full", f"all {caps.sessions} session slots are taken")
            if caps.sessions
            else Wait("drain", "max_sessions is 0: nothing new starts")
        )
        self._lowest = math.inf

    def lowest_group(self, free: Sequence[Waiting]) -> None:
        """Lower groups drain before higher ones start; a held cadence is not waited for."""
        groups = self._groups + [head.group for head in free if head.group is not None]
        self._lowest = min(groups, default=math.inf)

    def refuse(self, head: Waiting) -> Wait | None:
        """Why this head can't start now; None: it can."""
        if head.force:
            return None
        if self._mine.get(head.cadence, 0) >= (1 if head.half_open else head.concurrency):
            return Wait("probing" if head.half_open else "running", "its last run is still going")
        if head.group is not None and head.group > self._lowest:
            return Wait("group", f"group {self._lowest} drains first")
        # With thousands of heads, each call counts.
        alone = head.exclusive or self._alone is not None or self._waits_alone is not None
        return (self._refuse_alone(head) if alone else None) or self._refuse_full(head)

    def _refuse_alone(self, head: Waiting) -> Wait | None:
        """Why it can't start where somebody runs alone, or waits to; it may be that one."""
        if self._alone is not None:
            return Wait("exclusive", f"{self._alone} runs alone")
        if self._waits_alone is not None:
            return Wait("exclusive", f"{self._waits_alone} waits to run alone")
        if self._count:
            # It holds the others back from now on, or there would always be something that runs.
            self._waits_alone = head.cadence
            return Wait("exclusive", "waits until nothing else runs")
        return None

    def _refuse_full(self, head: Waiting) -> Wait | None:
        if head.inline:
            return None if self._inline > 0 else self._no_place
        return None if self._sessions > 0 else self._no_slot

    def sessions_under(self, hold: Hold) -> int:
        """How many sessions that a hold covers are going on."""
        return sum(
            count
            for (cadence, credentials), count in self._sessions_of.items()
            if hold.covers(cadence, credentials)
        )

    def take(self, head: Waiting) -> None:
        """Let it in."""
        if head.inline:
            self._inline -= 1
        else:
            self._sessions -= 1
            self._sessions_of[head.cadence, head.credentials] += 1
        self._mine[head.cadence] += 1
        self._count += 1
        if head.exclusive:
            self._alone = head.cadence
