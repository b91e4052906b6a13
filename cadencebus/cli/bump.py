"""`cadence bump`: move waiting ticks to the front."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cadencebus.desk import waiting_tick
from cadencebus.desk.lookup import find_each
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.desk.tick_size import spool_of

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.model.tick import Tick

EXAMPLES = """  cadence bump 7f3k9q2m
  cadence bump 7f3k && cadence wait 7f3k"""


def main(words: list[str], context: Context) -> int:
    """Give waiting ticks priority 0, those that wait for their time too."""
    parser = Parser("bump", "Move waiting ticks to the front: priority 0, and due now.", EXAMPLES)
    parser.add_argument("tick", nargs="+", help="ids, or unique parts of them")
    asked = parser.parse_args(words)
    spool, out = spool_of(context.home), Output(context)
    for found in find_each(context.home, asked.tick, waiting=True):
        waiting_tick.change(spool, found, _first)
        if out.json:
            out.line_of_json({"id": found.name.id, "priority": 0})
        else:
            out.line(f"{found.name.id} is at the front")
    return 0


def _first(tick: Tick) -> Tick:
    return replace(tick.due_now(), priority=0)
