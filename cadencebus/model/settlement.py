"""A settlement: where a tick goes and everything that follows, decided and written down as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from cadencebus.clock import in_calendar
from cadencebus.model.foreign import amount, mapping
from cadencebus.model.hold import Hold, hold_file, hold_of, parse_hold_name
from cadencebus.model.memory_keys import check_memory
from cadencebus.model.naming import is_cadence
from cadencebus.model.shapes import (
    having,
    is_amount,
    is_object,
    is_text,
    is_time,
    list_of,
    map_of,
    or_null,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cadencebus.model.memory import BusMemory, CadenceMemory, CredentialsMemory

Target = Literal["done", "dead", "inbox"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of the run itself, beside how it is judged."""

    run: str
    started_at: float
    # Where they are known: settled it may be much later, after a downtime or when others were absorbed.
    ended_at: float | None = None
    seconds: float | None = None
    exit_code: int | None = None
    signal: int | None = None
    stderr_tail: str = ""
    requeue: bool = False
    probe: bool = False
    resumed: bool = False
    session_id: str | None = None
    usd: float | None = None
    turns: int | None = None
    absorbed: tuple[str, ...] = ()
    logs: str = ""
    # Whether its program talks to an API: only then its end says something of the network.
    agent: bool = False
    # What the journal tells of it beside the usual: tokens, memory, how long it waited, beside whom it ran.
    metrics: Mapping[str, Any] | None = None
    # What a change of would release a hold on configuration or credentials.
    fingerprints: Mapping[str, str] | None = None

    def lasted(self, now: float) -> float:
        """How long it ran; until now, where nobody knows better."""
        return max(0.0, now - self.started_at) if self.seconds is None else self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What was so before a run ended: the memories that it may change, the bus's purse, the holds."""

    cadence: CadenceMemory
    credentials: CredentialsMemory
    bus: BusMemory
    usd_per_day: float | None = None
    holds: Sequence[Hold] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What a run's end changes beside its tick: memories by their names, holds, files of holds to release."""

    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    releases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """A tick to put in because another one ended."""

    cadence: str
    why: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Done, dead, or again; what to hold, to release, to remember, to enqueue, and to tell."""

    target: Target
    run: str
    at: float
    klass: str
    attempt: Mapping[str, Any]
    outcome: Mapping[str, Any] | None = None
    memory: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()
    releases: tuple[str, ...] = ()
    follow_ups: tuple[FollowUp, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()

    def dump(self) -> dict[str, Any]:
        """What is written into the tick as `settling`; replaying it twice does no more than once."""
        return {
            "run": self.run,
            "target": self.target,
            "at": self.at,
            "class": self.klass,
            "memory": {name: dict(patch) for name, patch in self.memory.items()},
            "holds": [hold.dump() for hold in self.holds],
            "releases": list(self.releases),
            "follow_ups": [
                {"cadence": f.cadence, "why": f.why, "payload": dict(f.payload)} for f in self.follow_ups
            ],
            "events": [dict(event) for event in self.events],
        }


def _is_moment(value: object) -> bool:
    at = amount(value)
    return at is not None and at == in_calendar(at)


def _is_file(value: object) -> bool:
    """Whether a folder may have a file of this name: else it would be another's, or a disk that refuses."""
    return isinstance(value, str) and not {"/", "\0"} & {*value} and len(value.encode()) <= _LONGEST_NAME


def _is_hold_file(value: object) -> bool:
    return isinstance(value, str) and _is_file(value) and parse_hold_name(value) is not None


def _is_hold(value: object) -> bool:
    return _HOLD(value) and _is_hold_file("{scope}.{reason}.json".format_map(mapping(value)))


def _are_patches(value: object) -> bool:
    """Whether these are changes of memories, each of which can be read when it was made."""
    return _PATCHES(value) and all(
        _is_file(f"{name}.json") and _fits(p) for name, p in mapping(value).items()
    )


def _fits(patch: Mapping[str, Any]) -> bool:
    try:
        check_memory(patch)
    except ValueError:
        return False
    return "booking" not in patch or _BOOKING(patch["booking"])


# What any file system takes.
_LONGEST_NAME = 255
_HOLD = having(scope=is_text, reason=is_text, since=is_time, until=or_null(is_time))
_BOOKING = having(day=is_text, usd=is_amount)
_PATCHES = map_of(is_object)
_IN_ORDER = having(
    run=is_text,
    target=lambda value: value in get_args(Target),
    at=_is_moment,
    memory=or_null(_are_patches),
    holds=or_null(list_of(_is_hold)),
    releases=or_null(list_of(_is_hold_file)),
    follow_ups=or_null(list_of(having(cadence=is_cadence, why=is_text, payload=is_object))),
    events=or_null(list_of(is_object)),
)


def settlement_of(members: Mapping[str, Any]) -> Settlement:
    """The plan that a crash left behind in a tick; ValueError for what is none."""
    if not _IN_ORDER(members):
        raise ValueError("not the plan of a settlement")
    holds = (
        hold_of(hold_file(h["scope"], h["reason"]), h, seen=members["at"]) for h in members.get("holds") or ()
    )
    return Settlement(
        target=members["target"],
        run=members["run"],
        at=members["at"],
        klass=members.get("class", ""),
        attempt={},
        memory=members.get("memory") or {},
        holds=tuple(hold for hold in holds if hold is not None),
        releases=tuple(members.get("releases") or ()),
        follow_ups=tuple(
            FollowUp(cadence=f["cadence"], why=f["why"], payload=f["payload"])
            for f in members.get("follow_ups") or ()
        ),
        events=tuple(members.get("events") or ()),
    )
