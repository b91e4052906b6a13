"""A hold: a reason not to claim, one file, readable by anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339, spelled
from cadencebus.model.legible import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping

BUS = "bus"
OPERATOR = "operator"
CONSUMER = "consumer"
# What only an operator (or a change of what was wrong) releases: `run --drain` does not wait for these.
UNTIL_RELEASED = frozenset({"paused", "auth", "billing", "config", "turn_budget", "failures", "unreadable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Whom it covers, why, since when, and until when (None: until released)."""

    scope: str
    reason: str
    since: float
    until: float | None = None
    detail: str = ""
    by: str = CONSUMER
    extra: Mapping[str, Any] | None = None
    # The name of the file that it was read from, where that is not the name it would be given.
    found_as: str | None = None

    @property
    def file(self) -> str:
        """Its file's name in holds/."""
        return self.found_as or hold_file(self.scope, self.reason)

    def lets_through(self, now: float) -> int:
        """How many sessions at a time it lets through all the same: most holds none, a probing one a few."""
        at_most = (self.extra or {}).get("at_most")
        if not isinstance(at_most, int) or isinstance(at_most, bool) or self.probes_at(now) is not None:
            return 0
        return max(0, at_most)

    def probes_at(self, now: float) -> float | None:
        """When it will let its few through; None: it does already, or never will."""
        text, every = (self.extra or {}).get("probe_at"), (self.extra or {}).get("probe_every")
        if not isinstance(text, str) or not isinstance(every, int | float):
            return None
        try:
            at = parse_rfc3339(text)
        except ValueError:
            return None
        # Further ahead than it was ever long: the clock was set back, and it is due.
        return at if now < at <= now + every + 1.0 else None

    def changes_at(self, now: float) -> float | None:
        """When something about it changes by itself: its next probe, or its end; None: nothing will."""
        return self.probes_at(now) or self.until

    @property
    def lasting(self) -> bool:
        """Whether nothing but somebody's hand, or a change of what was wrong, ends it."""
        return self.until is None and (self.reason in UNTIL_RELEASED or not self.own)

    @property
    def own(self) -> bool:
        """Whether the consumer wrote it, so that it may take it back: what a hand put there, one removes."""
        return self.by == CONSUMER

    @property
    def automatic(self) -> bool:
        """Whether the bus set it: an operator's pause stands whatever the clock does."""
        return self.by != OPERATOR

    def over(self, now: float) -> bool:
        """Whether its end has passed, or is nonsense: further ahead than the hold was ever long."""
        if self.until is None:
            return False
        if now >= self.until:
            return True
        return self.automatic and self.until - now > (self.until - self.since) + 1.0

    def covers(self, cadence: str, credentials: str) -> bool:
        """Whether ticks of this cadence, which uses these credentials, wait for it."""
        return self.scope in {BUS, on_cadence(cadence), on_credentials(credentials)}

    def dump(self) -> dict[str, Any]:
        """The JSON object as it lies on disk."""
        return {
            "scope": self.scope,
            "reason": self.reason,
            "since": rfc3339(self.since),
            "until": spelled(self.until),
            "detail": self.detail,
            "by": self.by,
            **(self.extra or {}),
        }


_CADENCE, _CREDENTIALS = "cadence-", "credentials-"
_OWN = frozenset({"scope", "reason", "since", "until", "detail", "by"})


def on_cadence(name: str) -> str:
    """The scope of a hold on one cadence."""
    return f"{_CADENCE}{name}"


def on_credentials(name: str) -> str:
    """The scope of a hold on runners that share credentials."""
    return f"{_CREDENTIALS}{name}"


def cadence_held(scope: str) -> str | None:
    """The one cadence that a scope stands for; None for a wider scope."""
    return scope.removeprefix(_CADENCE) if scope.startswith(_CADENCE) else None


def hold_file(scope: str, reason: str) -> str:
    """The name of a hold's file."""
    return f"{scope}.{reason}.json"


def parse_hold_name(file: str) -> tuple[str, str] | None:
    """Scope and reason of a hold file's name; None for what is no hold."""
    if file.startswith(".") or not file.endswith(".json"):
        return None
    scope, dot, reason = file.removesuffix(".json").rpartition(".")
    return (scope, reason) if dot and scope and reason else (BUS, "unreadable")


def hold_event(event: str, file: str) -> dict[str, Any]:
    """The line of the journal that tells of the hold in a file; its cadence, where it is on one only."""
    file = escaped(file)
    scope, reason = parse_hold_name(file) or (BUS, "unreadable")
    return {"event": event, "hold": file, "scope": scope, "reason": reason, "cadence": cadence_held(scope)}


def hold_of(
    file: str, members: Mapping[str, Any] | None, *, seen: float, why: str = "it is not a JSON object"
) -> Hold | None:
    """The hold behind a file; one that can't be read holds what its name says until somebody removes it."""
    named = parse_hold_name(file)
    if named is None:
        return None
    scope, reason = named
    if scope != BUS and not scope.startswith((_CADENCE, _CREDENTIALS)):
        scope = BUS
    if members is None:
        return _unreadable(file, scope, reason, why, seen)
    try:
        return Hold(
            # The name is the authority: what `rm` removes is what held.
            scope=scope,
            reason=reason,
            since=parse_rfc3339(members["since"]) if members.get("since") else seen,
            until=None if members.get("until") is None else parse_rfc3339(members["until"]),
            detail=str(members.get("detail") or ""),
            by=str(members.get("by") or "somebody"),
            extra={key: value for key, value in members.items() if key not in _OWN},
            found_as=None if file == hold_file(scope, reason) else file,
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        return _unreadable(file, scope, reason, str(error), seen)


def _unreadable(file: str, scope: str, reason: str, why: str, seen: float) -> Hold:
    detail = f"holds/{escaped(file)} can't be read ({why}): it holds until somebody removes it"
    return Hold(
        scope=scope,
        reason=reason,
        since=seen,
        detail=detail,
        by=OPERATOR,
        found_as=None if file == hold_file(scope, reason) else file,
    )
