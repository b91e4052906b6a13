"""The journal, read back as runs: one value for each run that ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.cli import clockface
from cadencebus.clock import day
from cadencebus.model.foreign import amount
from cadencebus.store import journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home


@dataclass(frozen=True, slots=True)
class Told:
    """What the journal says of a run that ended."""

    at: float
    line: dict[str, Any]
    waited: float | None

    @property
    def cadence(self) -> str:
        """Whose run it was."""
        return str(self.line.get("cadence"))

    @property
    def klass(self) -> str:
        """The class of its end."""
        return str(self.line.get("class"))

    @property
    def seconds(self) -> float:
        """How long it ran."""
        return amount(self.line.get("seconds")) or 0.0

    @property
    def usd(self) -> float | None:
        """What it cost, where its stream said so."""
        return amount(self.line.get("usd"))


def runs(home: Home, since: float, cadence: str | None = None) -> Iterator[Told]:
    """Every run that ended since then, oldest first; a fact that stands twice counts once."""
    waited: dict[str, float] = {}
    seen: set[str] = set()
    for line in journal.read(home, day(max(0.0, since))):
        if cadence is not None and line.get("cadence") != cadence:
            continue
        tick, event = str(line.get("tick")), line.get("event")
        if event == "tick.claimed":
            waited[tick] = amount(line.get("waited")) or 0.0
        if event != "run.ended":
            continue
        at = clockface.instant(line.get("at"))
        run = str(line.get("run"))
        if at is None or at < since or run in seen:
            continue
        seen.add(run)
        yield Told(at, line, waited.pop(tick, None))
