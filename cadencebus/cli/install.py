"""`cadence install`: the consumer as a service, and a timer for each scheduled cadence."""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from cadencebus.desk import confirm, orders, service_manager
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import IOTrouble, Misconfigured, TryLater
from cadencebus.model.wording import count
from cadencebus.store import fitness, install_record, producers, unit_files
from cadencebus.store.fireable import fireable_cadences
from cadencebus.units.plan import MANAGERS, Plan, plan

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.desk.orders import Obeyed
    from cadencebus.store.fireable import Fireable
    from cadencebus.store.install_record import Record
    from cadencebus.store.paths import Home
    from cadencebus.store.unit_files import Change
    from cadencebus.units.activation import Order

EXAMPLES = """  cadence install systemd            shows what it would write, asks, starts
  cadence install systemd --consumer-only   the bus's own clock does the rest
  cadence install launchd --print    the property lists, and nothing else
  cadence install cron --dry-run     what would change in the crontab
  cadence uninstall                  takes it all away again; the home stays"""


def main(words: list[str], context: Context) -> int:
    """Write the units of this home and start them."""
    asked = _parse(words)
    home, out = context.home, Output(context)
    fitness.check(home)
    record = service_manager.record(asked.manager, consumer_only=asked.consumer_only)
    fireable = fireable_cadences(home)
    wanted = service_manager.planned(lambda: plan(record.by, record.site(home), record.fired(fireable)))
    if asked.print:
        _print(out, record, wanted)
        return 0
    _refuse(home, record, dry=asked.dry_run)
    changes = unit_files.changes(record.by, record.site(home), wanted, keep=record.kept(fireable))
    wanted = replace(wanted, fires=(*wanted.fires, *_still_fired(home, record, fireable)))
    confirm.refuse_foreign(changes)
    needed = [change for change in changes if change.needed]
    if not out.json:
        confirm.show(out, needed)
        _remarks(out, wanted, fireable, consumer_only=asked.consumer_only)
    if asked.dry_run:
        _dry(out, home, record, wanted, changes)
        return 0
    where = "the crontab" if record.by == "cron" else count(len(needed), "file")
    if needed and not confirm.agreed(yes=asked.yes, what=f"change {where} and start it with {record.by}"):
        return 1
    _write(home, record, changes)
    return _activate(out, home, record, wanted, changes)


def _print(out: Output, record: Record, wanted: Plan) -> None:
    if out.json:
        units = [{"file": unit.file, "text": unit.text} for unit in wanted.units]
        out.document({"by": record.by, "units": units})
        return
    for unit in wanted.units:
        out.line(f"==> {unit.file} <==")
        out.line(unit.text)


def _parse(words: list[str]) -> Namespace:
    parser = Parser("install", "The consumer and its producers as native units of your user.", EXAMPLES)
    parser.add_argument("manager", choices=MANAGERS, help="who is to start it")
    parser.add_argument("--print", action="store_true", help="print the units, touch nothing")
    parser.add_argument("--dry-run", action="store_true", help="show what would change and be run")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask")
    parser.add_argument(
        "--consumer-only", action="store_true", help="no timers: the bus's own clock keeps the schedules"
    )
    return parser.parse_args(words)


def _still_fired(home: Home, record: Record, fireable: Fireable) -> list[str]:
    """Cadences whose file is broken, and whose units, written while it was not, go on firing."""
    return sorted(producers.load(home).cadences & set(record.kept(fireable)))


def _refuse(home: Home, record: Record, *, dry: bool) -> None:
    """Two managers would fight over one home, and a consumer by hand keeps a service from starting."""
    before = install_record.load(home)
    if before is not None and before.by != record.by:
        raise Misconfigured(
            f"this home is installed for {before.by}", next_step="cadence uninstall, then install again"
        )
    if shutil.which(service_manager.PROGRAMS[record.by]) is None and not (dry and record.by != "cron"):
        raise Misconfigured(
            f"no {service_manager.PROGRAMS[record.by]} on this machine: {record.by} does not run here",
            next_step=f"cadence install {record.by} --print, and take it along",
        )
    by_hand = (
        service_manager.runs_by_hand(home, first=before is None) if record.by != "cron" and not dry else None
    )
    if by_hand:
        raise TryLater(
            f"{by_hand}: the service could not start", next_step="cadence down, then the same again"
        )


def _remarks(out: Output, wanted: Plan, fireable: Fireable, *, consumer_only: bool) -> None:
    for name, why in sorted(fireable.broken.items()):
        out.warn(f"{name}: left as it is: {why}")
    if os.getuid() == 0 and (user := os.environ.get("SUDO_USER")):
        out.warn(f"through sudo these are units of root; without it they would be {user}'s")
    if consumer_only:
        return
    for name, why in sorted({**fireable.left, **wanted.left}.items()):
        out.hint(f"{name}: left to the bus's own clock: {why}")
    for name, caveats in sorted(wanted.caveats.items()):
        for caveat in caveats:
            out.warn(f"{name}: {caveat}")


def _dry(out: Output, home: Home, record: Record, wanted: Plan, changes: list[Change]) -> None:
    told = [
        *service_manager.to_stop(record, changes),
        *service_manager.to_write(record, changes),
        *service_manager.to_start(home, record, changes, wanted.fires),
    ]
    if out.json:
        out.document(
            service_manager.report(record, changes) | {"dry_run": True, "would_run": list(map(str, told))}
        )
        return
    if not any(change.needed for change in changes):
        out.line("nothing would change")
    out.heading("would run")
    for order in told:
        out.line(f"  {order}")


def _write(home: Home, record: Record, changes: list[Change]) -> None:
    # From here on `doctor` sees what a crash, or a manager out of reach, leaves half done.
    install_record.save(home, record)
    if record.by == "cron":
        _require(record, orders.obey(service_manager.to_write(record, changes)))
    else:
        if service_manager.reachable(record.by):
            orders.obey(service_manager.to_stop(record, changes))
        unit_files.write(changes)
        unit_files.remove(changes)


def _activate(out: Output, home: Home, record: Record, wanted: Plan, changes: list[Change]) -> int:
    told = service_manager.to_start(home, record, changes, wanted.fires)
    if not service_manager.reachable(record.by):
        return _by_hand(out, record, changes, told)
    with _handed_over(home, record, wanted):
        done = orders.obey(told)
        if out.json:
            shown = service_manager.report(record, changes) | {
                "fires": list(wanted.fires),
                "left": dict(wanted.left),
            }
            out.document(shown | {"commands": [one.dump() for one in done]})
        _require(record, done)
    install_record.save(home, replace(record, started=True))
    there = service_manager.until_up(home)
    if there is None:
        raise IOTrouble("the consumer did not come up", next_step=service_manager.where_to_look(home, record))
    if not out.json:
        fires = f"; {record.by} fires {count(len(wanted.fires), 'cadence')}" if wanted.fires else ""
        out.line(f"installed for {record.by}: the consumer is up, pid {there.pid}{fires}")
    if record.by == "systemd" and not service_manager.lingers():
        out.hint("it runs while you are logged in; `loginctl enable-linger` lets it run from boot on")
    return 0


@contextlib.contextmanager
def _handed_over(home: Home, record: Record, wanted: Plan) -> Iterator[None]:
    """Let the bus's own clock leave to the manager what that fires; it takes over again if this fails.

    The clock goes first: the consumer that is started now must not fire what the timers fire.
    """
    before = producers.load(home)
    producers.save(home, record.by, wanted.fires)
    try:
        yield
    except BaseException:
        producers.save(home, before.by, before.cadences)
        raise


def _require(record: Record, done: list[Obeyed]) -> None:
    failed = [one for one in done if not one.well]
    if failed:
        said = "; ".join(f"`{one.order}`: exit {one.code}: {one.said or 'it said nothing'}" for one in failed)
        raise IOTrouble(
            f"not all is in place and started: {said}",
            next_step=f"fix that, then {record.again}",
        )


def _by_hand(out: Output, record: Record, changes: list[Change], told: list[Order]) -> int:
    """The manager can't be reached from here: the files are written, the rest is for a person."""
    again = f"{record.again} --yes"
    to_run = [*map(str, told), again]
    if out.json:
        out.document(service_manager.report(record, changes) | {"reachable": False, "to_run": to_run})
        return TryLater.exit_code
    out.warn(f"the files are written, but {service_manager.UNREACHABLE[record.by]}. Where it listens, run:")
    for line in to_run:
        out.line(f"  {line}")
    out.hint("(the last one leaves these schedules to it)")
    return TryLater.exit_code
