"""A finding: what is wrong, why it matters, what to type."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from cadencebus.checkup.finding_kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.checkup.finding_kinds import Level

ORDER: tuple[Level, ...] = ("ill", "warn", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found; `mend` does what is safe to do without being asked twice."""

    kind: str
    level: Level
    what: str
    why: str
    cure: str
    mend: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "kind": self.kind,
            "level": self.level,
            "what": self.what,
            "why": self.why,
            "cure": self.cure,
            "fixable": self.mend is not None,
        }

    def at(self, level: Level) -> Finding:
        """The same, taken more lightly or more seriously."""
        return replace(self, level=level)


def found(
    kind: str, what: str, cure: str | None = None, *, mend: Callable[[], None] | None = None
) -> Finding:
    """A finding of a known kind; its cure stands by itself, so nothing need be marked as a command."""
    known = KINDS[kind]
    cure = (cure or known.cure).replace("`", "")
    return Finding(kind=kind, level=known.level, what=what, why=known.why, cure=cure, mend=mend)
