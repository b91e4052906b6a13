"""Whether a bus is well, ill, or whether nobody can tell: judged from what lies on its disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import cadencebus
from cadencebus.checkup.consumer import unheard
from cadencebus.desk import human_time
from cadencebus.desk.complaint import Complaint
from cadencebus.desk.consumer_health import (
    alive,
    frozen,
    locked_out,
    nobody_works,
    silent,
    stopped_by_hand,
)
from cadencebus.desk.forecast import FAR
from cadencebus.desk.obstacles import obstacles
from cadencebus.desk.release import release, unread
from cadencebus.model.foreign import mapping, sequence
from cadencebus.model.hold import UNTIL_RELEASED
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home

WELL, ILL, CANT_TELL = "well", "ill", "can't tell"
_STALLED = 90.0
# Letters of yesterday are known by now; a new one wants to be read.
_FRESH = 86400.0
_ALARMING = UNTIL_RELEASED | {"circuit_open", "disk_full", "network"}


def judge(facts: dict[str, Any], home: Home, now: float) -> tuple[str, list[Complaint]]:
    """The health, and what speaks for it, the worst first."""
    why = [*stopped_by_hand(facts), *(hindered := obstacles(facts, home))]
    why += [*nobody_works(facts, home, now, hindered=bool(hindered)), *_held(facts, home, now)]
    why += [
        *_full(facts),
        *_broken(facts, {one.what for one in hindered}),
        *_asking(facts),
        *_died(facts, now),
    ]
    stopped, mute = [*frozen(facts), *locked_out(facts, home)], silent(facts)
    why = [*stopped, *_stalled(facts, home, now), *why]
    if why:
        return ILL, why + ([] if stopped else mute)
    return (CANT_TELL, mute) if mute else (WELL, [])


def notes(facts: dict[str, Any], home: Home, now: float) -> list[Complaint]:
    """What is no illness, being somebody's own word, and keeps things from starting all the same."""
    told = [_paused(hold, home, now) for hold in facts["holds"] if _own_word(hold)]
    if not facts["slots"]:
        told.append(Complaint("max_sessions is 0: nothing new starts", "raise it in cadence.yaml"))
    told += [
        Complaint(f"{row['cadence']}: {_wait(row['ready'])}it is disabled", row["wait"]["do"])
        for row in facts["queue"]
        if row["wait"] and row["wait"]["reason"] == "disabled"
    ]
    return [*told, *_far_off(facts, now)]


def _far_off(facts: dict[str, Any], now: float) -> Iterator[Complaint]:
    for row in facts["next_due"]:
        at = human_time.instant(row["at"])
        if row["by"] == "deferred" and at is not None and at - now > FAR:
            one = row["tick"].rpartition("-")[2]
            what = f"{row['cadence']}: {one} is put off until {human_time.clock(at, now)}"
            yield Complaint(what, f"`cadence bump {one}` lets it go now, `cadence rm {one}` cancels it")


def _own_word(hold: dict[str, Any]) -> bool:
    return hold["reason"] == "paused" and not unread(hold)


def _paused(hold: dict[str, Any], home: Home, now: float) -> Complaint:
    kind, _, name = hold["scope"].partition("-")
    whom = "the bus" if kind == "bus" else name if kind == "cadence" else f"whatever uses {name}"
    since = human_time.instant(hold["since"])
    began = "" if since is None else f" since {human_time.clock(since, now)}"
    all_of_it = ", nothing new starts" if kind == "bus" else ""
    why = f": {hold['detail']}" if hold["detail"] else ""
    return Complaint(f"{whom} is paused{_until(hold, now) or began}{all_of_it}{why}", release(hold, home))


def other_version(facts: dict[str, Any]) -> str | None:
    """What a consumer of another version than this command says it is; no illness, but good to know."""
    consumer = facts["consumer"]
    said = consumer.get("version") if consumer and consumer["alive"] else None
    return str(said) if said and said != cadencebus.__version__ else None


def _stalled(facts: dict[str, Any], home: Home, now: float) -> Iterator[Complaint]:
    """Something could start, and nothing does."""
    if facts["stop"] or not alive(facts) or unheard(facts["consumer"], now):
        return
    free = [row for row in facts["queue"] if row["ready"] and row["wait"] is None]
    ages = [now - at for row in free if (at := human_time.instant(row["oldest_at"])) is not None]
    try:
        # Every claim and every finish changes this folder.
        idle = now - os.stat(home.claimed).st_mtime
    except OSError:
        return
    if ages and max(ages) > _STALLED and idle > _STALLED:
        ready, slots = sum(row["ready"] for row in free), facts["slots"] - len(facts["running"])
        yield Complaint(
            f"{ready} ready, {slots} slots free, no hold, nothing started for {human_time.ago(idle)}",
            "`cadence restart`, sessions go on",
        )


def _until(hold: dict[str, Any], now: float) -> str:
    until = human_time.instant(hold["until"])
    return (
        "" if until is None else f" until {human_time.clock(until, now)} (in {human_time.ago(until - now)})"
    )


def _held(facts: dict[str, Any], home: Home, now: float) -> Iterator[Complaint]:
    # Of a cadence that is no more nobody can mend anything: what waits for it is told.
    moot = {
        f"cadence-{row['cadence']}"
        for row in facts["queue"]
        if row["wait"] and row["wait"]["reason"] == "unknown"
    }
    for hold in facts["holds"]:
        # An operator's own pause is no illness.
        if hold["reason"] in _ALARMING and not _own_word(hold) and hold["scope"] not in moot:
            strange = f"holds/{hold['file']} is no hold that anybody knows"
            said = hold["detail"] or (strange if hold["reason"] == "unreadable" else "")
            detail = f": {said}" if said else ""
            yield Complaint(
                f"{hold['scope']} is held by {hold['reason']}{_until(hold, now)}{detail}", release(hold, home)
            )
    held = {hold["scope"] for hold in facts["holds"] if hold["reason"] == "circuit_open"}
    prompts = Prompts(home)
    for circuit in facts["circuits"]:
        # One whose file was removed, or renamed, will never be probed.
        if f"cadence-{circuit['cadence']}" not in held and prompts.defined(circuit["cadence"]):
            yield Complaint(
                f"{circuit['cadence']}: its circuit waits for a probe to succeed: {circuit['reason']}",
                f"`cadence logs {circuit['cadence']}`, or `cadence circuit reset {circuit['cadence']}`",
            )


def _full(facts: dict[str, Any]) -> Iterator[Complaint]:
    ready = sum(row["ready"] for row in facts["queue"]) + facts["arriving"]
    if 0 < facts["max_inbox"] <= ready:
        what = f"the queue is full, nothing is accepted: {ready} are ready, max_inbox is {facts['max_inbox']}"
        yield Complaint(what, "`cadence ls inbox` shows them; raise max_inbox in cadence.yaml")


def _broken(facts: dict[str, Any], told: set[str]) -> Iterator[Complaint]:
    waiting = {row["cadence"]: row["ready"] for row in facts["queue"]}
    for one in facts["broken"]:
        ready = waiting.get(one["cadence"])
        yield Complaint(f"{one['cadence']}: {_wait(ready) if ready else ''}{one['why']}", "`cadence check`")
    for row in facts["queue"]:
        if row["wait"] and row["wait"]["reason"] == "unknown":
            cure = f"put it back, or `cadence rm --cadence {row['cadence']}`"
            yield Complaint(f"{row['cadence']}: {_wait(row['ready'])}{row['wait']['detail']}", cure)
    for row in facts["running"]:
        if row["unkillable"]:
            left = ", ".join(map(str, row["unkillable"]))
            what = f"{row['cadence']}: its run can't be killed: {left}"
            yield Complaint(what, f"`ps -o stat,wchan -p {left}`")
    for problem in facts["problems"]:
        if problem not in told:
            fix = " --fix" if "can't be read" in problem else ""
            yield Complaint(problem, f"`cadence doctor{fix}`")


def _wait(ready: int) -> str:
    return f"{ready} {'waits' if ready == 1 else 'wait'}: "


def _asking(facts: dict[str, Any]) -> Iterator[Complaint]:
    """What the consumer tells of its gates and its crowd."""
    for name, gate in mapping(facts["consumer"].get("gates") if alive(facts) else None).items():
        if mapping(gate).get("failing"):
            yield Complaint(
                f"the gate {name} fails: {mapping(gate).get('detail')}", "try its command by hand"
            )
    yield from _starving(facts)


def _starving(facts: dict[str, Any]) -> Iterator[Complaint]:
    for row in map(mapping, sequence(facts["consumer"].get("starving") if alive(facts) else None)):
        since = human_time.clock(at) if (at := human_time.instant(row.get("since"))) else "long ago"
        yield Complaint(
            f"{row.get('cadence')} starves, it waits for room since {since}: {row.get('reason')}",
            "raise max_sessions in cadence.yaml, or `cadence collisions`",
        )


def _died(facts: dict[str, Any], now: float) -> Iterator[Complaint]:
    dead = facts["dead"]
    newest = human_time.instant(dead["newest_at"])
    if newest is None or now - newest >= _FRESH:
        return
    count, last = dead["count"], dead["newest"]
    letters = "1 dead letter" if count == 1 else f"{count} dead letters"
    one = last["tick"].rpartition("-")[2]
    cure = f"`cadence show {one}`, mend that, then `cadence dead retry {one}`"
    if not last["retriable"]:
        cure = f"`cadence show {one}`, mend who wrote it, then `cadence dead purge {one}`"
    elif count > 1:
        cure = "`cadence dead`, mend that, then `cadence dead retry --all`"
    of = f"{last['cadence']}, {last['class']}: {last['reason']}"
    yield Complaint(f"{letters}, the last {human_time.ago(now - newest)} ago: {of}", cure)
