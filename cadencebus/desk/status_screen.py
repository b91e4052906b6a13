"""The screen of `cadence status`: what is wrong and what to type first, then who works, waits and failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.desk import health, human_time, reasons, release
from cadencebus.desk.columns import Column
from cadencebus.desk.output import Cell, Painted, safe
from cadencebus.model.duration import spell_duration
from cadencebus.policy.admit import Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cadencebus.desk.output import Output

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
# Above so many the rest is counted, in a pipe as well: `watch` is one, and a program asks for --json.
MOST = 20


def draw(out: Output, facts: dict[str, Any], now: float) -> None:
    """Draw it all."""
    out.line(Painted(facts["health"], COLOURS[facts["health"]]), f"  {facts['home']}")
    told = _complaints(out, facts)
    if out.terminal:
        out.line("")
    out.facts(consumer(facts, now) + _arriving(facts))
    _section(out, "running", RUNNING + SAYS, facts["running"], lambda row: running(row, now))
    _section(out, "queue", QUEUE, facts["queue"], lambda row: waiting(row, now, told if out.terminal else ""))
    _ways_out(out, facts)
    holds, circuits = facts["holds"], facts["circuits"]
    if out.terminal:
        # A person has read of them above: every circuit with its cure, most holds beside the queue.
        holds, circuits = _untold(facts), []
    _section(out, "held", HOLDS, holds, lambda row: _hold(row, now))
    _section(out, "circuits", CIRCUITS, circuits, lambda row: _circuit(row, now))
    dead = facts["dead"]
    if dead["count"]:
        classes = ", ".join(f"{safe(klass)} {count}" for klass, count in dead["classes"].items())
        out.heading("dead letters")
        out.line(Painted(f"{dead['count']}", "red"), f": {classes}   (cadence dead)")
    _section(out, "last failures", FAILURES, facts["failures"], lambda row: _failure(row, now))
    _section(out, "next due", DUE, facts["next_due"], lambda row: due(row, now))


def _untold(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The holds of which it was not said already why they hold, and until when."""
    said = {cure["what"].partition(": ")[0].partition(" until ")[0] for cure in facts["cures"]}
    beside = {
        (row["wait"]["reason"], row["wait"]["detail"])
        for row in facts["queue"]
        if row["ready"] and row["wait"]
    }
    return [
        hold
        for hold in facts["holds"]
        if hold["reason"] != "paused"
        and f"{hold['scope']} is held by {hold['reason']}" not in said
        and (hold["reason"], hold["detail"]) not in beside
    ]


def _complaints(out: Output, facts: dict[str, Any]) -> str:
    """What is wrong and what to type; all that was told."""
    colour, sign = COLOURS[facts["health"]].split()[1], _SIGNS[facts["health"]]
    points = [(colour, sign, one) for one in facts["cures"]]
    points += [("yellow", "!", one) for one in facts["notes"]]
    for colour, sign, one in points[:MOST]:
        what, do = safe(one["what"]), one["do"].replace("`", "")
        if not out.terminal:
            out.line(f"  {safe(what)}" + (f": {safe(one['do'])}" if one["do"] else ""))
        else:
            out.point(Painted(f"  {sign} ", colour), Painted(what, colour))
            if do:
                out.point(Painted("    → ", "dim"), Painted(do, "bold"))
    _count_rest(out, len(points), "  ")
    return "\n".join(one["what"] for _, _, one in points[:MOST])


def _count_rest(out: Output, count: int, indent: str = "") -> None:
    if count > MOST:
        out.line(Painted(f"{indent}and {count - MOST} more", "dim"))


def consumer(facts: dict[str, Any], now: float) -> list[tuple[str, Cell]]:
    """Who consumes since when, and how much of the room is taken."""
    said = facts["consumer"]
    if said is None or not said["alive"]:
        return [("consumer", Painted("none", "yellow"))]
    since, silent = human_time.instant(said.get("started_at")), said.get("silent_seconds")
    words = f"pid {said.get('pid') or '?'}"
    if since is not None:
        words += f" since {human_time.clock(since, now)} ({human_time.ago(now - since)})"
    if silent is not None:
        words += f", heard {human_time.ago(silent)} ago"
    rows: list[tuple[str, Cell]] = [("consumer", words)]
    other = health.other_version(facts)
    if other is not None:
        mine = f"{safe(other)}, of another version than this command: `cadence restart`, sessions go on"
        rows.append(("version", Painted(mine, "yellow")))
    elif said.get("version"):
        rows.append(("version", safe(said["version"])))
    taken, slots = sum(1 for run in facts["running"] if run["alive"]), facts["slots"]
    drains = "" if slots else ": draining, nothing starts"
    rows.append(("slots", f"{taken} of {slots} taken{drains}"))
    return rows


def _arriving(facts: dict[str, Any]) -> list[tuple[str, Cell]]:
    """What was moved in, and not yet looked at."""
    count = facts["arriving"]
    told = f"{count} {'file' if count == 1 else 'files'} in state/inbox/ that no consumer has looked at"
    return [("arriving", told)] if count else []


def _section(
    out: Output,
    title: str,
    columns: Sequence[Column],
    entries: Sequence[dict[str, Any]],
    row: Callable[[dict[str, Any]], list[Cell]],
) -> None:
    if entries:
        out.heading(title)
        out.table(columns, map(row, entries[:MOST]))
        _count_rest(out, len(entries))


def running(row: dict[str, Any], now: float) -> list[Cell]:
    """A run: whose, for how long, how long it may, what it said last."""
    took = "?" if row["seconds"] is None else spell_duration(max(0.0, row["seconds"]))
    until = human_time.instant(row["deadline_at"])
    state: Cell = took
    if row["unkillable"]:
        state = Painted(f"{took}, unkillable: {', '.join(map(str, row['unkillable']))}", "red")
    elif not row["alive"]:
        state = Painted(f"{took}, not alive", "yellow")
    return [
        row["cadence"],
        row["tick"].rpartition("-")[2],
        state,
        "" if until is None else spell_duration(max(0.0, round(until - now))),
        safe(row["runner"]),
        Painted(safe(row["says"]), "dim"),
    ]


def _ways_out(out: Output, facts: dict[str, Any]) -> None:
    """For each reason in the queue, once: what to type for whoever can't wait."""
    ways: dict[str, list[str]] = {}
    noted = {one["do"] for one in facts["notes"]}
    for row in facts["queue"] if out.terminal else ():
        wait = row["wait"]
        if wait and wait["do"] and wait["do"] not in noted:
            ways.setdefault(wait["reason"], []).append(row["cadence"])
    for reason, names in ways.items():
        way = reasons.cure(reason, names[0] if len(names) == 1 else "NAME").replace("`", "")
        out.point(Painted("→ ", "dim"), Painted(f"{reason}: {way}", "dim"))


def waiting(row: dict[str, Any], now: float, told: str = "") -> list[Cell]:
    """A cadence's queue: how much, since when, why it waits until when; what was `told` is not told again."""
    oldest, due = human_time.instant(row["oldest_at"]), human_time.instant(row["due_at"])
    wait = row["wait"] and Wait(
        row["wait"]["reason"], row["wait"]["detail"], human_time.instant(row["wait"]["until"])
    )
    if wait and wait.detail and wait.detail in told:
        wait = Wait(wait.reason, "", wait.until)
    why = reasons.spell(wait if row["ready"] else Wait("not due", until=due), now)
    return [
        row["cadence"],
        str(row["ready"]),
        str(row["deferred"]),
        "" if oldest is None else human_time.ago(now - oldest),
        Painted(safe(why), "yellow") if wait else safe(why),
    ]


def _hold(row: dict[str, Any], now: float) -> list[Cell]:
    until = _until(row, now, "by itself" if row["reason"] in release.BY_ITSELF else "until released")
    return [row["scope"], Painted(row["reason"], "yellow"), until, safe(row["detail"])]


def _circuit(row: dict[str, Any], now: float) -> list[Cell]:
    end = _until(row, now, "?") if row["state"] == "open" else "one probe succeeds"
    return [row["cadence"], Painted(row["state"], "red"), end, safe(row["failures"]), safe(row["reason"])]


def _until(row: dict[str, Any], now: float, otherwise: str) -> str:
    until = human_time.instant(row["until"])
    if until is None:
        return otherwise
    return f"{human_time.clock(until, now)} (in {human_time.ago(until - now)})" if until > now else "now"


def _failure(row: dict[str, Any], now: float) -> list[Cell]:
    at = human_time.instant(row.get("at"))
    return [
        "?" if at is None else human_time.clock(at, now),
        safe(row.get("cadence")),
        safe(row.get("tick")).rpartition("-")[2],
        Painted(safe(row.get("class")), "yellow"),
        safe(row.get("reason")),
    ]


def due(row: dict[str, Any], now: float) -> list[Cell]:
    """What comes next, when, and by whose hand."""
    at = human_time.instant(row["at"]) or now
    left = "now" if at <= now else human_time.ago(at - now)
    return [human_time.clock(at, now), left, row["cadence"], row["by"]]


def headline(facts: dict[str, Any]) -> str:
    """A home in a line or two: how it is, and the first thing to type."""
    lines = [f"{facts['home']}: {facts['health']}"]
    for one in facts["cures"][:1]:
        lines = [f"{lines[0]}, {safe(one['what'])}", f"  → {safe(one['do']).replace('`', '')}"]
    return "\n".join([*lines, "All of it: `cadence status`."])
