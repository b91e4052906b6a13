"""state/installed.json: how `cadence install` has put this home in the hands of a service manager.

It keeps what can't be found out later (which program, with which PATH, how much of it), so that `doctor` can
tell a unit that has become stale from one that a person edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from cadencebus.store import files
from cadencebus.store.json_file import load_object, save_object
from cadencebus.store.paths import Home
from cadencebus.store.real_path import real_path
from cadencebus.units.plan import MANAGERS, Manager
from cadencebus.units.site import Site

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cadencebus.store.fireable import Fireable
    from cadencebus.units.site import Producer


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How it was installed."""

    by: Manager
    program: tuple[str, ...]
    path: str
    consumer_only: bool = False
    started: bool = False

    @property
    def again(self) -> str:
        """What to type to have the same once more: timers are not to come to who wanted none."""
        return f"cadence install {self.by}" + (" --consumer-only" if self.consumer_only else "")

    def site(self, home: Home) -> Site:
        """The bus as its units name it, by its one real name; ValueError where no unit could."""
        real = Home(real_path(home.root))
        return Site(home=real.root, program=self.program, path=self.path, logs=real.state)

    def fired(self, fireable: Fireable) -> Sequence[Producer]:
        """The cadences that are to have a unit of their own."""
        return () if self.consumer_only else fireable.producers

    def kept(self, fireable: Fireable) -> Collection[str]:
        """The cadences whose units stay, though their files are broken; a crontab is written as a whole."""
        return () if self.consumer_only or self.by == "cron" else fireable.broken.keys()


def load(home: Home) -> Record | None:
    """How this home was installed; None where it was not, or nobody can tell."""
    try:
        said = load_object(_path(home))
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


def save(home: Home, record: Record) -> None:
    """Remember how it was installed."""
    members = {
        "by": record.by,
        "program": list(record.program),
        "path": record.path,
        "consumer_only": record.consumer_only,
        "started": record.started,
    }
    save_object(home, _path(home), members)


def forget(home: Home) -> None:
    """Nothing is installed any more."""
    files.discard(_path(home))
    files.sync_folder(home.state)


def _path(home: Home) -> str:
    return f"{home.state}/installed.json"
