"""`cadence history`: the runs that ended, newest last."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import ended_runs, human_time
from cadencebus.desk.columns import Column, last_part
from cadencebus.desk.nearest import why_none
from cadencebus.desk.options import Parser, a_count, a_duration, a_word
from cadencebus.desk.output import Cell, Output, Painted, painted, safe
from cadencebus.model.duration import spell_duration

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable

    from cadencebus.desk.context import Context

EXAMPLES = """  cadence history
  cadence history --cadence brief --since 30d
  cadence history --json | jq 'select(.class != "ok")'"""
COLUMNS = (
    Column("ENDED"),
    Column("CADENCE", least=12),
    Column("CLASS"),
    Column("TOOK", right=True, goes=3),
    Column("WAITED", right=True, goes=2),
    Column("USD", right=True, goes=1),
    Column("TICK", brief=last_part),
    Column("REASON", wide=True),
)
_SINCE = 7 * 86400.0
# What a terminal shows unless told otherwise; a pipe gets all.
_SHOWN = 40


def main(words: list[str], context: Context) -> int:
    """List runs; --json gives the journal's own lines."""
    parser = Parser("history", "Runs that ended, newest last, from the journal.", EXAMPLES)
    parser.add_argument("--cadence", type=a_word, metavar="C", help="only this cadence")
    parser.add_argument("--since", type=a_duration, default=_SINCE, metavar="D", help="since when (7d)")
    parser.add_argument(
        "-n", "--limit", type=a_count, metavar="N", help=f"the newest N (default: {_SHOWN} on a terminal)"
    )
    asked = parser.parse_args(words)
    out, now = Output(context), time.time()
    found, more = _found(asked, context, now, _SHOWN if out.terminal else None)
    if out.json:
        for told in found:
            out.line_of_json(told.line | {"waited": told.waited})
    elif not out.table(COLUMNS, (_row(told, now) for told in found)):
        out.hint(f"no runs{why_none(context.home, asked.cadence)}")
    elif more:
        out.hint(f"the newest {_SHOWN}: --limit N shows more")
    return 0


def _found(
    asked: Namespace, context: Context, now: float, shown: int | None
) -> tuple[Iterable[ended_runs.EndedRun], bool]:
    """The runs that are asked for; and whether there are more than are shown unasked."""
    since = now - asked.since
    if asked.limit is not None:
        return ended_runs.newest(context.home, since, asked.cadence, asked.limit), False
    if shown is None:
        return ended_runs.runs(context.home, since, asked.cadence), False
    newest = ended_runs.newest(context.home, since, asked.cadence, shown + 1)
    return newest[-shown:], len(newest) > shown


def _row(told: ended_runs.EndedRun, now: float) -> list[Cell]:
    well = told.klass == "ok"
    return [
        human_time.clock(told.at, now),
        safe(told.cadence),
        painted("ok") if well else Painted(safe(told.klass), "yellow"),
        spell_duration(told.seconds),
        "" if told.waited is None else spell_duration(told.waited),
        "" if told.usd is None else f"{told.usd:.4f}",
        safe(told.line.get("tick")),
        "" if well else safe(told.line.get("reason")),
    ]
