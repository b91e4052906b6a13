"""`cadence down`: end the background consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk import ending, keeping
from cadencebus.desk.options import Parser, a_duration
from cadencebus.desk.output import Output
from cadencebus.errors import TryLater
from cadencebus.store import installed

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence down             what runs goes on; the next consumer takes it over
  cadence down --kill      and what runs is ended; its ticks go back to the queue
  cadence up"""
_WITHIN = 60.0


def main(words: list[str], context: Context) -> int:
    """End supervisor and consumer, and wait until they are gone."""
    parser = Parser("down", "End the background consumer; its sessions go on.", EXAMPLES)
    parser.add_argument("--kill", action="store_true", help="end the sessions, too; their ticks are requeued")
    parser.add_argument(
        "--timeout",
        type=a_duration,
        default=_WITHIN,
        metavar="D",
        help="wait so long for that (60s), else 75",
    )
    asked = parser.parse_args(words)
    home, out = context.home, Output(context)
    pid = keeping.bring_down(home)
    killed, left = (
        ending.end_all(home, asked.timeout, detail="cadence down --kill") if asked.kill else ([], [])
    )
    if out.json:
        out.document({"was_up": pid is not None, "pid": pid, "killed": killed, "alive": left})
    else:
        out.line("it was not up" if pid is None else f"down: consumer pid {pid} has ended")
        for run in killed:
            out.line(f"ended {run}: its tick goes back to the queue")
        record = installed.load_record(home)
        if record is not None and pid is not None:
            out.hint(f"{record.by} starts it again at the next login or boot, and so does `cadence up`")
    if left:
        raise TryLater(f"not over yet: {', '.join(left)}", next_step="cadence ps")
    return 0
