"""`cadence ls`: ticks as a table."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.cli import output
from cadencebus.cli.finding import FOLDERS, Found, listing
from cadencebus.cli.options import Parser
from cadencebus.clock import parse_rfc3339, parse_stamp
from cadencebus.store.corrupt import load_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.cli.context import Context

_SHOWN = 40


def main(words: list[str], context: Context) -> int:
    """List ticks, the newest of what has ended last."""
    parser = Parser(
        "ls",
        "Ticks as a table.",
        "  cadence ls\n  cadence ls dead --cadence brief\n  cadence --json ls inbox | jq .id",
    )
    parser.add_argument("folder", nargs="?", choices=FOLDERS, help="only this folder")
    parser.add_argument("--cadence", help="only this cadence")
    parser.add_argument(
        "--limit", type=int, default=_SHOWN, help=f"rows per folder on a terminal (default {_SHOWN})"
    )
    asked = parser.parse_args(words)
    states = (asked.folder,) if asked.folder else FOLDERS
    found = [f for f in listing(context.home, states) if asked.cadence in {None, f.name.cadence}]
    if context.json:
        for tick in found:
            members = _members(context, tick)
            sys.stdout.write(
                json.dumps({"state": tick.state, "file": f"{tick.folder}/{tick.file}", **members}) + "\n"
            )
        return 0
    if not found:
        output.hint("no ticks" + (f" in {asked.folder}" if asked.folder else ""), quiet=context.quiet)
        return 0
    rows = list(_rows(context, found, asked.limit))
    output.table(("STATE", "CADENCE", "P", "ID", "AGE", "TRIES", "OUTCOME"), rows)
    return 0


def _rows(context: Context, found: list[Found], limit: int) -> Iterator[tuple[object, ...]]:
    now = time.time()
    by_state: dict[str, list[Found]] = {}
    for tick in found:
        by_state.setdefault(tick.state, []).append(tick)
    for state, ticks in by_state.items():
        # What waits is shown from its head, what has ended from its tail.
        shown = ticks[:limit] if state in {"inbox", "deferred", "claimed"} else ticks[-limit:]
        for tick in shown:
            members = _members(context, tick)
            outcome = members.get("outcome") or {}
            tries = len(members.get("attempts", []))
            said = (
                outcome.get("reason")
                if outcome.get("status") not in {None, "ok"}
                else outcome.get("status", "")
            )
            word = (
                f"{outcome['status']}: {said}" if outcome.get("status") not in {None, "ok", "dead"} else said
            )
            if state == "deferred":
                word = f"due in {output.ago(parse_stamp(tick.file[:23]) - now)}"
            yield (
                state,
                tick.name.cadence,
                tick.name.priority,
                tick.name.id,
                output.ago(_age(members, tick, now)),
                tries,
                word,
            )
        if len(ticks) > len(shown):
            yield state, f"… and {len(ticks) - len(shown)} more", "", "", "", "", ""


def _age(members: dict[str, Any], tick: Found, now: float) -> float:
    try:
        return now - parse_rfc3339(members["created_at"])
    except (KeyError, ValueError, TypeError):
        return now - parse_stamp(tick.name.stamp)


def _members(context: Context, tick: Found) -> dict[str, Any]:
    try:
        return load_object(f"{context.home.state}/{tick.folder}/{tick.file}")
    except (OSError, ValueError):
        return {"id": tick.name.id, "cadence": tick.name.cadence}
