"""What may go, by its age."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.clock import day

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

DAY = 86400.0
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How many seconds things are kept; `keys` is None where nobody can tell: none of them goes."""

    done: float
    runs: float
    events: float
    dead: float
    keys: float | None


def days_over(days: Iterable[str], kept: float, now: float) -> list[str]:
    """The days whose last instant is older than that, oldest first; never today's or yesterday's."""
    oldest = now - max(kept, DAY)
    if oldest <= 0:
        return []
    # A day goes whole, once all of it is over.
    first_kept = day(oldest)
    return sorted(one for one in days if _DAY.fullmatch(one) and one < first_kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run's folder, when it was changed last, and whether its shim lives."""

    path: str
    tick: str
    touched: float
    alive: bool


def runs_over(
    runs: Iterable[Run], referenced: Collection[str], sessions: Collection[str], keep: Keep, now: float
) -> Iterator[Run]:
    """The runs that may go: all runs of a tick together, if none lives, is young, or is still spoken of.

    `referenced` are ticks that wait, run or lie dead; `sessions` the runs that cadences remember.
    """
    by_tick: dict[str, list[Run]] = {}
    for run in runs:
        by_tick.setdefault(run.tick, []).append(run)
    for tick, its in by_tick.items():
        if tick in referenced or any(run.alive or now - run.touched <= keep.runs for run in its):
            continue
        if not any(run.path.rpartition("/")[2] in sessions for run in its):
            yield from its
