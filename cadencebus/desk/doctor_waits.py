"""The doctor's look at what waits, and why: holds, circuits, dead letters, who starves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.checkup.examine import Check
from cadencebus.checkup.finding import found
from cadencebus.clock import parse_stamp
from cadencebus.desk import holding, how_to_release, human_time
from cadencebus.desk.dead_letters import letter_of
from cadencebus.desk.health import FRESH, STALLED, idle_for
from cadencebus.desk.lookup import listing
from cadencebus.desk.reasons import Reasons
from cadencebus.model.hold import UNTIL_RELEASED, cadence_held
from cadencebus.model.wording import count
from cadencebus.policy.starvation import FOR_ROOM, STARVING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient
    from cadencebus.model.hold import Hold

_LETTERS_READ = 200


def holds(patient: Patient) -> Iterator[Finding]:
    """Every hold in force, with what releases it."""
    for hold in holding.held(patient.home, patient.now):
        if hold.over(patient.now) or hold.reason == "circuit_open":
            continue
        detail = f": {hold.detail}" if hold.detail else ""
        what = f"{hold.scope} is held by {hold.reason}{_until(hold, patient.now)}{detail}"
        cure = how_to_release.how_to_release(hold, patient.home)
        if "can't be read" in hold.detail:
            yield found("hold.unreadable", hold.detail, f"rm {patient.home.holds}/{hold.file}")
        elif hold.reason == "paused":
            yield found("hold.paused", what, cure)
        elif hold.reason in UNTIL_RELEASED or hold.reason in {"disk_full", "network"}:
            yield found("hold.lasting", what, cure)
        else:
            yield found("hold.passing", what, "cadence holds")


def _until(hold: Hold, now: float) -> str:
    return "" if hold.until is None else f" until {human_time.clock(hold.until, now)}"


def circuits(patient: Patient) -> Iterator[Finding]:
    """Breakers that are open."""
    for hold in holding.held(patient.home, patient.now):
        if hold.reason == "circuit_open" and not hold.over(patient.now):
            name = cadence_held(hold.scope)
            what = f"the circuit of {name} is open{_until(hold, patient.now)}: {hold.detail}"
            yield found("circuit.open", what, f"cadence logs {name}, then cadence circuit reset {name}")


def dead(patient: Patient) -> Iterator[Finding]:
    """Dead letters: those of the last day, and the others."""
    letters = sorted(listing(patient.home, ("dead",)), key=lambda one: one.name.stamp)
    if not letters:
        return
    read = [letter_of(patient.home, one) for one in letters[-_LETTERS_READ:]]
    fresh = [one for one in read if patient.now - (one.died_at or 0.0) < FRESH]
    if fresh:
        last = max(fresh, key=lambda one: one.died_at or 0.0)
        why = f"{last.found.name.cadence}, {last.klass}: {last.reason}"
        least = "at least " if len(fresh) == len(read) else ""
        many = f"{least}{len(fresh)} of {len(letters)} dead letters are"
        if len(letters) == len(fresh):
            many = f"{count(len(fresh), 'dead letter')} {'is' if len(fresh) == 1 else 'are'}"
        what = f"{many} new today; the last: {why}"
        yield found("dead.fresh", what, f"cadence dead show {last.found.name.random}")
    else:
        yield found("dead.old", f"{count(len(letters), 'dead letter')}, none of them of the last day")


def gates(patient: Patient) -> Iterator[Finding]:
    """Gates that could not be asked, as the consumer tells of them."""
    for name, detail in patient.consumer.failing_gates.items() if patient.consumed else ():
        yield found("gate.failing", f"the gate {name} fails: {detail}")


def queues(patient: Patient) -> Iterator[Finding]:
    """Who has been waiting for room for an hour, and whether anything is started at all."""
    if not patient.consumed:
        return
    snapshot = Reasons(patient.home, patient.now)
    free = []
    for cadence, oldest in sorted(snapshot.oldest.items()):
        wait, waited = snapshot.of_cadence(cadence), patient.now - parse_stamp(oldest)
        since = snapshot.free_since(cadence)
        if since is not None and patient.now - since > STALLED:
            free.append(cadence)
        elif wait is not None and wait.reason in FOR_ROOM and waited > STARVING:
            what = f"{cadence} has waited for room for {human_time.ago(waited)}: {wait.detail or wait.reason}"
            yield found("cadence.starving", what)
    idle = idle_for(patient.home, patient.consumer, patient.now)
    if free and idle > STALLED and not snapshot.stopped and not patient.consumer.unheard:
        what = f"{', '.join(free[:3])} could start, but nothing has started for {human_time.ago(idle)}"
        yield found("queue.stalled", what)


CHECKS = (
    Check("holds", holds),
    Check("circuits", circuits),
    Check("dead letters", dead),
    Check("gates", gates),
    Check("queues", queues),
)
