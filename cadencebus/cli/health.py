"""Whether a bus is well, ill, or whether nobody can tell: judged from what lies on its disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cadencebus.cli import clockface
from cadencebus.daemon import supervision
from cadencebus.model.hold import UNTIL_RELEASED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home

WELL, ILL, CANT_TELL = "well", "ill", "can't tell"
# Three heartbeats: whoever misses them hangs, or its disk does.
_SILENT = 90.0
_STALLED = 90.0
# Letters of yesterday are known by now; a new one wants to be read.
_FRESH = 86400.0
# An operator's own pause is no illness.
_ALARMING = (UNTIL_RELEASED - {"paused"}) | {"circuit_open", "disk_full", "network"}


def judge(facts: dict[str, Any], home: Home, now: float) -> tuple[str, list[str]]:
    """The health, and what speaks for it: a line each, the worst first."""
    why = [*_nobody_works(facts, home), *_held(facts), *_broken(facts), *_died(facts, now)]
    silent = _silent(facts, now)
    if not silent:
        why = [*_stalled(facts, home, now), *why]
    if why:
        return ILL, why + silent
    return (CANT_TELL, silent) if silent else (WELL, [])


def _nobody_works(facts: dict[str, Any], home: Home) -> Iterator[str]:
    if facts["stop"]:
        yield "the emergency stop is on: `cadence start` takes it back"
    consumer = facts["consumer"]
    if consumer is not None and consumer["alive"]:
        return
    ready = sum(row["ready"] for row in facts["queue"])
    if (parked := supervision.parked(home)) is not None:
        yield f"the consumer is parked: {parked.reason}: mend that, then `cadence up`"
    elif consumer is not None:
        yield f"the consumer (pid {consumer.get('pid')}) ended without a farewell: `cadence up`"
    elif ready or facts["running"]:
        yield f"no consumer, and {ready} ready, {len(facts['running'])} claimed: `cadence up`"


def _silent(facts: dict[str, Any], now: float) -> list[str]:
    """A live consumer that has not been heard of."""
    consumer = facts["consumer"]
    if consumer is None or not consumer["alive"]:
        return []
    beat = clockface.instant(consumer.get("heartbeat_at"))
    if beat is None:
        return ["a consumer holds the lock, but has not said who it is (it may just be starting)"]
    if now - beat > _SILENT:
        return [f"the consumer lives, but was silent for {clockface.ago(now - beat)}"]
    return []


def _stalled(facts: dict[str, Any], home: Home, now: float) -> Iterator[str]:
    """Something could start, and nothing does."""
    consumer = facts["consumer"]
    if facts["stop"] or consumer is None or not consumer["alive"]:
        return
    free = [row for row in facts["queue"] if row["ready"] and row["wait"] is None]
    ages = [now - at for row in free if (at := clockface.instant(row["oldest_at"])) is not None]
    try:
        # Every claim and every finish changes this folder.
        idle = now - os.stat(home.claimed).st_mtime
    except OSError:
        return
    if ages and max(ages) > _STALLED and idle > _STALLED:
        ready, slots = sum(row["ready"] for row in free), facts["slots"] - len(facts["running"])
        yield f"{ready} ready, {slots} slots free, no hold, nothing started for {clockface.ago(idle)}"


def _held(facts: dict[str, Any]) -> Iterator[str]:
    for hold in facts["holds"]:
        if hold["reason"] in _ALARMING:
            yield f"{hold['scope']} is held by {hold['reason']}: {hold['detail']}"
    held = {hold["scope"] for hold in facts["holds"] if hold["reason"] == "circuit_open"}
    for circuit in facts["circuits"]:
        if f"cadence-{circuit['cadence']}" not in held:
            yield f"{circuit['cadence']}: its circuit waits for a probe to succeed: {circuit['reason']}"


def _broken(facts: dict[str, Any]) -> Iterator[str]:
    for row in facts["queue"]:
        if row["wait"] and row["wait"]["reason"] in {"broken", "unknown", "unreadable"}:
            yield f"{row['cadence']}: {row['ready']} wait: {row['wait']['detail']}"
    yield from facts["problems"]


def _died(facts: dict[str, Any], now: float) -> Iterator[str]:
    newest = clockface.instant(facts["dead"]["newest_at"])
    if newest is not None and now - newest < _FRESH:
        count, last = facts["dead"]["count"], clockface.ago(now - newest)
        yield f"{count} dead {'letter' if count == 1 else 'letters'}, the last {last} ago: `cadence dead`"
