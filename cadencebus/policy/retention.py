"""What may go, by its age; and whether the clock that says so can be believed.

Only a clock that runs ahead is dangerous here: it makes everything look old. One that stands behind keeps
things longer, which hurts nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.clock import day

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

DAY = 86400.0
# A machine that was off for longer may have come back with another year in its clock.
_GAP = 2 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A look at both clocks: the wall's, and the one that counts the seconds of this boot, sleep included."""

    wall: float
    steady: float
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What is remembered of the clock from one tidying to the next; no doubt: ages may be believed."""

    reading: Reading
    doubted_at: float | None = None
    doubt: str = ""


def trust(last: Trust | None, now: Reading, newest: float | None = None) -> Trust:
    """Judge the clock; a jump ahead is believed after the clock has stood by it for a day.

    `newest` is the youngest trace in the home, asked only where nothing is remembered.
    """
    why, renews = _jump(last, now, newest)
    doubted = last is not None and last.doubted_at is not None
    if why and (renews or not doubted):
        return Trust(reading=now, doubted_at=now.wall, doubt=why)
    if last is not None and last.doubted_at is not None and 0 <= now.wall - last.doubted_at < DAY:
        return Trust(reading=now, doubted_at=last.doubted_at, doubt=last.doubt)
    return Trust(reading=now)


def _jump(last: Trust | None, now: Reading, newest: float | None) -> tuple[str, bool]:
    """Why the clock is doubted, if it is; and whether that begins a doubt anew that there was already."""
    if last is None:
        ahead = 0.0 if newest is None else now.wall - newest
        return (f"nothing here is younger than {ahead / DAY:.0f} days" if ahead > DAY else ""), False
    passed = now.wall - last.reading.wall
    if last.reading.boot == now.boot:
        ahead = passed - (now.steady - last.reading.steady)
        return (f"the clock jumped {ahead / DAY:.0f} days ahead" if ahead > DAY else ""), True
    return (f"the clock says that {passed / DAY:.0f} days have passed" if passed > _GAP else ""), False


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long things are kept; `keys` None: nobody can tell, so all of them."""

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
    return sorted(one for one in days if len(one) == len("2026-11-21") and one < first_kept)


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
