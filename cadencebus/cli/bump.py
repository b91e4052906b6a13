"""`cadence bump`: move waiting ticks to the front."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from cadencebus.cli.finding import WAITING, find
from cadencebus.cli.options import Parser
from cadencebus.errors import TryLater
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from cadencebus.cli.context import Context


def main(words: list[str], context: Context) -> int:
    """Give waiting ticks priority 0; one that waits for its time is ready at once."""
    parser = Parser(
        "bump", "Move waiting ticks to the front: priority 0, and due now.", "  cadence bump 7f3k9q2m"
    )
    parser.add_argument("tick", nargs="+", help="ids, or unique parts of them")
    asked = parser.parse_args(words)
    spool = Spool(context.home)
    for found in [find(context.home, part, WAITING) for part in asked.tick]:
        file = found.file
        if found.state == "deferred":
            tick = spool.read("deferred", file)
            spool.rewrite("deferred", file, tick.due_now())
            with spool.moving():
                ready = spool.promote([file])
            file = ready[0] if ready else file
        target = found.name.at(0).file
        if file != target and not spool.rename("inbox", file, target):
            raise TryLater(f"{found.name.id} is not waiting any more: the consumer was faster")
        sys.stdout.write(f"{found.name.id} is first\n")
    return 0
