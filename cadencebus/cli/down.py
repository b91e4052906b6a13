"""`cadence down`: end the background consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk import consumer_control, killing
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import TryLater
from cadencebus.store import install_record

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence down             what runs goes on; the next consumer takes it over
  cadence down --kill      what runs is ended, too; its ticks wait again
  cadence up"""


def main(words: list[str], context: Context) -> int:
    """End supervisor and consumer, and wait until they are gone."""
    parser = Parser("down", "End the background consumer; its sessions go on.", EXAMPLES)
    asked = killing.with_kill(parser).parse_args(words)
    home, out = context.home, Output(context)
    was = consumer_control.bring_down(home)
    killed, left = (
        killing.end_all(home, asked.timeout, detail="cadence down --kill") if asked.kill else ([], [])
    )
    if out.json:
        was_up = was != consumer_control.Down(None, None)
        out.document(
            {
                "was_up": was_up,
                "pid": was.consumer,
                "supervisor": was.supervisor,
                "killed": killed,
                "alive": left,
            }
        )
    else:
        out.line(_said(was))
        for run in killed:
            out.line(f"ended {run}: its tick goes back to the queue")
        record = install_record.load(home)
        if record is not None and was.consumer is not None:
            out.hint(f"{record.by} starts it again at the next login or boot, and so does `cadence up`")
    if left:
        raise TryLater(f"not over yet: {', '.join(left)}", next_step="cadence ps")
    return 0


def _said(was: consumer_control.Down) -> str:
    if was.consumer is not None:
        return f"down: consumer pid {was.consumer} has ended"
    if was.supervisor is not None:
        return f"down: supervisor pid {was.supervisor} has ended; it had no consumer up just now"
    return "it was not up"
