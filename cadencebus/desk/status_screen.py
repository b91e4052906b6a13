"""The screen of `cadence status`: what is wrong and what to type first, then who works, waits and failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from cadencebus.desk import health, how_to_release, human_time, reasons
from cadencebus.desk.columns import Column
from cadencebus.desk.output import Cell, Painted, safe
from cadencebus.model.duration import spell_duration
from cadencebus.policy.admit import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cadencebus.desk.complaint import Complaint
    from cadencebus.desk.ended_runs import EndedRun
    from cadencebus.desk.facts import Facts, Queue, Run
    from cadencebus.desk.forecast import Upcoming
    from cadencebus.desk.health import Verdict
    from cadencebus.desk.holding import Circuit
    from cadencebus.desk.output import Output
    from cadencebus.desk.overview import Overview
    from cadencebus.model.hold import Hold

T = TypeVar("T")

COLOURS = {health.WELL: "bold green", health.ILL: "bold red", health.CANT_TELL: "bold yellow"}
_SIGNS = {health.ILL: "✗", health.CANT_TELL: "?", health.WELL: "!"}
_CADENCE = Column("CADENCE", least=18)
RUNNING = (_CADENCE, Column("TICK"), Column("FOR", right=True), Column("LEFT", right=True))
SAYS = (Column("RUNNER"), Column("SAYS", wide=True))
QUEUE = (
    _CADENCE,
    Column("READY", right=True),
    Column("LATER", right=True),
    Column("OLDEST", right=True),
    Column("WHY", folds=True),
)
DEAD = (_CADENCE, Column("DEAD", right=True), Column("READ THEM WITH", wide=True))
# `11:43:24 (in 29m)`, where there is no room: `11:43:24`.
_UNTIL = Column("UNTIL", brief=lambda text: text.partition(" (")[0])
HOLDS = (Column("SCOPE", least=20), Column("REASON"), _UNTIL, Column("DETAIL", folds=True))
CIRCUITS = (
    _CADENCE,
    Column("STATE"),
    _UNTIL,
    Column("FAILURES", right=True, goes=1),
    Column("REASON", folds=True),
)
FAILURES = (
    Column("ENDED"),
    _CADENCE,
    Column("TICK", goes=1),
    Column("CLASS"),
    Column("REASON", wide=True),
)
DUE = (Column("DUE"), Column("IN", right=True), Column("CADENCE", least=18), Column("BY"))
# Rows beyond this many are counted, in a pipe as well: `watch` is one, and a program asks for --json.
MOST = 20
# And on a small terminal sooner: what is wrong stands first, and is not to be scrolled away.
_SIZES = (MOST, 12, 8, 5, 3, 2, 1, 0)
_WORST = 2
# At last these are only counted.
_LISTED_BY = {
    "held": "cadence holds",
    "circuits": "cadence circuit",
    "dead letters": "cadence dead",
    "last failures": "cadence history",
    "next due": "cadence next",
}


def draw(out: Output, seen: Overview, now: float) -> None:
    """Draw it all, on one screen."""
    out.screen(lambda most: _draw(out, seen, now, most), _SIZES)


def _draw(out: Output, seen: Overview, now: float, most: int) -> None:
    facts, verdict = seen
    out.line(Painted(verdict.health, COLOURS[verdict.health]), f"  {facts.home.root}")
    told = _complaints(out, verdict, max(most, _WORST))
    if out.terminal:
        out.line("")
    out.facts(consumer(facts, now) + _arriving(facts))
    some = max(most, 1)
    _section(out, some, "running", RUNNING + SAYS, facts.running, lambda run: running(run, now))
    _section(
        out, some, "queue", QUEUE, facts.queue, lambda row: waiting(row, now, told if out.terminal else "")
    )
    _ways_out(out, seen)
    holds, circuits = facts.holds, facts.circuits
    if out.terminal:
        # A person has read of them above: every circuit with its cure, most holds beside the queue.
        holds, circuits = _untold(seen), []
    _section(out, most, "held", HOLDS, holds, lambda hold: _hold(hold, now))
    _section(out, most, "circuits", CIRCUITS, circuits, lambda one: _circuit(one, now))
    if facts.dead.count and not most:
        _only_count(out, "dead letters", facts.dead.count)
    elif facts.dead.count:
        classes = ", ".join(f"{safe(klass)} {count}" for klass, count in facts.dead.classes.items())
        out.heading("dead letters")
        read = sum(facts.dead.classes.values())
        of_them = f", of the newest {read}" if read < facts.dead.count else ""
        out.line(Painted(f"{facts.dead.count}", "red"), f"{of_them}: {classes}   (cadence dead)")
    _section(out, most, "last failures", FAILURES, facts.failures, lambda run: _failure(run, now))
    _section(out, most, "next due", DUE, facts.next_due, lambda one: due(one, now))


def _untold(seen: Overview) -> list[Hold]:
    """The holds of which it was not said already why they hold, and until when."""
    said = {one.what.partition(": ")[0].partition(" until ")[0] for one in seen.verdict.complaints}
    beside = {(row.wait.reason, row.wait.detail) for row in seen.facts.queue if row.ready and row.wait}
    return [
        hold
        for hold in seen.facts.holds
        if hold.reason != "paused"
        and f"{hold.scope} is held by {hold.reason}" not in said
        and (hold.reason, hold.detail) not in beside
    ]


def points(verdict: Verdict, sign: str) -> list[tuple[str, str, Complaint]]:
    """What is wrong, with its colour and sign, then what else one should know, each in its own."""
    colour = COLOURS[verdict.health].split()[1]
    ill = [(colour, sign, one) for one in verdict.complaints]
    return ill + [("yellow", "!", one) for one in verdict.notes]


def _complaints(out: Output, verdict: Verdict, most: int) -> str:
    """What is wrong and what to type; all that was told."""
    told = points(verdict, _SIGNS[verdict.health])
    for colour, sign, one in told[:most]:
        what, do = safe(one.what), safe(one.do)
        if not out.terminal:
            out.line(f"  {what}" + (f": {do}" if do else ""))
        else:
            out.point(Painted(f"  {sign} ", colour), Painted(what, colour))
            if do:
                out.point(Painted("    → ", "dim"), Painted(do.replace("`", ""), "bold"))
    # What a small terminal leaves out of this is not to be guessed.
    _count_rest(out, len(told) - most, "  ", ": cadence status | less" if most < MOST else "")
    return "\n".join(one.what for _, _, one in told[:most])


def _count_rest(out: Output, rest: int, indent: str = "", cure: str = "") -> None:
    if rest > 0:
        out.line(Painted(f"{indent}and {rest} more{cure}", "dim"))


def consumer(facts: Facts, now: float) -> list[tuple[str, Cell]]:
    """Who consumes since when, and how much of the room is taken."""
    said = facts.consumer
    if not said.alive:
        return [("consumer", Painted("none", "yellow"))]
    words = f"pid {said.pid or '?'}"
    if said.started_at is not None:
        since = human_time.clock(said.started_at, now)
        words += f" since {since} ({human_time.ago(now - said.started_at)})"
    if said.silent_seconds is not None:
        words += f", heard {human_time.ago(said.silent_seconds)} ago"
    rows: list[tuple[str, Cell]] = [("consumer", words)]
    other = health.other_version(said)
    if other is not None:
        mine = f"{safe(other)}, of another version than this command: `cadence restart`, sessions go on"
        rows.append(("version", Painted(mine, "yellow")))
    elif said.version:
        rows.append(("version", safe(said.version)))
    taken, slots = sum(run.alive for run in facts.running), facts.slots
    drains = "" if slots else ": draining, nothing starts"
    rows.append(("slots", f"{taken} of {slots} taken{drains}"))
    return rows


def _arriving(facts: Facts) -> list[tuple[str, Cell]]:
    """What was moved in, and not yet looked at."""
    count = facts.arriving
    told = f"{count} {'file' if count == 1 else 'files'} in state/inbox/ that no consumer has looked at"
    return [("arriving", told)] if count else []


def _section(
    out: Output,
    most: int,
    title: str,
    columns: Sequence[Column],
    entries: Sequence[T],
    row: Callable[[T], list[Cell]],
) -> None:
    if entries and not most:
        _only_count(out, title, len(entries))
    elif entries:
        out.heading(title)
        out.table(columns, map(row, entries[:most]))
        _count_rest(out, len(entries) - most)


def _only_count(out: Output, title: str, count: int) -> None:
    out.line(Painted(f"{title}: {count} ({_LISTED_BY[title]})", "dim"))


def running(run: Run, now: float) -> list[Cell]:
    """A run: whose, for how long, how long it may, what it said last."""
    took = "?" if run.seconds is None else spell_duration(max(0.0, run.seconds))
    state: Cell = took
    if run.unkillable:
        state = Painted(f"{took}, unkillable: {', '.join(map(str, run.unkillable))}", "red")
    elif not run.alive:
        state = Painted(f"{took}, ended", "yellow")
    return [
        run.cadence,
        run.tick.rpartition("-")[2],
        state,
        "" if run.deadline_at is None else spell_duration(max(0.0, round(run.deadline_at - now))),
        safe(run.runner),
        Painted(safe(run.says), "dim"),
    ]


def _ways_out(out: Output, seen: Overview) -> None:
    """For each reason in the queue, once: what to type for whoever can't wait."""
    ways: dict[str, list[str]] = {}
    noted = {one.do for one in seen.verdict.notes}
    for row in seen.facts.queue if out.terminal else ():
        if row.wait and row.way_out and row.way_out not in noted:
            ways.setdefault(row.wait.reason, []).append(row.cadence)
    for reason, names in ways.items():
        way = reasons.cure(reason, names[0] if len(names) == 1 else "NAME").replace("`", "")
        out.point(Painted("→ ", "dim"), Painted(f"{reason}: {way}", "dim"))


def waiting(row: Queue, now: float, told: str = "") -> list[Cell]:
    """A cadence's queue: how much, since when, why it waits until when; what was `told` is not told again."""
    wait = row.wait
    if wait and wait.detail and wait.detail in told:
        wait = replace(wait, detail="")
    why = reasons.spell(wait if row.ready else Wait("not due", until=row.due_at), now)
    return [
        row.cadence,
        str(row.ready),
        str(row.deferred),
        "" if row.oldest_at is None else human_time.ago(now - row.oldest_at),
        Painted(safe(why), "yellow") if wait else safe(why),
    ]


def _hold(hold: Hold, now: float) -> list[Cell]:
    until = _until(hold.until, now) or how_to_release.without_a_time(hold)
    return [hold.scope, Painted(hold.reason, "yellow"), until, safe(hold.detail)]


def _circuit(one: Circuit, now: float) -> list[Cell]:
    end = _until(one.until, now) if one.is_open else "one probe succeeds"
    return [one.cadence, Painted(one.state, "red"), end, str(one.failures), safe(one.reason)]


def _until(at: float | None, now: float) -> str:
    if at is None:
        return ""
    return human_time.ahead(at, now) if at > now else "now"


def _failure(run: EndedRun, now: float) -> list[Cell]:
    cadence, tick, klass, reason = (safe(run.line.get(key)) for key in ("cadence", "tick", "class", "reason"))
    return [human_time.clock(run.at, now), cadence, tick.rpartition("-")[2], Painted(klass, "yellow"), reason]


def due(one: Upcoming, now: float) -> list[Cell]:
    """What comes next, when, and by whose hand."""
    left = "now" if one.at <= now else human_time.ago(one.at - now)
    return [human_time.clock(one.at, now), left, one.cadence, one.by]


def headline(seen: Overview) -> str:
    """A home in a line or two: how it is, and the first thing to type."""
    facts, verdict = seen
    lines = [f"{facts.home.root}: {verdict.health}"]
    for one in verdict.complaints[:1]:
        lines = [f"{lines[0]}, {safe(one.what)}", f"  → {safe(one.do).replace('`', '')}"]
    return "\n".join([*lines, "All of it: `cadence status`."])
