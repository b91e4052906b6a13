"""The service manager of this machine: whether it listens, what to tell it, what runs already."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.daemon import supervision
from cadencebus.desk import consumer_control, orders
from cadencebus.errors import IOTrouble, Misconfigured
from cadencebus.session import process_tree
from cadencebus.store import lock, producers
from cadencebus.store.install_record import Record
from cadencebus.store.unit_files import folder_of
from cadencebus.units import activation, launchd, systemd
from cadencebus.units.activation import Order
from cadencebus.units.plan import consumer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from cadencebus.desk.consumer_control import Up
    from cadencebus.store.paths import Home
    from cadencebus.store.unit_files import Change
    from cadencebus.units.plan import Manager, Plan

PROGRAMS: dict[Manager, str] = {"launchd": "launchctl", "systemd": "systemctl", "cron": "crontab"}
UNREACHABLE: dict[Manager, str] = {
    "launchd": "launchd has no session of yours here (log in at the screen once)",
    "systemd": "no systemd of yours listens here (a container, or a login by `su`)",
    "cron": "no cron runs on this machine",
}
_BARE = ("/usr/local/bin", "/usr/bin", "/bin")
_UP_WITHIN = 15.0


def record(manager: Manager, *, consumer_only: bool) -> Record:
    """How it is to be installed: this very program, with the PATH that was in force when it was asked for."""
    return Record(by=manager, program=program(), path=path(), consumer_only=consumer_only)


def program() -> tuple[str, ...]:
    """The command that is running now, as others can start it."""
    started = shutil.which(sys.argv[0]) if os.path.basename(sys.argv[0]) == "cadence" else None
    return (os.path.abspath(started),) if started else (sys.executable, "-m", "cadencebus")


def path() -> str:
    """The caller's PATH, without what no unit can hold and what is not there."""
    wanted = [*os.environ.get("PATH", "").split(":"), *_BARE]
    return ":".join(
        folder
        for folder in dict.fromkeys(wanted)
        if folder.startswith("/") and folder.isprintable() and "\\" not in folder and os.path.isdir(folder)
    )


def planned(make: Callable[[], Plan]) -> Plan:
    """A plan, or what keeps this home from having one."""
    try:
        return make()
    except ValueError as error:
        raise Misconfigured(
            str(error), next_step="move the home, or the program, to a plainer path"
        ) from None


def reachable(manager: Manager) -> bool:
    """Whether somebody listens."""
    if manager == "cron":
        return cron_runs()
    asking = activation.listens(manager, os.getuid())
    return asking is None or orders.well(asking)


# --- what to tell them ---------------------------------------------------------------------------


def to_stop(record: Record, changes: Sequence[Change]) -> list[Order]:
    """Before files are taken away."""
    gone = [change.file for change in changes if change.after is None and change.before is not None]
    return [] if record.by == "cron" else activation.before_removal(record.by, gone, os.getuid())


def to_write(record: Record, changes: Sequence[Change]) -> list[Order]:
    """Where the files are not ours to write."""
    if record.by != "cron":
        return []
    # An empty crontab is none: where there was none before, there is none after.
    return [
        Order(argv=("crontab", "-"), stdin=change.after) if change.after else Order(argv=("crontab", "-r"))
        for change in changes
        if change.needed
    ]


def to_start(home: Home, record: Record, changes: Sequence[Change], fires: Collection[str]) -> list[Order]:
    """After everything lies in place."""
    # A consumer looks every so often at who fires what; until then it would fire what a new timer fires.
    handing_over = producers.load(home).cadences != set(fires)
    if record.by == "cron":
        verb = "restart" if handing_over and supervision.alive(home) else "up"
        return [Order(argv=(*record.program, "--home", home.root, verb))]
    there = [change.file for change in changes if change.after is not None]
    anew = [change.file for change in changes if change.needed and change.before and change.after]
    consumer = consumer_of(record.by, record.site(home)).file
    if handing_over and consumer not in anew and any(c.file == consumer and c.before for c in changes):
        anew = [consumer, *anew]
    return activation.after_writing(record.by, folder_of(record.by, os.environ), there, anew, os.getuid())


def to_restart(home: Home, record: Record) -> Order:
    """A new consumer in place of the service's own."""
    return activation.restart(record.by, consumer_of(record.by, record.site(home)).file, os.getuid())


def to_reload(record: Record) -> list[Order]:
    """After files were taken away."""
    return activation.after_removal(record.by)


def down(home: Home, record: Record) -> Order:
    """End the consumer that cron had started; it may not have been up."""
    return Order(argv=(*record.program, "--home", home.root, "down"))


def report(record: Record, changes: Sequence[Change]) -> dict[str, Any]:
    """What --json says of the files."""
    return {
        "by": record.by,
        "files": [
            {"path": change.path, "was": change.condition.value, "changed": change.needed}
            | ({"removed": True} if change.after is None else {})
            for change in changes
        ],
    }


# --- who runs ------------------------------------------------------------------------------------


def runs_by_hand(home: Home, *, first: bool) -> str | None:
    """What already runs on this home and is no service; None where a service may start."""
    keeper = supervision.alive(home)
    if keeper is not None:
        return f"`cadence up` keeps a consumer running (supervisor pid {keeper.supervisor.pid})"
    if first and lock.is_held(home):
        there = consumer_control.at_work(home)
        return f"a consumer already runs on this home (pid {there.pid if there else 'unknown'})"
    return None


def begin(home: Home, record: Record, *, besides: int | None = None) -> Up:
    """Have the service start its consumer, in place of the one that runs, and wait for it."""
    done = orders.obey([to_restart(home, record)])[0]
    if not done.well:
        raise IOTrouble(f"`{done.order}`: exit {done.code}: {done.said}", next_step=record.again)
    there = until_up(home, besides=besides)
    if there is None:
        raise IOTrouble("no consumer came up", next_step=where_to_look(home, record))
    return replace(there, fresh=True)


def until_up(home: Home, *, besides: int | None = None) -> Up | None:
    """Wait until a consumer is at work; None where none came but the one that is not meant."""

    def meant() -> Up | None:
        there = consumer_control.at_work(home)
        return None if there is None or there.pid == besides else there

    return consumer_control.until(meant, _UP_WITHIN)


def where_to_look(home: Home, record: Record) -> str:
    """Where a consumer that did not come up has left its reason."""
    if record.by == "systemd":
        return f"journalctl --user -n 20 -u {systemd.unit_name(record.site(home))}.service"
    if record.by == "launchd":
        domain = f"gui/{os.getuid()}/{launchd.label(record.site(home))}"
        return f"tail {home.state}/consumer.log; launchctl print {domain}"
    return f"tail {home.state}/consumer.log"


def lingers() -> bool:
    """Whether the user's systemd runs without a login; yes where nobody can tell."""
    try:
        user = getpass.getuser()
        asked = ["loginctl", "show-user", user, "-p", "Linger", "--value"]
        said = subprocess.run(asked, capture_output=True, timeout=10, check=False).stdout  # noqa: S603
    except (OSError, KeyError, subprocess.TimeoutExpired):
        return True
    return said.strip() != b"no"


def cron_runs() -> bool:
    """Whether a cron is at work; on macOS launchd starts it when it is needed."""
    names = {"cron", "crond", "fcron", "busybox crond"}
    return not process_tree.LINUX or any(
        process_tree.describe(pid)["name"] in names for pid in process_tree.census()
    )
