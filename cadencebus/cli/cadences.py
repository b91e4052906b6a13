"""`cadence cadences`: what exists, how it runs, how it fares."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cadencebus.cli import clockface, reasons
from cadencebus.cli.options import Parser
from cadencebus.cli.output import Cell, Column, Output, Painted, painted, safe
from cadencebus.errors import CadenceError
from cadencebus.model.foreign import mapping
from cadencebus.policy import spoken
from cadencebus.policy.admit import Wait
from cadencebus.policy.timetable import timetable_of

if TYPE_CHECKING:
    from cadencebus.cli.context import Context
    from cadencebus.model.cadence import Cadence

EXAMPLES = """  cadence cadences
  cadence cadences --json | jq -r '.[] | select(.state != "well") | .name'"""
COLUMNS = (
    Column("NAME"),
    Column("STATE"),
    Column("RUNNER"),
    Column("WAITS", right=True),
    Column("LAST"),
    Column("WHEN", wide=True),
    Column("DESCRIPTION", wide=True),
)


def main(words: list[str], context: Context) -> int:
    """List every cadence; what ails one is told below the table."""
    Parser("cadences", "What exists: state, runner, schedule, last run.", EXAMPLES).parse_args(words)
    out, now = Output(context), time.time()
    scene = reasons.Reasons(context.home, now)
    rows = [_about(scene, name) for name in scene.prompts.names()]
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


def _about(scene: reasons.Reasons, name: str) -> dict[str, Any]:
    memory = scene.memory.load(name, scene.now, mend=False)
    last = mapping(memory.get("last_run"))
    row: dict[str, Any] = {
        "name": name,
        "state": "well",
        "runner": None,
        "waiting": scene.counts[name],
        "running": scene.running[name],
        "last_run": last or None,
        "last_ok_at": memory.get("last_ok_at"),
        "failures": memory.get("failures") or 0,
        "when": None,
        "description": "",
        "why": "",
    }
    try:
        cadence = scene.prompts.load(name)
    except (CadenceError, OSError) as error:
        return row | {"state": "broken", "why": str(error)}
    row |= {"runner": cadence.runner, "description": cadence.description, "when": _when(cadence)}
    if not cadence.enabled:
        return row | {"state": "disabled"}
    held = next((hold for hold in scene.holds if hold.scope == f"cadence-{name}"), None)
    if held is not None:
        wait = Wait(held.reason, held.detail, held.until)
        return row | {"state": "held", "why": reasons.spell(wait, scene.now)}
    if scene.running[name]:
        return row | {"state": "running"}
    return row | {"state": "failing"} if row["failures"] else row


def _when(cadence: Cadence) -> str | None:
    """Its schedule in words; None where somebody else enqueues it."""
    try:
        timetable = timetable_of(cadence)
    except ValueError:
        return None
    return None if timetable is None else spoken.describe(timetable)


def _row(row: dict[str, Any], now: float) -> list[Cell]:
    last = mapping(row["last_run"])
    at = clockface.instant(last.get("at"))
    klass = safe(last.get("class"))
    said = f"{klass} {clockface.ago(now - at)} ago" if at is not None else ""
    return [
        row["name"],
        painted(row["state"]) if row["state"] != "failing" else Painted("failing", "red"),
        row["runner"] or "",
        str(row["waiting"]),
        said if klass in {"", "ok"} else Painted(said, "yellow"),
        row["when"] or "",
        safe(row["description"]),
    ]
