"""Whether a bus is well, ill, or whether nobody can tell: judged from what lies on its disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import cadencebus
from cadencebus.daemon import supervision
from cadencebus.desk import clockface
from cadencebus.model.foreign import mapping, sequence
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
# What to type when something is held, where `cadence resume` alone would only fail again.
_FIRST = {
    "auth": "log in again, then ",
    "billing": "see to the bill, then ",
    "config": "`cadence check`, then ",
    "turn_budget": "raise its turn_budget, or ",
}
BY_ITSELF = {
    "disk_full": "`df -h .`; it goes on by itself when there is room",
    "network": "it goes on by itself when the network is back",
}


class Complaint(NamedTuple):
    """Something that is not well, and what to type."""

    what: str
    do: str = ""

    def __str__(self) -> str:
        """One line, as monitoring shows it."""
        return f"{self.what}: {self.do}" if self.do else self.what


def judge(facts: dict[str, Any], home: Home, now: float) -> tuple[str, list[Complaint]]:
    """The health, and what speaks for it, the worst first."""
    why = [*_nobody_works(facts, home), *_held(facts), *_broken(facts), *_asking(facts), *_died(facts, now)]
    frozen, silent = [*_frozen(facts)], _silent(facts, now)
    if not silent:
        why = [*_stalled(facts, home, now), *why]
    why = frozen + why
    if why:
        return ILL, why + ([] if frozen else silent)
    return (CANT_TELL, silent) if silent else (WELL, [])


def other_version(facts: dict[str, Any]) -> str | None:
    """What a consumer of another version than this command says it is; no illness, but good to know."""
    consumer = facts["consumer"]
    said = consumer.get("version") if consumer and consumer["alive"] else None
    return str(said) if said and said != cadencebus.__version__ else None


def _alive(facts: dict[str, Any]) -> bool:
    return facts["consumer"] is not None and bool(facts["consumer"]["alive"])


def _nobody_works(facts: dict[str, Any], home: Home) -> Iterator[Complaint]:
    if facts["stop"]:
        yield Complaint("the emergency stop is on, nothing starts", "`cadence start`")
    if _alive(facts):
        return
    consumer, ready = facts["consumer"], sum(row["ready"] for row in facts["queue"])
    if (parked := supervision.parked(home)) is not None:
        yield Complaint(f"the consumer is parked: {parked.reason}", "mend that, then `cadence up`")
    elif consumer is not None:
        yield Complaint(f"the consumer (pid {consumer.get('pid')}) ended without a farewell", "`cadence up`")
    elif ready or facts["running"]:
        yield Complaint(f"no consumer, and {ready} ready, {len(facts['running'])} claimed", "`cadence up`")
    elif idle := [row["cadence"] for row in facts["next_due"] if _wants_a_consumer(row, facts["at"])]:
        yield Complaint(f"no consumer, so nothing fires {idle[0]} when it is due", "`cadence up`")


def _wants_a_consumer(row: dict[str, Any], now: str) -> bool:
    """Whether it comes to nothing where nobody consumes: a schedule does, and a tick whose time has come."""
    return row["by"] == "clock" or (row["by"] == "deferred" and str(row["at"]) <= now)


def _frozen(facts: dict[str, Any]) -> Iterator[Complaint]:
    """A consumer that a signal has stopped lives, holds the lock, and does nothing at all."""
    pid = facts["consumer"].get("pid") if _alive(facts) else None
    if not isinstance(pid, int):
        return
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read(4096).rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return
    if state in {b"T", b"t"}:
        yield Complaint(f"the consumer (pid {pid}) was stopped by a signal", f"`kill -CONT {pid}`")


def _silent(facts: dict[str, Any], now: float) -> list[Complaint]:
    """A live consumer that has not been heard of."""
    if not _alive(facts):
        return []
    beat = clockface.instant(facts["consumer"].get("heartbeat_at"))
    if beat is None:
        return [
            Complaint(
                "a consumer holds the lock, but has not said who it is (it may just be starting)",
                "`cadence ps`",
            )
        ]
    if now - beat > _SILENT:
        return [
            Complaint(
                f"the consumer lives, but was silent for {clockface.ago(now - beat)}",
                "`cadence restart`, sessions go on",
            )
        ]
    return []


def _stalled(facts: dict[str, Any], home: Home, now: float) -> Iterator[Complaint]:
    """Something could start, and nothing does."""
    if facts["stop"] or not _alive(facts):
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
        yield Complaint(
            f"{ready} ready, {slots} slots free, no hold, nothing started for {clockface.ago(idle)}",
            "`cadence restart`, sessions go on",
        )


def _held(facts: dict[str, Any]) -> Iterator[Complaint]:
    for hold in facts["holds"]:
        if hold["reason"] in _ALARMING:
            unread = f"holds/{hold['file']} is no hold that anybody knows"
            said = hold["detail"] or (unread if hold["reason"] == "unreadable" else "")
            detail = f": {said}" if said else ""
            yield Complaint(f"{hold['scope']} is held by {hold['reason']}{detail}", _release(hold))
    held = {hold["scope"] for hold in facts["holds"] if hold["reason"] == "circuit_open"}
    for circuit in facts["circuits"]:
        if f"cadence-{circuit['cadence']}" not in held:
            yield Complaint(
                f"{circuit['cadence']}: its circuit waits for a probe to succeed: {circuit['reason']}",
                f"`cadence logs {circuit['cadence']}`",
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
    for row in facts["queue"]:
        if row["wait"] and (row["wait"]["reason"] in {"broken", "unknown"} or _no_prompt(row["wait"])):
            yield Complaint(
                f"{row['cadence']}: {row['ready']} wait: {row['wait']['detail']}",
                f"`cadence ls inbox --cadence {row['cadence']}`"
                if row["wait"]["reason"] == "unknown"
                else "`cadence check`",
            )
    for row in facts["running"]:
        if row["unkillable"]:
            left = ", ".join(map(str, row["unkillable"]))
            what = f"{row['cadence']}: its run can't be killed: {left}"
            yield Complaint(what, f"`ps -o stat,wchan -p {left}`")
    yield from (Complaint(problem, "`cadence doctor`") for problem in facts["problems"])


def _asking(facts: dict[str, Any]) -> Iterator[Complaint]:
    """What the consumer tells of its gates and its crowd."""
    for name, gate in mapping(facts["consumer"].get("gates") if _alive(facts) else None).items():
        if mapping(gate).get("failing"):
            yield Complaint(
                f"the gate {name} fails: {mapping(gate).get('detail')}", "try its command by hand"
            )
    yield from _starving(facts)


def _no_prompt(wait: dict[str, Any]) -> bool:
    """Whether it waits for a file that can't be read, not for a hold that can't."""
    return wait["reason"] == "unreadable" and str(wait["detail"]).startswith("prompts/")


def _starving(facts: dict[str, Any]) -> Iterator[Complaint]:
    for row in map(mapping, sequence(facts["consumer"].get("starving") if _alive(facts) else None)):
        since = clockface.clock(at) if (at := clockface.instant(row.get("since"))) else "long ago"
        yield Complaint(
            f"{row.get('cadence')} starves, it waits for room since {since}: {row.get('reason')}",
            "raise max_sessions in cadence.yaml, or `cadence collisions`",
        )


def _died(facts: dict[str, Any], now: float) -> Iterator[Complaint]:
    newest = clockface.instant(facts["dead"]["newest_at"])
    if newest is not None and now - newest < _FRESH:
        count, last = facts["dead"]["count"], clockface.ago(now - newest)
        yield Complaint(
            f"{count} dead {'letter' if count == 1 else 'letters'}, the last {last} ago", "`cadence dead`"
        )
