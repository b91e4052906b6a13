"""`cadence cadences`: what exists, how it runs, how it fares."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cadencebus.clock import spelled
from cadencebus.desk import human_time, reasons
from cadencebus.desk.columns import Column
from cadencebus.desk.forecast import schedule_of
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Cell, Output, Painted, painted, safe
from cadencebus.errors import CadenceError
from cadencebus.model.foreign import instant, mapping
from cadencebus.policy import schedule_words
from cadencebus.policy.admit import Wait

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence cadences
  cadence cadences --json | jq -r '.[] | select(.state != "well") | .name'"""
COLUMNS = (
    Column("NAME", least=14),
    Column("STATE"),
    Column("RUNNER", goes=2),
    Column("WAITS", right=True),
    Column("LAST"),
    Column("NEXT"),
    Column("WHEN", wide=True),
    Column("DESCRIPTION", wide=True, goes=1),
)


def main(words: list[str], context: Context) -> int:
    """List every cadence, and below the table what is wrong with some."""
    Parser(
        "cadences", "What exists: health, runner, last run, next firing, schedule in words.", EXAMPLES
    ).parse_args(words)
    out, now = Output(context), time.time()
    snapshot = reasons.Reasons(context.home, now)
    rows = [_about(snapshot, name) for name in snapshot.prompts.names()]
    if out.json:
        out.document(rows)
        return 0
    if not rows:
        out.hint(f"no cadences: write {context.home.prompts}/NAME.md")
        return 0
    out.table(COLUMNS, [_row(row, now) for row in rows])
    for row in rows:
        if row["why"]:
            out.hint(f"{row['name']}: {row['why']}")
    return 0


def _about(snapshot: reasons.Reasons, name: str) -> dict[str, Any]:
    memory = snapshot.memory.load(name, snapshot.now, mend=False)
    last = mapping(memory.get("last_run"))
    row: dict[str, Any] = {
        "name": name,
        "state": "well",
        "runner": None,
        "waiting": snapshot.counts[name],
        "running": snapshot.running[name],
        "last_run": last or None,
        "last_ok_at": memory.get("last_ok_at"),
        "failures": memory.get("failures") or 0,
        "when": None,
        "next_at": None,
        "by": None,
        "description": "",
        "why": "",
    }
    row |= _due(snapshot, name)
    try:
        cadence = snapshot.prompts.load(name)
    except (CadenceError, OSError) as error:
        return row | {"state": "broken", "why": str(error)}
    row |= {"runner": cadence.runner, "description": cadence.description}
    if not cadence.enabled:
        return row | {"state": "disabled"}
    held = next(iter(snapshot.holds_on(name)), None)
    if held is not None:
        wait = Wait(held.reason, held.detail, held.until)
        return row | {"state": "held", "why": reasons.spell(wait, snapshot.now)}
    if snapshot.running[name]:
        return row | {"state": "running"}
    return row | {"state": "failing"} if row["failures"] else row


def _due(snapshot: reasons.Reasons, name: str) -> dict[str, Any]:
    """Its schedule in words, when it fires next and by whom; nothing where somebody else enqueues it."""
    schedule = schedule_of(snapshot, name)
    if schedule is None:
        return {}
    next_at = schedule.next_at(snapshot.now)
    return {
        "when": schedule_words.describe(schedule.timetable)
        + (" (until its file is fixed)" if schedule.kept else ""),
        "next_at": spelled(next_at),
        "by": schedule.by,
    }


def _row(row: dict[str, Any], now: float) -> list[Cell]:
    last = mapping(row["last_run"])
    at = instant(last.get("at"))
    klass = safe(last.get("class"))
    said = f"{klass} {human_time.ago(now - at)} ago" if at is not None else ""
    return [
        row["name"],
        painted(row["state"]) if row["state"] != "failing" else Painted("failing", "red"),
        row["runner"] or "",
        str(row["waiting"]),
        said if klass in {"", "ok"} else Painted(said, "yellow"),
        _next(row, now),
        row["when"] or "",
        safe(row["description"]),
    ]


def _next(row: dict[str, Any], now: float) -> str:
    at = instant(row["next_at"])
    if at is None:
        return "never again" if row["when"] else ""
    return f"in {human_time.ago(at - now)}"
