"""Memories as the rules read them: of a cadence, of credentials, of the whole bus.

They are made of members that `model/memory_keys` has checked. What a rule changes is a patch of such members,
merged by `store/memory`: so keys that this version does not know stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A circuit that is not closed: how long it was opened for last, and after how many failures in a row."""

    since: float
    until: float
    length: float
    failures: int
    reason: str

    def dump(self) -> dict[str, Any]:
        """The JSON object in the cadence's memory."""
        return {
            "state": "open",
            "since": rfc3339(self.since),
            "until": rfc3339(self.until),
            "length": self.length,
            "failures": self.failures,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """How many times in a row something happened, and when it did last."""

    count: int = 0
    at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """Since when no agent reached its API, how many tried, how often the bus was held for it, when last."""

    since: float
    tries: int
    held: int
    held_at: float | None = None

    def dump(self) -> dict[str, Any]:
        """The JSON object in the memory of the bus."""
        at = {} if self.held_at is None else {"held_at": rfc3339(self.held_at)}
        return {"since": rfc3339(self.since), "tries": self.tries, "held": self.held, **at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """The money of the last days, by their local date; and the day of which a warning was given."""

    by_day: Mapping[str, float] = field(default_factory=dict)
    warned: str | None = None

    def on(self, day: str) -> float:
        """What was spent on a day."""
        return float(self.by_day.get(day, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceMemory:
    """What is remembered of a cadence."""

    failures: int = 0
    dead_in_a_row: int = 0
    circuit: Circuit | None = None
    streaks: Mapping[str, int] = field(default_factory=dict)
    averages: Mapping[str, float] = field(default_factory=dict)
    last_run: Mapping[str, Any] = field(default_factory=dict)
    # When its last runs started, as files spell it: these texts sort like the times.
    recent: Sequence[str] = ()
    limits: Mapping[str, Any] | None = None
    spending: Spending = Spending()
    session_id: str | None = None
    # The run that the session was of.
    session_run: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsMemory:
    """What is remembered of credentials."""

    rate_limited: Streak = Streak()
    # When the limit that was met last is over, as it was told or guessed.
    limited_until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BusMemory:
    """What is remembered of the whole bus."""

    outage: Outage | None = None
    no_resources: Streak = Streak()
    spending: Spending = Spending()


def cadence_memory(members: Mapping[str, Any]) -> CadenceMemory:
    """The memory of a cadence, from its checked members."""
    circuit, last_run = members.get("circuit"), members.get("last_run") or {}
    return CadenceMemory(
        failures=members.get("failures") or 0,
        dead_in_a_row=members.get("dead_in_a_row") or 0,
        circuit=_circuit(circuit) if circuit else None,
        streaks=members.get("streaks") or {},
        averages=members.get("averages") or {},
        recent=members.get("recent", ()),
        limits=members.get("limits"),
        spending=_spending(members),
        session_id=members.get("session_id"),
        last_run=last_run,
        session_run=members.get("session_run") or last_run.get("run"),
    )


def credentials_memory(members: Mapping[str, Any]) -> CredentialsMemory:
    """The memory of credentials, from its checked members."""
    until = members.get("rate_limited_until")
    return CredentialsMemory(
        rate_limited=_streak(members, "rate_limited"), limited_until=parse_rfc3339(until) if until else None
    )


def bus_memory(members: Mapping[str, Any]) -> BusMemory:
    """The memory of the bus, from its checked members."""
    outage = members.get("network")
    return BusMemory(
        outage=_outage(outage) if outage else None,
        no_resources=_streak(members, "no_resources"),
        spending=_spending(members),
    )


def _circuit(members: Mapping[str, Any]) -> Circuit:
    return Circuit(
        since=parse_rfc3339(members["since"]),
        until=parse_rfc3339(members["until"]),
        length=members["length"],
        failures=members["failures"],
        reason=members["reason"],
    )


def _outage(members: Mapping[str, Any]) -> Outage:
    at = members.get("held_at")
    return Outage(
        since=parse_rfc3339(members["since"]),
        tries=members["tries"],
        held=members["held"],
        held_at=parse_rfc3339(at) if at else None,
    )


def _streak(members: Mapping[str, Any], key: str) -> Streak:
    at = members.get(f"{key}_at")
    return Streak(count=members.get(key) or 0, at=parse_rfc3339(at) if at else None)


def _spending(members: Mapping[str, Any]) -> Spending:
    return Spending(by_day=members.get("spent", {}), warned=members.get("warned"))
