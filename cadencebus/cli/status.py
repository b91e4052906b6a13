"""`cadence status`: the whole bus on one screen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cadencebus.cli import clockface, health, reasons
from cadencebus.cli.options import Parser
from cadencebus.cli.output import Cell, Column, Output, Painted, safe
from cadencebus.cli.picture import picture
from cadencebus.model.duration import spell_duration
from cadencebus.policy.admit import Wait

if TYPE_CHECKING:
    from cadencebus.cli.context import Context

EXAMPLES = """  cadence status
  cadence status --check             for monitoring: silent and 0 when well, else 1 and the reasons
  cadence status --json | jq .queue"""
_COLOURS = {health.WELL: "bold green", health.ILL: "bold red", health.CANT_TELL: "bold yellow"}


def main(words: list[str], context: Context) -> int:
    """Show who works, what runs, what waits and why, what is held, what died."""
    parser = Parser("status", "One screen: consumer, slots, queue, holds, circuits, dead letters.", EXAMPLES)
    parser.add_argument("--check", action="store_true", help="exit 1 and the reasons unless all is well")
    asked = parser.parse_args(words)
    out, now = Output(context), time.time()
    facts = picture(context.home, now)
    code = 1 if asked.check and facts["health"] != health.WELL else 0
    if out.json:
        out.document(facts)
    elif asked.check:
        for line in facts["why"]:
            out.line(f"{facts['health']}: {safe(line)}")
    else:
        _screen(out, facts, now)
    return code


def _screen(out: Output, facts: dict[str, Any], now: float) -> None:
    out.line(Painted(facts["health"], _COLOURS[facts["health"]]), f"  {facts['home']}")
    for line in facts["why"]:
        out.line(Painted(f"  {safe(line)}", "red"))
    out.line(_consumer(facts, now))
    _section(
        out, "running", ("CADENCE", "TICK", "FOR", "RUNNER"), [_running(row) for row in facts["running"]]
    )
    waiting = [_waiting(row, now) for row in facts["queue"]]
    _section(out, "queue", ("CADENCE", "READY", "DEFERRED", "OLDEST", "WHY"), waiting)
    _section(out, "held", ("SCOPE", "REASON", "UNTIL", "DETAIL"), [_hold(row, now) for row in facts["holds"]])
    dead = facts["dead"]
    if dead["count"]:
        classes = ", ".join(f"{safe(klass)} {count}" for klass, count in dead["classes"].items())
        out.heading("dead letters")
        out.line(Painted(f"{dead['count']}", "red"), f": {classes}   (cadence dead)")
    failures = [_failure(row, now) for row in facts["failures"]]
    _section(out, "last failures", ("ENDED", "CADENCE", "CLASS", "REASON"), failures)
    if facts["next_due"]:
        at = clockface.instant(facts["next_due"]["at"]) or now
        out.heading("next due")
        out.line(f"{facts['next_due']['cadence']} {clockface.clock(at, now)} (in {clockface.ago(at - now)})")


def _section(out: Output, title: str, columns: tuple[str, ...], rows: list[list[Cell]]) -> None:
    if rows:
        out.heading(title)
        *others, last = columns
        right = {"READY", "DEFERRED"}
        heads = [Column(name, right=name in right) for name in others]
        out.table([*heads, Column(last, wide=True)], rows)


def _consumer(facts: dict[str, Any], now: float) -> Cell:
    consumer = facts["consumer"]
    if consumer is None or not consumer["alive"]:
        return Painted("no consumer", "yellow")
    since = clockface.instant(consumer.get("started_at"))
    taken = sum(1 for run in facts["running"] if run["alive"])
    return (
        f"consumer pid {consumer.get('pid')}"
        + (f" since {clockface.clock(since, now)}" if since else "")
        + (f", version {safe(consumer['version'])}" if consumer.get("version") else "")
        + f", {taken} of {facts['slots']} slots taken"
    )


def _running(row: dict[str, Any]) -> list[Cell]:
    took = "?" if row["seconds"] is None else spell_duration(max(0.0, row["seconds"]))
    left = ", ".join(map(str, row["unkillable"]))
    state = f"unkillable: {left}" if left else "not alive"
    return [
        row["cadence"],
        row["tick"],
        took if row["alive"] else Painted(f"{took}, {state}", "yellow"),
        safe(row["runner"]),
    ]


def _waiting(row: dict[str, Any], now: float) -> list[Cell]:
    oldest = clockface.instant(row["oldest_at"])
    wait = row["wait"] and Wait(
        row["wait"]["reason"], row["wait"]["detail"], clockface.instant(row["wait"]["until"])
    )
    why = reasons.spell(wait, now) if row["ready"] else "not due"
    return [
        row["cadence"],
        str(row["ready"]),
        str(row["deferred"]),
        "" if oldest is None else clockface.ago(now - oldest),
        Painted(why, "yellow") if wait else why,
    ]


def _hold(row: dict[str, Any], now: float) -> list[Cell]:
    until = clockface.instant(row["until"])
    end = "released" if until is None else clockface.clock(until, now)
    return [row["scope"], Painted(row["reason"], "yellow"), end, safe(row["detail"])]


def _failure(row: dict[str, Any], now: float) -> list[Cell]:
    at = clockface.instant(row.get("at"))
    return [
        "?" if at is None else clockface.clock(at, now),
        safe(row.get("cadence")),
        Painted(safe(row.get("class")), "yellow"),
        safe(row.get("reason")),
    ]
