"""`cadence rm`: cancel waiting ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk import waiting_tick
from cadencebus.desk.lookup import WAITING, find_each, listing
from cadencebus.desk.options import Parser, a_text, a_word
from cadencebus.desk.output import Output
from cadencebus.desk.tick_size import spool_of
from cadencebus.errors import Usage

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence rm 7f3k9q2m
  cadence rm 7f3k --reason "superseded by the evening run"
  cadence rm --cadence brief       all that waits for it"""

# Of more than these nobody types the ids again.
_UNDONE = 20


def main(words: list[str], context: Context) -> int:
    """Finish waiting ticks as `cancelled`; nothing is cancelled where one of them can't be found."""
    parser = Parser("rm", "Cancel waiting ticks; they lie in done/ as `cancelled`.", EXAMPLES)
    parser.add_argument("tick", nargs="*", help="ids, or unique parts of them")
    parser.add_argument("--cadence", type=a_word, metavar="C", help="all that waits for this cadence")
    parser.add_argument("--reason", type=a_text, default="cancelled by rm", help="why; `show` shows it")
    asked = parser.parse_args(words)
    if bool(asked.tick) == bool(asked.cadence):
        raise Usage("rm: ids, or --cadence", next_step="cadence ls inbox")
    spool, out = spool_of(context.home), Output(context)
    found_all = find_each(context.home, asked.tick, waiting=True)
    if asked.cadence:
        found_all = list(listing(context.home, WAITING, asked.cadence))
        if not found_all:
            out.hint(f"nothing waits for {asked.cadence}")
    for found in found_all:
        waiting_tick.cancel(spool, found, asked.reason)
        if out.json:
            out.line_of_json({"id": found.name.id, "status": waiting_tick.CANCELLED})
        else:
            out.line(f"{found.name.id} cancelled")
    if 0 < len(found_all) <= _UNDONE:
        out.hint(f"undo: cadence dead retry {' '.join(found.name.random for found in found_all)}")
    return 0
