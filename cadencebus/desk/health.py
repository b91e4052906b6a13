"""Whether a bus is well, ill, or whether nobody can tell: judged from what lies on its disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import cadencebus
from cadencebus.desk import human_time
from cadencebus.desk.complaint import Complaint
from cadencebus.desk.consumer_health import frozen, locked_out, nobody_works, silent, stopped_by_hand
from cadencebus.desk.forecast import FAR
from cadencebus.desk.how_to_release import how_to_release, unread
from cadencebus.desk.obstacles import obstacles
from cadencebus.model.foreign import instant
from cadencebus.model.hold import BUS, UNTIL_RELEASED, cadence_held, on_cadence
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cadencebus.daemon.consumer_note import Consumer
    from cadencebus.desk.dead_letters import Letter
    from cadencebus.desk.facts import Dead, Facts, Queue
    from cadencebus.model.hold import Hold
    from cadencebus.store.paths import Home

WELL, ILL, CANT_TELL = "well", "ill", "can't tell"
STALLED = 90.0
# Letters of yesterday are known by now; a new one wants to be read.
FRESH = 86400.0
_ALARMING = UNTIL_RELEASED | {"circuit_open", "disk_full", "network"}


class Verdict(NamedTuple):
    """How a home is, what speaks for it, the worst first, and what else one should know."""

    health: str
    complaints: Sequence[Complaint]
    notes: Sequence[Complaint]

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "health": self.health,
            "why": [str(one) for one in self.complaints],
            "cures": [one.dump() for one in self.complaints],
            "notes": [one.dump() for one in self.notes],
        }


def judge(facts: Facts) -> Verdict:
    """The verdict on a home."""
    why = [*stopped_by_hand(facts), *(hindered := obstacles(facts))]
    why += [*nobody_works(facts, hindered=bool(hindered)), *_held(facts), *_full(facts)]
    why += [*_broken(facts, {one.what for one in hindered}), *_asking(facts.consumer), *_died(facts)]
    stopped, mute = [*frozen(facts.consumer), *locked_out(facts)], silent(facts.consumer)
    why = [*stopped, *_stalled(facts), *why]
    if why:
        return Verdict(ILL, why + ([] if stopped else mute), _notes(facts))
    return Verdict(CANT_TELL if mute else WELL, mute, _notes(facts))


def _notes(facts: Facts) -> list[Complaint]:
    """What keeps things from starting by an operator's own word, and so is no illness."""
    told = [_paused(hold, facts) for hold in facts.holds if _by_operator(hold)]
    if not facts.slots:
        told.append(Complaint("max_sessions is 0: nothing new starts", "raise it in cadence.yaml"))
    told += [
        Complaint(f"{row.cadence}: {_ready(row)}it is disabled", row.way_out)
        for row in facts.queue
        if row.waits_for("disabled")
    ]
    told += [
        Complaint(
            f"{name}: its prompt is empty, the agent would be asked nothing",
            f"write it into prompts/{name}.md",
        )
        for name in facts.faults.empty
    ]
    return [*told, *_far_off(facts)]


def _far_off(facts: Facts) -> Iterator[Complaint]:
    for due in facts.next_due:
        if due.tick is not None and due.at - facts.at > FAR:
            one = due.tick.rpartition("-")[2]
            what = f"{due.cadence}: {one} is put off until {human_time.clock(due.at, facts.at)}"
            yield Complaint(what, f"`cadence bump {one}` lets it go now, `cadence rm {one}` cancels it")


def _by_operator(hold: Hold) -> bool:
    return hold.reason == "paused" and not unread(hold)


def _paused(hold: Hold, facts: Facts) -> Complaint:
    whom, all_of_it = cadence_held(hold.scope) or f"whatever uses {hold.scope.partition('-')[2]}", ""
    if hold.scope == BUS:
        whom, all_of_it = "the bus", ", nothing new starts"
    began = f" since {human_time.clock(hold.since, facts.at)}"
    why = f": {hold.detail}" if hold.detail else ""
    what = f"{whom} is paused{_until(hold, facts.at) or began}{all_of_it}{why}"
    return Complaint(what, how_to_release(hold, facts.home))


def other_version(consumer: Consumer) -> str | None:
    """What a consumer of another version than this command says it is; no illness, but good to know."""
    other = consumer.alive and consumer.version not in {"", cadencebus.__version__}
    return consumer.version if other else None


def _stalled(facts: Facts) -> Iterator[Complaint]:
    """Something could start, and nothing does."""
    if facts.stopped or not facts.consumer.alive or facts.consumer.unheard:
        return
    free = [row for row in facts.queue if row.ready and row.wait is None]
    ages = [facts.at - row.free_since for row in free if row.free_since is not None]
    try:
        idle = idle_for(facts.home, facts.consumer, facts.at)
    except OSError:
        return
    if ages and max(ages) > STALLED and idle > STALLED:
        ready, slots = sum(row.ready for row in free), facts.slots - len(facts.running)
        yield Complaint(
            f"{ready} ready, {slots} slots free, no hold, nothing started for {human_time.ago(idle)}",
            "`cadence restart`, sessions go on",
        )


def idle_for(home: Home, consumer: Consumer, now: float) -> float:
    """For how long a consumer that is up started, finished and released nothing: each changes a folder."""
    moved = max(os.stat(folder).st_mtime for folder in (home.claimed, home.holds))
    return now - max(moved, consumer.started_at or 0.0)


def _until(hold: Hold, now: float) -> str:
    return "" if hold.until is None else f" until {human_time.ahead(hold.until, now)}"


def _held(facts: Facts) -> Iterator[Complaint]:
    # Of a cadence that is no more nobody can mend anything: what waits for it is told.
    moot = {on_cadence(row.cadence) for row in facts.queue if row.waits_for("unknown")}
    for hold in facts.holds:
        # An operator's own pause is no illness.
        if hold.reason in _ALARMING and not _by_operator(hold) and hold.scope not in moot:
            strange = f"holds/{hold.file} is not a hold that the bus knows"
            said = hold.detail or (strange if hold.reason == "unreadable" else "")
            what = f"{hold.scope} is held by {hold.reason}{_until(hold, facts.at)}"
            yield Complaint(what + (f": {said}" if said else ""), how_to_release(hold, facts.home))
    held = {hold.scope for hold in facts.holds if hold.reason == "circuit_open"}
    prompts = Prompts(facts.home)
    for circuit in facts.circuits:
        # One whose file was removed, or renamed, will never be probed.
        if on_cadence(circuit.cadence) not in held and prompts.defined(circuit.cadence):
            yield Complaint(
                f"{circuit.cadence}: its circuit waits for a probe to succeed: {circuit.reason}",
                f"`cadence logs {circuit.cadence}`, or `cadence circuit reset {circuit.cadence}`",
            )


def _full(facts: Facts) -> Iterator[Complaint]:
    if 0 < facts.max_inbox <= facts.ready:
        room = f"{facts.ready} are ready, max_inbox is {facts.max_inbox}"
        yield Complaint(
            f"the queue is full, nothing is accepted: {room}",
            "`cadence ls inbox` shows them; raise max_inbox in cadence.yaml",
        )


def _broken(facts: Facts, told: set[str]) -> Iterator[Complaint]:
    waiting = {row.cadence: row for row in facts.queue if row.ready}
    for name, why in facts.faults.broken.items():
        row = waiting.get(name)
        yield Complaint(f"{name}: {_ready(row) if row else ''}{why}", "`cadence check`")
    if tasks := facts.faults.tasks:
        more = f"; and {len(tasks) - 1} more" if tasks[1:] else ""
        yield Complaint(f"{tasks[0]}{more}", "`cadence check`")
    for row in facts.queue:
        if row.wait and row.waits_for("unknown"):
            cure = f"put it back, or `cadence rm --cadence {row.cadence}`"
            yield Complaint(f"{row.cadence}: {_ready(row)}{row.wait.detail}", cure)
    for run in facts.running:
        if run.unkillable:
            left = ", ".join(map(str, run.unkillable))
            yield Complaint(
                f"{run.cadence}: its run can't be killed: {left}", f"`ps -o stat,wchan -p {left}`"
            )
    for problem in facts.problems:
        if problem not in told:
            fix = " --fix" if "can't be read" in problem else ""
            yield Complaint(problem, f"`cadence doctor{fix}`")


def _ready(row: Queue) -> str:
    if not row.ready:
        return f"{row.deferred} {'is' if row.deferred == 1 else 'are'} put off: "
    return f"{row.ready} {'waits' if row.ready == 1 else 'wait'}: "


def _asking(consumer: Consumer) -> Iterator[Complaint]:
    """What the consumer tells of its gates and its crowd."""
    if not consumer.alive:
        return
    for name, detail in consumer.failing_gates.items():
        yield Complaint(f"the gate {name} fails: {detail}", "try its command by hand")
    for row in consumer.starving:
        since = human_time.clock(at) if (at := instant(row.get("since"))) else "long ago"
        yield Complaint(
            f"{row.get('cadence')} starves, it waits for room since {since}: {row.get('reason')}",
            "raise max_sessions in cadence.yaml, or `cadence collisions`",
        )


def _died(facts: Facts) -> Iterator[Complaint]:
    count, last = facts.dead.count, facts.dead.newest
    if last is None or last.died_at is None or (ago := facts.at - last.died_at) >= FRESH:
        return
    letters = "1 dead letter" if count == 1 else f"{count} dead letters"
    of = f"{last.found.name.cadence}, {last.klass}: {last.reason}"
    yield Complaint(f"{letters}, the last {human_time.ago(ago)} ago: {of}", _life_after(facts.dead, last))


def _life_after(dead: Dead, last: Letter) -> str:
    """What to type about dead letters: what never was a tick can't be tried again."""
    one = last.found.name.random
    if dead.count == 1 and dead.retriable:
        return f"`cadence show {one}`, fix that, then `cadence dead retry {one}`"
    if dead.count == 1:
        return f"`cadence show {one}`, fix what wrote it, then `cadence dead purge {one}`"
    if dead.hopeless == dead.count:
        return "`cadence dead`, fix what wrote them, then `cadence dead purge --all`"
    left = f"the {dead.hopeless} that are no ticks" if dead.hopeless > 1 else "one that is no tick"
    leaves = f", which leaves {left}" if dead.hopeless else ""
    return f"`cadence dead`, fix that, then `cadence dead retry --all`{leaves}"
