"""Whether what `cadence install` wrote is still what it would write now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.store import install_record
from cadencebus.store.fireable import fireable_cadences
from cadencebus.store.unit_files import changes, folder_of
from cadencebus.units.plan import CRONTAB, plan
from cadencebus.units.seal import Condition

if TYPE_CHECKING:
    from cadencebus.store.paths import Home
    from cadencebus.store.unit_files import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleUnit:
    """An installed unit that is not what would be written now, and why that matters."""

    path: str
    condition: Condition
    what: str
    cure: str


def stale_units(home: Home) -> list[StaleUnit]:
    """Every installed unit that differs from what would be written now; none where nothing is installed.

    CadenceError where that can't be told: cadence.yaml is broken, the crontab can't be read.
    """
    record = install_record.load(home)
    if record is None:
        return []
    cure, fireable = record.again, fireable_cadences(home)
    if not os.access(record.program[0], os.X_OK):
        return [_stale(record.program[0], "its units start this, which is not a program any more", cure)]
    if not record.started:
        what = f"its units are written, but {record.by} was never told to start all of them"
        return [_stale(folder_of(record.by, os.environ), what, cure)]
    try:
        site = record.site(home)
        wanted = plan(record.by, site, record.fired(fireable))
    except ValueError as error:
        return [_stale(home.root, str(error), cure)]
    return [
        _stale(change.path, _what(change), cure, change.condition)
        for change in changes(record.by, site, wanted, keep=record.kept(fireable))
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
