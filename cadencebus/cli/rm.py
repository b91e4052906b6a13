"""`cadence rm`: cancel waiting ticks."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from cadencebus.cli.finding import WAITING, Found, find
from cadencebus.cli.options import Parser
from cadencebus.clock import day, rfc3339
from cadencebus.errors import TryLater
from cadencebus.store import files
from cadencebus.store.journal import Journal
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from cadencebus.cli.context import Context


def main(words: list[str], context: Context) -> int:
    """Finish waiting ticks as `cancelled`."""
    parser = Parser("rm", "Cancel waiting ticks; they lie in done/ as cancelled.", "  cadence rm 7f3k9q2m")
    parser.add_argument("tick", nargs="+", help="ids, or unique parts of them")
    asked = parser.parse_args(words)
    spool = Spool(context.home)
    for found in [find(context.home, part, WAITING) for part in asked.tick]:
        _cancel(spool, found)
        sys.stdout.write(f"{found.name.id} cancelled\n")
    return 0


def _cancel(spool: Spool, found: Found) -> None:
    """Write the outcome, tell of it, move the tick: the consumer finishes what a crash cut off."""
    now = time.time()
    home, folder = spool.home, f"{spool.home.done}/{day(now)}"
    outcome = {
        "status": "cancelled",
        "class": "cancelled",
        "reason": "cancelled by rm",
        "finished_at": rfc3339(now),
    }
    try:
        tick = spool.read(found.folder, found.file).ended(outcome)
        spool.rewrite(found.folder, found.file, tick)
    except FileNotFoundError:
        raise TryLater(
            f"{found.name.id} is not waiting any more: the consumer was faster", next_step="cadence kill"
        ) from None
    event = {
        "event": "tick.done",
        "cadence": tick.cadence,
        "tick": tick.id,
        "attempt": len(tick.attempts),
        "class": "cancelled",
    }
    journal = Journal(home)
    with contextlib.closing(journal):
        journal.write(now, [{**event, "status": "cancelled", "reason": outcome["reason"]}], durable=True)
    if files.make_folder(folder):
        files.sync_folder(home.done)
    source = f"{home.state}/{found.folder}/{found.file}"
    with spool.moving(), contextlib.suppress(FileNotFoundError):
        files.move(source, f"{folder}/{found.name.file}")
    files.sync_folders([folder, os.path.dirname(source)])
