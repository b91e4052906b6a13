"""`cadence restart`: a new supervisor and a new consumer; sessions go on meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.cli import up
from cadencebus.desk import consumer_control, service_manager
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import TryLater
from cadencebus.store import fitness, install_record

if TYPE_CHECKING:
    from cadencebus.desk.context import Context

EXAMPLES = """  cadence restart            after an upgrade, or a change of the environment
  git pull && pipx install --force . && cadence restart"""


def main(words: list[str], context: Context) -> int:
    """Down, then up; the new consumer takes over what runs."""
    parser = Parser(
        "restart", "A new background consumer; it takes over the sessions of the old one.", EXAMPLES
    )
    asked = consumer_control.with_pace(parser).parse_args(words)
    home = context.home
    fitness.check(home)
    fitness.check_machine()
    there, record = consumer_control.at_work(home), install_record.load(home)
    if there is not None and there.keeper is None:
        if record is None or record.by == "cron":
            raise TryLater(
                f"the consumer, pid {there.pid}, was not started by `cadence up`",
                next_step="end it where it runs, or cadence down; then cadence up",
            )
        up.tell(Output(context), service_manager.begin(home, record, besides=there.pid), record)
        return 0
    consumer_control.bring_down(home)
    up.tell(Output(context), consumer_control.bring_up(home, consumer_control.pace_of(asked)), record)
    return 0
