"""`cadence holds`: every reason not to start something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import holding, human_time
from cadencebus.desk.columns import Column
from cadencebus.desk.how_to_release import without_a_time
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Cell, Output, Painted

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.model.hold import Hold

EXAMPLES = """  cadence holds
  cadence holds --json | jq -r '.[] | select(.until == null) | .file'"""
COLUMNS = (
    Column("SCOPE", least=20),
    Column("REASON"),
    Column("SINCE", goes=2),
    Column("UNTIL"),
    Column("BY", goes=1),
    Column("DETAIL", folds=True),
)


def main(words: list[str], context: Context) -> int:
    """List the holds; deleting a file of holds/ is the same as releasing it."""
    Parser("holds", "Why things wait: every hold, since when, until when.", EXAMPLES).parse_args(words)
    now, out = time.time(), Output(context)
    found = holding.held(context.home, now)
    if out.json:
        out.document([holding.dump(hold, now) for hold in found])
        return 0
    rows = [_row(hold, now) for hold in found if not hold.over(now)]
    if rows:
        out.table(COLUMNS, rows)
        out.hint("release: cadence resume [NAME | --credentials C | --all]")
    else:
        out.hint("nothing is held")
    return 0


def _row(hold: Hold, now: float) -> list[Cell]:
    return [
        hold.scope,
        Painted(hold.reason, "yellow"),
        human_time.clock(hold.since, now),
        without_a_time(hold) if hold.until is None else human_time.clock(hold.until, now),
        hold.by,
        hold.detail,
    ]
