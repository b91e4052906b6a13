"""The facts of a home: the values that `status`, `top` and `metrics` show, and that `health` judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from cadencebus.clock import rfc3339, spelled
from cadencebus.desk import holding
from cadencebus.desk.reasons import cure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cadencebus.daemon.consumer_note import Consumer
    from cadencebus.desk.dead_letters import Letter
    from cadencebus.desk.ended_runs import EndedRun
    from cadencebus.desk.forecast import Upcoming
    from cadencebus.model.hold import Hold
    from cadencebus.policy.admit import Wait
    from cadencebus.store.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A claimed tick and its run; what its record says as it stands there: it may be anything."""

    tick: str
    cadence: str
    run: str | None
    alive: bool
    started_at: object
    seconds: float | None
    deadline_at: float | None
    runner: object
    unkillable: Sequence[int]
    says: str

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tick": self.tick,
            "cadence": self.cadence,
            "run": self.run,
            "alive": self.alive,
            "started_at": self.started_at,
            "seconds": self.seconds,
            "deadline_at": spelled(self.deadline_at),
            "runner": self.runner,
            "unkillable": list(self.unkillable),
            "says": self.says,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What waits of one cadence, since when, and why."""

    cadence: str
    ready: int
    deferred: int
    oldest_at: float | None
    due_at: float | None
    wait: Wait | None
    free_since: float | None

    def waits_for(self, reason: str) -> bool:
        """Whether this is what keeps it."""
        return self.wait is not None and self.wait.reason == reason

    @property
    def way_out(self) -> str:
        """What to type for whoever can't wait; empty where it only has to wait its turn."""
        return cure(self.wait.reason, self.cadence) if self.wait else ""

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "cadence": self.cadence,
            "ready": self.ready,
            "deferred": self.deferred,
            "oldest_at": spelled(self.oldest_at),
            "due_at": spelled(self.due_at),
            "wait": self.wait and {**self.wait.dump(), "do": self.way_out},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """The dead letters: how many of what and of whom, and which died last."""

    count: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    cadences: Mapping[str, int] = field(default_factory=dict)
    newest: Letter | None = None
    # Whether that one is a tick, so that it can be tried again; how many are none.
    retriable: bool = False
    hopeless: int = 0

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        last = self.newest
        return {
            "count": self.count,
            "classes": dict(self.classes),
            "cadences": dict(self.cadences),
            "newest_at": last and spelled(last.died_at),
            "newest": last
            and {
                "tick": last.found.name.id,
                "cadence": last.found.name.cadence,
                "class": last.klass,
                "reason": last.reason,
                "retriable": self.retriable,
            },
        }


class Faults(NamedTuple):
    """Cadences whose files can't be read, and why; those whose agent would be asked nothing; bad tasks."""

    broken: dict[str, str]
    empty: list[str]
    tasks: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A home at one moment."""

    home: Home
    at: float
    stopped: bool
    consumer: Consumer
    slots: int
    max_inbox: int
    running: Sequence[Run]
    # Files in inbox/ that no consumer has looked at and named.
    arriving: int
    queue: Sequence[Queue]
    # Those in force.
    holds: Sequence[Hold]
    circuits: Sequence[holding.Circuit]
    dead: Dead
    failures: Sequence[EndedRun]
    faults: Faults
    next_due: Sequence[Upcoming]
    # What could not be looked at, or is not as it must be.
    problems: Sequence[str]

    @property
    def ready(self) -> int:
        """How many wait for nothing but a start."""
        return sum(row.ready for row in self.queue) + self.arriving

    def dump(self) -> dict[str, Any]:
        """As JSON: docs/schema/status.schema.json says the same."""
        return {
            "home": self.home.root,
            "at": rfc3339(self.at),
            "stop": self.stopped,
            "consumer": self.consumer.dump(),
            "slots": self.slots,
            "max_inbox": self.max_inbox,
            "running": [run.dump() for run in self.running],
            "arriving": self.arriving,
            "queue": [row.dump() for row in self.queue],
            "holds": [holding.dump(hold, self.at) for hold in self.holds],
            "circuits": [circuit.dump() for circuit in self.circuits],
            "dead": self.dead.dump(),
            "failures": [run.line for run in self.failures],
            "broken": [{"cadence": name, "why": why} for name, why in self.faults.broken.items()],
            "next_due": [one.brief() for one in self.next_due],
            "problems": list(self.problems),
        }
