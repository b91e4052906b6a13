"""The units of a service manager and the lines in a crontab: what lies there, what is to, and the change."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.errors import BadData, IOTrouble
from cadencebus.store import files
from cadencebus.units.block import block_in, with_block, without_block
from cadencebus.units.plan import CRONTAB, Manager, Plan, fired_by, is_ours
from cadencebus.units.seal import Condition, condition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cadencebus.units.site import Site

_LIMIT = 1 << 20
_CRONTAB_WITHIN = 10.0


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
            # Our name on a file that we did not write: not ours to remove.
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
    # If an error were taken for an empty crontab, the real one would be overwritten.
    raise IOTrouble(f"crontab -l: exit {ended.returncode}: {said or 'it says nothing'}")


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
