"""What a service manager really fires for this home: what was agreed, as far as its units are still here.

A home may be moved or copied, its units stay behind: whoever took their word for it would never fire again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.errors import CadenceError
from cadencebus.store import install_record, producers
from cadencebus.store.files import exists
from cadencebus.store.unit_files import folder_of, read_crontab
from cadencebus.units.block import block_in
from cadencebus.units.plan import trigger

if TYPE_CHECKING:
    from cadencebus.store.install_record import Record
    from cadencebus.store.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Who fires from outside, which cadences; and which it was to fire, but has no unit for here."""

    by: str = ""
    cadences: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    @property
    def remark(self) -> str:
        """What a person should know where units are lost."""
        names = ", ".join(sorted(self.lost))
        return (
            f"{self.by} was to fire {names}, and has no unit for it here (was the home moved?): "
            "the bus's own clock does"
        )

    @property
    def cure(self) -> str:
        """What to type then."""
        return f"cadence install {self.by}, or cadence uninstall"


def fired_outside(home: Home) -> Outside:
    """Look whether what producers.json says is so on this machine, for a home that lies here."""
    agreed, record = producers.load(home), install_record.load(home)
    if not agreed.cadences or record is None or record.by != agreed.by:
        # Another producer, named by hand: there are no units of ours to look for.
        return Outside(by=agreed.by, cadences=agreed.cadences)
    lost = agreed.cadences - _present(home, record, agreed.cadences)
    return Outside(by=agreed.by, cadences=agreed.cadences - lost, lost=lost)


def _present(home: Home, record: Record, names: frozenset[str]) -> frozenset[str]:
    """Those of the cadences that have a unit here."""
    try:
        site = record.site(home)
        if record.by == "cron":
            return names if block_in(read_crontab(), site.home) is not None else frozenset()
        folder = folder_of(record.by, os.environ)
        return frozenset(name for name in names if exists(f"{folder}/{trigger(record.by, site, name)}"))
    except (CadenceError, ValueError, OSError):
        # Where it can't be told, nothing is to be fired twice.
        return names
