"""How long something has to wait, from what the runs before it took, or what those that run may take."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cadencebus.desk.lookup import listing
from cadencebus.model.foreign import instant
from cadencebus.policy.starvation import OWN_RUN
from cadencebus.store import runs

if TYPE_CHECKING:
    from cadencebus.desk.lookup import Found
    from cadencebus.desk.snapshot import Snapshot
    from cadencebus.policy.admit import Wait

# Waits that end when any run does.
_ANY = frozenset({"full", "exclusive"})


class Expected(NamedTuple):
    """Seconds until something may start, and how sure that is: exactly, `about `, `at most `."""

    seconds: float
    how: str = ""


def expected(snapshot: Snapshot, cadence: str, wait: Wait) -> Expected | None:
    """When it may start; None where nobody can know."""
    if wait.until is not None:
        return Expected(max(0.0, wait.until - snapshot.now))
    if wait.reason in OWN_RUN:
        left = _left(snapshot, cadence)
    elif wait.reason in _ANY:
        left = _left(snapshot, None)
    else:
        return None
    # It must be alone: all have to end. Otherwise the first end will do.
    last = max if wait.reason == "exclusive" else min
    known = [run.usual for run in left if run.usual is not None]
    if known and (last is min or len(known) == len(left)):
        return Expected(last(known), "about ")
    # One that was never measured, or takes longer than ever, is ended at its time-out.
    limits = [run.limit for run in left if run.limit is not None]
    return Expected(last(limits), "at most ") if limits and len(limits) == len(left) else None


class _Left(NamedTuple):
    """Seconds that a run should still take, by its cadence's average; that it may still take."""

    usual: float | None
    limit: float | None


def _left(snapshot: Snapshot, cadence: str | None) -> list[_Left]:
    return [_of(snapshot, found) for found in listing(snapshot.home, ("claimed",), cadence)]


def _of(snapshot: Snapshot, found: Found) -> _Left:
    record = runs.record(runs.latest(snapshot.home, found.name.id))
    began = instant(record.get("started_at"))
    averages = snapshot.memory.cadence(found.name.cadence, snapshot.now, mend=False).averages
    if began is None:
        return _Left(None, None)
    usual, limit = (
        _more_than(amount, snapshot.now - began)
        for amount in (averages.get("seconds"), record.get("deadline_s"))
    )
    return _Left(usual, limit)


def _more_than(amount: object, spent: float) -> float | None:
    """What is left of an amount of seconds; None where there is none, or nothing left."""
    return amount - spent if isinstance(amount, int | float) and amount > spent else None
