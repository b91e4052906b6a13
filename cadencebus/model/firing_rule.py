"""What the bus's own clock must know of a cadence, kept on disk for the day when its file is broken."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringRule:
    """The keys of a cadence that say when it fires and how its ticks are made."""

    name: str
    schedule: str | None = None
    every: float | None = None
    once_at: float | None = None
    max_firings: int | None = None
    expires_at: float | None = None
    timezone: str | None = None
    catch_up: str = "one"
    jitter: float = 0.0
    enabled: bool = True
    overlap: str = "coalesce"
    ttl: float | None = None
    priority: int = 5

    @property
    def scheduled(self) -> bool:
        """Whether the clock has anything to do for it."""
        return self.enabled and (self.schedule, self.every, self.once_at) != (None, None, None)

    @property
    def folds(self) -> bool:
        """Whether a tick that still waits may stand for the next firing.

        Not with a `ttl`: the tick that waits may be stale before it starts, and the firing lost with it.
        """
        return self.overlap == "coalesce" and self.ttl is None

    def dump(self) -> dict[str, Any]:
        """The JSON object for the cadence's memory: only what is no default."""
        return {
            one.name: value
            for one in fields(self)
            if one.name != "name" and (value := getattr(self, one.name)) != one.default
        }


_NUMBERS = frozenset({"every", "once_at", "expires_at", "jitter", "ttl"})
_COUNTS = frozenset({"max_firings", "priority"})


def rule_of(cadence: Cadence) -> FiringRule:
    """The rule in a cadence's file."""
    return FiringRule(**{one.name: getattr(cadence, one.name) for one in fields(FiringRule)})


def kept_rule(name: str, members: Mapping[str, Any]) -> FiringRule:
    """Read a rule back; ValueError for what is none."""
    known = {one.name: one for one in fields(FiringRule) if one.name != "name"}
    for key, value in members.items():
        if key not in known:
            raise ValueError(f"not a rule: {key!r} is no key of one")
        wanted: type | tuple[type, ...] = str
        if key == "enabled":
            wanted = bool
        elif key in _NUMBERS:
            wanted = (int, float)
        elif key in _COUNTS:
            wanted = int
        if value is not None and not isinstance(value, wanted):
            raise ValueError(f"not a rule: {key} is {value!r}")
    return FiringRule(name=name, **members)
