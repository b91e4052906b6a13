"""What the bus's own clock must know of a cadence, kept on disk for the day when its file is broken."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from cadencebus.model.shapes import is_amount, is_count, is_flag, is_number, is_priority, is_text, or_null

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.shapes import Shape


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


_SHAPES: dict[str, Shape] = {
    "schedule": or_null(is_text),
    "every": or_null(is_amount),
    "once_at": or_null(is_number),
    "max_firings": or_null(is_count),
    "expires_at": or_null(is_number),
    "timezone": or_null(is_text),
    "catch_up": is_text,
    "jitter": is_amount,
    "enabled": is_flag,
    "overlap": is_text,
    "ttl": or_null(is_amount),
    "priority": is_priority,
}


def rule_of(cadence: Cadence) -> FiringRule:
    """The rule in a cadence's file."""
    return FiringRule(**{one.name: getattr(cadence, one.name) for one in fields(FiringRule)})


def kept_rule(name: str, members: Mapping[str, Any]) -> FiringRule:
    """Read a rule back; ValueError for what is none."""
    for key, value in members.items():
        if key not in _SHAPES:
            raise ValueError(f"not a rule: {key!r} is not a key of one")
        if not _SHAPES[key](value):
            raise ValueError(f"not a rule: {key} is {value!r}")
    return FiringRule(name=name, **members)
