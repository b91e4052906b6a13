"""`cadence uninstall`: take away what `cadence install` put in place; the home stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk import confirm, orders, service_manager
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import IOTrouble, TryLater
from cadencebus.store import install_record, producers, unit_files
from cadencebus.units.plan import MANAGERS, Plan

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context
    from cadencebus.desk.orders import Obeyed
    from cadencebus.store.install_record import Record
    from cadencebus.store.paths import Home
    from cadencebus.store.unit_files import Change
    from cadencebus.units.activation import Order

EXAMPLES = """  cadence uninstall               shows what would go, asks, and takes it away
  cadence uninstall --dry-run
  cadence uninstall systemd       where nobody remembers how it was installed"""


def main(words: list[str], context: Context) -> int:
    """Stop and remove the units of this home; sessions go on, ticks stay."""
    asked = _parse(words)
    home, out = context.home, Output(context)
    record = install_record.load(home)
    if asked.manager is not None and (record is None or record.by != asked.manager):
        record = service_manager.record(asked.manager, consumer_only=False)
    if record is None:
        if out.json:
            out.document({"by": None, "files": []})
            return 0
        out.line("nothing is installed")
        out.hint("if something is, and only its record is lost: cadence uninstall systemd (or launchd, cron)")
        return 0
    changes = unit_files.changes(record.by, record.site(home), Plan(units=()))
    gone = [change for change in changes if change.needed]
    if not out.json:
        confirm.show(out, gone)
    if asked.dry_run:
        return _dry(out, home, record, gone)
    if gone and not confirm.agreed(yes=asked.yes, what=f"take this away from {record.by}"):
        return 1
    return _take_away(out, home, record, gone)


def _parse(words: list[str]) -> Namespace:
    parser = Parser("uninstall", "Remove what `cadence install` put in place; the home stays.", EXAMPLES)
    parser.add_argument("manager", nargs="?", choices=MANAGERS, help="default: as it was installed")
    parser.add_argument("--dry-run", action="store_true", help="show what would go and be run")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask")
    return parser.parse_args(words)


def _dry(out: Output, home: Home, record: Record, gone: list[Change]) -> int:
    told = [str(order) for order in (*_before(home, record, gone), *service_manager.to_reload(record))]
    if out.json:
        out.document(service_manager.report(record, gone) | {"dry_run": True, "would_run": told})
        return 0
    out.heading("would run")
    for line in told:
        out.line(f"  {line}")
    return 0


def _take_away(out: Output, home: Home, record: Record, gone: list[Change]) -> int:
    before, after = _before(home, record, gone), service_manager.to_reload(record)
    reachable = record.by == "cron" or service_manager.reachable(record.by)
    done = orders.obey(before) if reachable else []
    if record.by != "cron":
        unit_files.remove(gone)
        done += orders.obey(after) if reachable else []
    _forget(home, record, done)
    # What nobody could be told yet.
    to_run = [*before, *after] if gone and not reachable else []
    if out.json:
        told = service_manager.report(record, gone) | {"reachable": reachable}
        told["commands"] = [one.dump() for one in done]
        out.document(told | ({"to_run": list(map(str, to_run))} if to_run else {}))
    elif not gone:
        out.line("nothing was there to take away")
    elif reachable:
        out.line(f"uninstalled from {record.by}: the consumer is down, its sessions go on")
    else:
        out.warn(f"the files are gone, but {service_manager.UNREACHABLE[record.by]}. Where it listens, run:")
        for order in to_run:
            out.line(f"  {order}")
    return TryLater.exit_code if to_run else 0


def _forget(home: Home, record: Record, done: list[Obeyed]) -> None:
    """Remember no more that it was installed; an error where not all is taken away."""
    failed = [one for one in done if not one.well]
    if failed:
        said = "; ".join(f"`{one.order}`: exit {one.code}: {one.said}" for one in failed)
        raise IOTrouble(f"not all is taken away: {said}", next_step="fix that, then cadence uninstall")
    known = install_record.load(home)
    if known is None or known.by == record.by:
        # The bus's own clock takes over again.
        producers.save(home, record.by, ())
        install_record.forget(home)


def _before(home: Home, record: Record, gone: list[Change]) -> list[Order]:
    """Stop what the units started; where the file is not ours to write, have it written."""
    if record.by != "cron":
        return service_manager.to_stop(record, gone)
    return [*service_manager.to_write(record, gone), service_manager.down(home, record)] if gone else []
