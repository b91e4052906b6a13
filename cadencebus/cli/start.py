"""`cadence start`: let go on what `cadence stop` stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.desk.journaling import tell
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.model.hold import OPERATOR
from cadencebus.store import files, lock

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence stop
  cadence start"""


def main(words: list[str], context: Context) -> int:
    """Remove state/STOP; holds stay as they are."""
    Parser("start", "Lift the emergency stop.", EXAMPLES).parse_args(words)
    home, out = context.home, Output(context)
    try:
        os.unlink(home.stop)
    except FileNotFoundError:
        stopped = False
    else:
        stopped = True
        files.sync_folder(home.state)
        tell(home, {"event": "stop.released", "by": OPERATOR})
    if out.json:
        out.document({"stop": False, "was_stopped": stopped})
        return 0
    out.line("the stop is lifted" if stopped else "it was not stopped")
    if not lock.is_held(home):
        out.hint("no consumer is up: cadence up")
    return 0
