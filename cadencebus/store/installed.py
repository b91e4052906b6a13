"""What `cadence install` has put in place for a home: the record of it, and what lies there now.

The record keeps what can't be found out later (which program, with which PATH, how much of it), so that
`doctor` can tell a unit that has become stale from one that a person edited.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from cadencebus.errors import BadData, IOTrouble
from cadencebus.model import strictjson
from cadencebus.store import files
from cadencebus.store.corrupt import load_object
from cadencebus.store.fireable import fireable_cadences
from cadencebus.units.block import block_in, with_block, without_block
from cadencebus.units.plan import CRONTAB, MANAGERS, Manager, Plan, fired_by, is_ours, plan
from cadencebus.units.seal import Condition, condition
from cadencebus.units.site import Site

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from cadencebus.store.fireable import Fireable
    from cadencebus.store.paths import Home
    from cadencebus.units.site import Producer

_LIMIT = 1 << 20
_CRONTAB_WITHIN = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How it was installed."""

    by: Manager
    program: tuple[str, ...]
    path: str
    consumer_only: bool = False
    started: bool = False

    def site(self, home: Home) -> Site:
        """The bus as its units name it; ValueError where no unit could."""
        return Site(home=home.root, program=self.program, path=self.path, logs=home.state)

    def fired(self, scheduled: Fireable) -> Sequence[Producer]:
        """The cadences that are to have a unit of their own."""
        return () if self.consumer_only else scheduled.producers

    def kept(self, scheduled: Fireable) -> Collection[str]:
        """The cadences whose units stay, though their files are broken; a crontab is written as a whole."""
        return () if self.consumer_only or self.by == "cron" else scheduled.broken.keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One file as it is and as it is to be; None where there is none."""

    file: str
    path: str
    before: str | None
    after: str | None
    condition: Condition

    @property
    def needed(self) -> bool:
        """Whether there is anything to do."""
        return self.before != self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleUnit:
    """An installed unit that is not what would be written now, and why that matters."""

    path: str
    condition: Condition
    what: str
    cure: str


# --- the record ----------------------------------------------------------------------------------


def load_record(home: Home) -> Record | None:
    """How this home was installed; None where it was not, or nobody can tell."""
    try:
        said = load_object(_record(home))
        by, program, path = said["by"], said["program"], said["path"]
    except (FileNotFoundError, ValueError, KeyError):
        return None
    if by not in MANAGERS or not isinstance(program, list) or not program or not isinstance(path, str):
        return None
    return Record(
        by=cast("Manager", by),
        program=tuple(map(str, program)),
        path=path,
        consumer_only=said.get("consumer_only") is True,
        started=said.get("started") is True,
    )


def save_record(home: Home, record: Record) -> None:
    """Remember how it was installed."""
    members = {
        "by": record.by,
        "program": list(record.program),
        "path": record.path,
        "consumer_only": record.consumer_only,
        "started": record.started,
    }
    temporary = f"{home.tmp}/installed.{os.getpid()}"
    files.discard(temporary)
    files.replace(temporary, _record(home), strictjson.dumps(members))


def forget_record(home: Home) -> None:
    """Nothing is installed any more."""
    files.discard(_record(home))
    files.sync_folder(home.state)


def _record(home: Home) -> str:
    return f"{home.state}/installed.json"


# --- what lies there -----------------------------------------------------------------------------


def folder_of(manager: Manager, environ: Mapping[str, str]) -> str:
    """Where the manager looks for a user's units."""
    user = os.path.expanduser("~")
    if manager == "launchd":
        return f"{user}/Library/LaunchAgents"
    return f"{environ.get('XDG_CONFIG_HOME') or f'{user}/.config'}/systemd/user"


def changes(manager: Manager, site: Site, wanted: Plan, keep: Collection[str] = ()) -> list[Change]:
    """Compare what lies there with what is wanted; what is no longer wanted goes, but for `keep`'s units."""
    if manager == "cron":
        text = wanted.units[0].text if wanted.units else None
        return [_crontab_change(site, text)]
    folder = folder_of(manager, os.environ)
    texts = {unit.file: unit.text for unit in wanted.units}
    found = [_change(folder, file, text) for file, text in texts.items()]
    for file in sorted(_listed(folder)):
        if file not in texts and is_ours(manager, site, file) and fired_by(manager, site, file) not in keep:
            gone = _change(folder, file, None)
            # A name of ours on a file that never was: its owner knows why.
            if gone.condition is not Condition.FOREIGN:
                found.append(gone)
    return found


def _change(folder: str, file: str, wanted: str | None) -> Change:
    path = f"{folder}/{file}"
    before = _text(path)
    return Change(
        file=file, path=path, before=before, after=wanted, condition=condition(before, wanted or "")
    )


def _crontab_change(site: Site, wanted: str | None) -> Change:
    before = read_crontab()
    try:
        ours = block_in(before, site.home)
        after = without_block(before, site.home) if wanted is None else with_block(before, site.home, wanted)
    except ValueError as error:
        raise BadData(f"crontab: {error}", next_step="crontab -e") from None
    return Change(
        file=CRONTAB, path=CRONTAB, before=before, after=after, condition=condition(ours, wanted or "")
    )


def _text(path: str) -> str | None:
    try:
        # A link is followed: people keep their units elsewhere.
        return files.read(os.path.realpath(path), _LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except ValueError:
        return ""


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def read_crontab() -> str:
    """The user's crontab; empty where there is none."""
    try:
        ended = subprocess.run(
            ["crontab", "-l"],  # noqa: S607 - wherever this system keeps it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CRONTAB_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise IOTrouble(f"crontab -l: {error}") from None
    if ended.returncode == 0:
        return ended.stdout.decode("utf-8", "surrogateescape")
    said = ended.stderr.decode("utf-8", "replace").strip()
    if "no crontab" in said:
        return ""
    # Taking trouble for emptiness would wipe a crontab.
    raise IOTrouble(f"crontab -l: exit {ended.returncode}: {said or 'it says nothing'}")


# --- changing it ---------------------------------------------------------------------------------


def write(wanted: list[Change]) -> None:
    """Put all new texts in place, or none: first everything is written aside, then renamed."""
    new = [change for change in wanted if change.needed and change.after is not None]
    aside: list[tuple[str, str]] = []
    try:
        for change in new:
            target = os.path.realpath(change.path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            temporary = f"{os.path.dirname(target)}/.{change.file}.cadence-new"
            files.discard(temporary)
            files.write_new(temporary, (change.after or "").encode())
            aside.append((temporary, target))
    except OSError:
        for temporary, _ in aside:
            files.discard(temporary)
        raise
    for change in new:
        if change.condition in {Condition.EDITED, Condition.FOREIGN}:
            _keep_aside(change)
    for temporary, target in aside:
        os.rename(temporary, target)
    files.sync_folders(os.path.dirname(target) for _, target in aside)


def remove(wanted: list[Change]) -> None:
    """Take away what is no longer wanted."""
    gone = [change for change in wanted if change.before is not None and change.after is None]
    for change in gone:
        if change.condition is Condition.EDITED:
            _keep_aside(change)
        os.unlink(change.path)
    files.sync_folders(os.path.dirname(change.path) for change in gone)


def _keep_aside(change: Change) -> None:
    """What a person wrote is kept under a name that no service manager reads."""
    aside = f"{change.path}.before-cadence"
    files.discard(aside)
    files.write_new(aside, (change.before or "").encode())


# --- is it still right? --------------------------------------------------------------------------


def stale_units(home: Home) -> list[StaleUnit]:
    """Every installed unit that differs from what would be written now; none where nothing is installed.

    CadenceError where that can't be told: cadence.yaml is broken, the crontab can't be read.
    """
    record = load_record(home)
    if record is None:
        return []
    cure, scheduled = f"cadence install {record.by}", fireable_cadences(home)
    if not os.access(record.program[0], os.X_OK):
        return [_stale(record.program[0], "its units start this, which is no program any more", cure)]
    if not record.started:
        what = f"its units are written, but {record.by} was never told to start all of them"
        return [_stale(folder_of(record.by, os.environ), what, cure)]
    try:
        site = record.site(home)
        wanted = plan(record.by, site, record.fired(scheduled))
    except ValueError as error:
        return [_stale(home.root, str(error), cure)]
    return [
        _stale(change.path, _what(change), cure, change.condition)
        for change in changes(record.by, site, wanted, keep=record.kept(scheduled))
        if change.needed
    ]


def _stale(path: str, what: str, cure: str, how: Condition = Condition.STALE) -> StaleUnit:
    return StaleUnit(path=path, condition=how, what=what, cure=cure)


def _what(change: Change) -> str:
    if change.after is None:
        return f"{change.file}: what it fires has no schedule any more"
    if change.file == CRONTAB and change.condition is not Condition.MISSING:
        return f"crontab: the lines of this home are {change.condition}"
    return f"{change.file} is {change.condition}"
