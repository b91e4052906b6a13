"""`cadence up`: the consumer in the background, kept up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from cadencebus.daemon import supervision
from cadencebus.desk import consumer_control, human_time, service_manager
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.model.foreign import instant
from cadencebus.store import fitness, install_record

if TYPE_CHECKING:
    from cadencebus.desk.consumer_control import Up
    from cadencebus.desk.context import Context
    from cadencebus.store.install_record import Record
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence up          waits until it is at work; says so when it is already
  cadence ps          who keeps it up, and what runs
  cadence restart     after an upgrade; sessions go on meanwhile
  cadence down        ends it; sessions go on, the next consumer adopts them"""
MORE = """A consumer that dies is started again after 2 s, then 4 s … 2 min; one that dies five times within
10 s of its start, or says that its configuration needs a person (78), is parked until the next `cadence up`.
Its words are in state/consumer.log. Where there is a service manager, `cadence install` does better: it comes
back after a reboot, too (and `up` then starts what is installed)."""


def main(words: list[str], context: Context) -> int:
    """Bring the consumer up, or say since when it is."""
    parser = Parser("up", f"The consumer in the background.\n\n{MORE}", EXAMPLES)
    asked = consumer_control.with_pace(parser).parse_args(words)
    home = context.home
    fitness.check(home)
    fitness.check_machine()
    record = install_record.load(home)
    if record is not None and _service_is_down(home, record):
        up = service_manager.begin(home, record)
    else:
        up = consumer_control.bring_up(home, consumer_control.pace_of(asked))
    tell(Output(context), up, record)
    return 0


def _service_is_down(home: Home, record: Record) -> bool:
    """Whether there is a service that could be started, and nobody at work."""
    if record.by == "cron" or consumer_control.at_work(home) or supervision.alive(home):
        return False
    return service_manager.reachable(record.by)


def tell(out: Output, up: Up, record: Record | None) -> None:
    """Say that it is up, and who keeps it so."""
    if out.json:
        out.document(facts(up))
        return
    since = instant(up.since)
    when = f" since {human_time.clock(since, time.time())}" if since else ""
    out.line(f"up: consumer pid {up.pid}" if up.fresh else f"already up: consumer pid {up.pid}{when}")
    if up.keeper is None and record is not None:
        out.hint(f"installed for {record.by}")
    elif up.keeper is None:
        out.hint("nothing restarts it if it dies: it was not started by `cadence up`")


def facts(up: Up) -> dict[str, Any]:
    """What --json says."""
    keeper = None if up.keeper is None else up.keeper.supervisor.pid
    return {"up": True, "fresh": up.fresh, "pid": up.pid, "since": up.since, "supervisor": keeper}
