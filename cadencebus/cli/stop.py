"""`cadence stop`: the emergency stop."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.desk import killing
from cadencebus.desk.journaling import tell
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import TryLater
from cadencebus.model.hold import OPERATOR
from cadencebus.store import files

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence stop           nothing new starts, not even forced; what runs goes on
  cadence stop --kill    what runs is ended, too; its ticks wait again
  cadence start          lets it go on"""


def main(words: list[str], context: Context) -> int:
    """Make state/STOP; with --kill end what runs as well."""
    parser = Parser("stop", "The emergency stop: claim and start nothing.", EXAMPLES)
    asked = killing.with_kill(parser).parse_args(words)
    home, out = context.home, Output(context)
    fresh = _make(home)
    ended, left = (
        killing.end_all(home, asked.timeout, detail="cadence stop --kill") if asked.kill else ([], [])
    )
    if out.json:
        out.document({"stop": True, "was_stopped": not fresh, "killed": ended, "alive": left})
    else:
        out.line("stopped: nothing new starts" + ("" if fresh else " (it was stopped before)"))
        for run in ended:
            out.line(f"ended {run}: its tick goes back to the queue")
        out.hint("`cadence start` lets it go on")
    if left:
        raise TryLater(f"not over yet: {', '.join(left)}", next_step="cadence status")
    return 0


def _make(home: Home) -> bool:
    now = time.time()
    try:
        files.write_new(home.stop, f"{rfc3339(now)} cadence stop\n".encode())
    except FileExistsError:
        return False
    except OSError:
        # On a full disk an empty file stops as well: a name needs no room for data.
        with contextlib.suppress(FileExistsError):
            os.close(files.create(home.stop))
    files.sync_folder(home.state)
    tell(home, {"event": "stop.set", "by": OPERATOR}, at=now)
    return True
