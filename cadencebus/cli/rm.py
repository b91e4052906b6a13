"""`cadence rm`: cancel waiting ticks."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from cadencebus.desk import waiting_tick
from cadencebus.desk.lookup import WAITING, find_each, listing
from cadencebus.desk.options import Parser, a_text, a_word
from cadencebus.desk.output import Output
from cadencebus.desk.tick_size import spool_of
from cadencebus.errors import NoSuch, Usage

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.desk.lookup import Found
    from cadencebus.errors import BadData
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence rm 7f3k9q2m
  cadence rm 7f3k --reason "superseded by the evening run"
  cadence rm --cadence brief       all that waits for it"""

_AT_ONCE = 100
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
    cancelled: list[Found] = []
    refused: list[NoSuch | BadData] = []
    for several in _batches(context.home, asked):
        ended, why_not = waiting_tick.cancel(spool, several, asked.reason)
        cancelled += ended
        refused += why_not
        for found in ended:
            if out.json:
                out.line_of_json({"id": found.name.id, "status": waiting_tick.CANCELLED})
            else:
                out.line(f"{found.name.id} cancelled")
    if cancelled and len(cancelled) <= _UNDONE:
        out.hint(f"undo: cadence dead retry {' '.join(found.name.random for found in cancelled)}")
    for why in refused:
        # One that was taken while the others were cancelled waits no more.
        if asked.tick or not isinstance(why, NoSuch):
            raise why
    if not cancelled:
        out.hint(f"nothing waits for {asked.cadence}")
    return 0


def _batches(home: Home, asked: Namespace) -> Iterator[list[Found]]:
    """What is to be cancelled, some at a time: whoever claims waits until these are."""
    if asked.tick:
        yield find_each(home, asked.tick, waiting=True)
        return
    # Looked for twice, for what is put off may become due meanwhile.
    for _ in range(2):
        waiting = listing(home, WAITING, asked.cadence)
        while several := list(islice(waiting, _AT_ONCE)):
            yield several
