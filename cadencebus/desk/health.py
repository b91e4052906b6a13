"""Whether a bus is well, ill, or whether nobody can tell: judged from what lies on its disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import cadencebus
from cadencebus.desk import human_time
from cadencebus.desk.complaint import Complaint
from cadencebus.desk.consumer_health import alive, frozen, nobody_works, silent
from cadencebus.model.foreign import mapping, sequence
from cadencebus.model.hold import UNTIL_RELEASED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home

WELL, ILL, CANT_TELL = "well", "ill", "can't tell"
_STALLED = 90.0
# Letters of yesterday are known by now; a new one wants to be read.
_FRESH = 86400.0
# An operator's own pause is no illness.
_ALARMING = (UNTIL_RELEASED - {"paused"}) | {"circuit_open", "disk_full", "network"}
# With less than this no tick is accepted.
_ROOM = 1 << 20
# What to type when something is held, where `cadence resume` alone would only fail again.
_FIRST = {
    "auth": "log in again, then ",
    "billing": "see to the bill, then ",
    "config": "`cadence check`, then ",
    "turn_budget": "raise its max_turns or max_usd, then ",
}
# What to type for a problem in whose words this stands.
_CURES = {
    " is missing": "`cadence doctor --fix`",
    "cadence.yaml": "mend it, then `cadence check`",
}
BY_ITSELF = {
    "disk_full": "`df -h .`; it goes on by itself when there is room",
    "network": "it goes on by itself when the network is back",
}


def judge(facts: dict[str, Any], home: Home, now: float) -> tuple[str, list[Complaint]]:
    """The health, and what speaks for it, the worst first."""
    why = [*nobody_works(facts, home, now), *_no_room(facts, home), *_held(facts, now), *_broken(facts)]
    why += [*_asking(facts), *_died(facts, now)]
    stopped, mute = [*frozen(facts)], silent(facts, now)
    if not mute:
        why = [*_stalled(facts, home, now), *why]
    why = stopped + why
    if why:
        return ILL, why + ([] if stopped else mute)
    return (CANT_TELL, mute) if mute else (WELL, [])


def notes(facts: dict[str, Any], now: float) -> list[Complaint]:
    """What is no illness, being somebody's own word, and keeps things from starting all the same."""
    told = [_paused(hold, now) for hold in facts["holds"] if hold["reason"] == "paused"]
    if not facts["slots"]:
        told.append(Complaint("max_sessions is 0: nothing new starts", "raise it in cadence.yaml"))
    return told


def _paused(hold: dict[str, Any], now: float) -> Complaint:
    kind, _, name = hold["scope"].partition("-")
    whom = "the bus" if kind == "bus" else name if kind == "cadence" else f"whatever uses {name}"
    since = human_time.instant(hold["since"])
    began = "" if since is None else f" since {human_time.clock(since, now)}"
    all_of_it = ", nothing new starts" if kind == "bus" else ""
    why = f": {hold['detail']}" if hold["detail"] else ""
    return Complaint(f"{whom} is paused{_until(hold, now) or began}{all_of_it}{why}", _release(hold))


def other_version(facts: dict[str, Any]) -> str | None:
    """What a consumer of another version than this command says it is; no illness, but good to know."""
    consumer = facts["consumer"]
    said = consumer.get("version") if consumer and consumer["alive"] else None
    return str(said) if said and said != cadencebus.__version__ else None


def _stalled(facts: dict[str, Any], home: Home, now: float) -> Iterator[Complaint]:
    """Something could start, and nothing does."""
    if facts["stop"] or not alive(facts):
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


def _no_room(facts: dict[str, Any], home: Home) -> Iterator[Complaint]:
    """A disk that takes nothing more, before the consumer has run into it."""
    if any(hold["reason"] == "disk_full" for hold in facts["holds"]):
        return
    try:
        room = os.statvfs(home.state)
    except OSError:
        return
    if room.f_flag & os.ST_RDONLY:
        yield Complaint("the disk is mounted read-only, nothing can be accepted", "`dmesg | tail` says why")
    elif room.f_bavail * room.f_frsize < _ROOM:
        yield Complaint("the disk is full, nothing can be accepted", BY_ITSELF["disk_full"])
    elif room.f_files and not room.f_favail:
        yield Complaint("no inode is free, nothing can be accepted", "remove small files: `df -i .`")


def _until(hold: dict[str, Any], now: float) -> str:
    until = human_time.instant(hold["until"])
    return (
        "" if until is None else f" until {human_time.clock(until, now)} (in {human_time.ago(until - now)})"
    )


def _held(facts: dict[str, Any], now: float) -> Iterator[Complaint]:
    # Of a cadence that is no more nobody can mend anything: what waits for it is told.
    moot = {
        f"cadence-{row['cadence']}"
        for row in facts["queue"]
        if row["wait"] and row["wait"]["reason"] == "unknown"
    }
    for hold in facts["holds"]:
        if hold["reason"] in _ALARMING and hold["scope"] not in moot:
            unread = f"holds/{hold['file']} is no hold that anybody knows"
            said = hold["detail"] or (unread if hold["reason"] == "unreadable" else "")
            detail = f": {said}" if said else ""
            yield Complaint(
                f"{hold['scope']} is held by {hold['reason']}{_until(hold, now)}{detail}", _release(hold)
            )
    held = {hold["scope"] for hold in facts["holds"] if hold["reason"] == "circuit_open"}
    for circuit in facts["circuits"]:
        if f"cadence-{circuit['cadence']}" not in held:
            yield Complaint(
                f"{circuit['cadence']}: its circuit waits for a probe to succeed: {circuit['reason']}",
                f"`cadence logs {circuit['cadence']}`, or `cadence circuit reset {circuit['cadence']}`",
            )


def _release(hold: dict[str, Any]) -> str:
    """What ends a hold."""
    reason, (kind, _, name) = hold["reason"], hold["scope"].partition("-")
    if reason in BY_ITSELF:
        return BY_ITSELF[reason]
    if reason == "circuit_open":
        return f"`cadence logs {name}`, then `cadence circuit reset {name}`"
    if reason == "unreadable" or str(hold["detail"]).startswith("holds/"):
        return f"`rm state/holds/{hold['file']}`"
    whom = {"cadence": f" {name}", "credentials": f" --credentials {name}"}.get(kind, "")
    return f"{_FIRST.get(reason, '')}`cadence resume{whom}`"


def _broken(facts: dict[str, Any]) -> Iterator[Complaint]:
    waiting = {row["cadence"]: row["ready"] for row in facts["queue"]}
    for one in facts["broken"]:
        ready = waiting.get(one["cadence"])
        yield Complaint(f"{one['cadence']}: {_wait(ready) if ready else ''}{one['why']}", "`cadence check`")
    for row in facts["queue"]:
        if row["wait"] and row["wait"]["reason"] == "unknown":
            cure = f"write it, or `cadence rm --cadence {row['cadence']}`"
            yield Complaint(f"{row['cadence']}: {_wait(row['ready'])}{row['wait']['detail']}", cure)
    for row in facts["running"]:
        if row["unkillable"]:
            left = ", ".join(map(str, row["unkillable"]))
            what = f"{row['cadence']}: its run can't be killed: {left}"
            yield Complaint(what, f"`ps -o stat,wchan -p {left}`")
    for problem in facts["problems"]:
        yield Complaint(
            problem, next((cure for sign, cure in _CURES.items() if sign in problem), "`cadence doctor`")
        )


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
    newest = human_time.instant(facts["dead"]["newest_at"])
    if newest is not None and now - newest < _FRESH:
        count, last = facts["dead"]["count"], human_time.ago(now - newest)
        yield Complaint(
            f"{count} dead {'letter' if count == 1 else 'letters'}, the last {last} ago", "`cadence dead`"
        )
