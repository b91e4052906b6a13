"""`cadence restart`: a new supervisor and a new consumer; sessions go on meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cadencebus.cli import keeping, native, orders, up
from cadencebus.cli.options import Parser
from cadencebus.cli.output import Output
from cadencebus.errors import IOTrouble, TryLater
from cadencebus.store import fitness, installed

if TYPE_CHECKING:
    from cadencebus.cli.context import Context
    from cadencebus.store.installed import Record
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence restart                            after an upgrade, or a change of the environment
  pip install -U cadencebus && cadence restart"""


def main(words: list[str], context: Context) -> int:
    """Down, then up; the new consumer takes over what runs."""
    parser = Parser(
        "restart", "A new background consumer; it takes over the sessions of the old one.", EXAMPLES
    )
    asked = keeping.with_pace(parser).parse_args(words)
    home = context.home
    fitness.check(home)
    there, record = keeping.at_work(home), installed.load_record(home)
    if there is not None and there.keeper is None:
        if record is None or record.by == "cron":
            raise TryLater(
                f"the consumer, pid {there.pid}, was not started by `cadence up`",
                next_step="end it where it runs, or cadence down; then cadence up",
            )
        up.tell(Output(context), _by_its_service(home, record, there.pid), record)
        return 0
    keeping.bring_down(home)
    up.tell(Output(context), keeping.bring_up(home, keeping.pace_of(asked)), record)
    return 0


def _by_its_service(home: Home, record: Record, former: int) -> keeping.Up:
    done = orders.obey([native.to_restart(home, record)])[0]
    if done.code:
        raise IOTrouble(f"`{done.order}`: exit {done.code}: {done.said}", next_step="cadence ps")
    there = native.until_up(home, besides=former)
    if there is None:
        raise IOTrouble("no new consumer came up", next_step=native.where_to_look(home, record))
    return replace(there, fresh=True)
