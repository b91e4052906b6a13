"""state/producers.json: what a service manager fires, the bus's own clock does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.model.naming import is_cadence
from cadencebus.store import files
from cadencebus.store.json_file import load_object, save_object

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.store.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Producers:
    """Who fires them (`systemd`, `launchd`, `cron`), and which."""

    by: str = ""
    cadences: frozenset[str] = frozenset()


def path_of(home: Home) -> str:
    """Where it is said."""
    return f"{home.state}/producers.json"


def load(home: Home) -> Producers:
    """What is fired from outside: nothing where the file is missing or makes no sense."""
    try:
        said = load_object(path_of(home))
    except (FileNotFoundError, ValueError):
        return Producers()
    names = said.get("cadences")
    if not isinstance(names, list):
        return Producers()
    return Producers(by=str(said.get("by", "")), cadences=frozenset(filter(is_cadence, names)))


def save(home: Home, by: str, cadences: Iterable[str]) -> None:
    """Say who fires what from now on; without a cadence the file goes."""
    names = sorted(cadences)
    if not names:
        files.discard(path_of(home))
        files.sync_folder(home.state)
        return
    save_object(home, path_of(home), {"by": by, "cadences": names})
