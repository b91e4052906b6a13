"""Finding a tick by any unique part of its id, by file names alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.errors import NoSuch, Usage
from cadencebus.model.naming import Name, parse_deferred, parse_name
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home

WAITING = ("inbox", "deferred")
FOLDERS = ("inbox", "deferred", "claimed", "done", "dead")


@dataclass(frozen=True, slots=True)
class Found:
    """A tick's file."""

    folder: str
    file: str
    name: Name

    @property
    def state(self) -> str:
        """The folder's first word: `done/2026-11-21` is done."""
        return self.folder.partition("/")[0]


def listing(home: Home, states: tuple[str, ...] = FOLDERS) -> Iterator[Found]:
    """Every tick of these folders, in `ls` order; done by day."""
    spool = Spool(home)
    for state in states:
        folders = [f"done/{day}" for day in spool.done_days()] if state == "done" else [state]
        for folder in folders:
            for file in sorted(spool.names(folder)):
                parsed = parse_deferred(file) if state == "deferred" else None
                name = parsed[1] if parsed else parse_name(file)
                if name is not None:
                    yield Found(folder, file, name)


def find(home: Home, part: str, states: tuple[str, ...] = FOLDERS) -> Found:
    """The one tick whose id has this part; NoSuch for none, Usage for several."""
    wanted = part.removesuffix(".json")
    found: dict[str, Found] = {}
    for tick in listing(home, states):
        if wanted == tick.name.id or wanted in tick.name.id or wanted == tick.file.removesuffix(".json"):
            found[tick.name.id] = tick
    if len(found) > 1 and wanted in found:
        return found[wanted]
    if len(found) > 1:
        some = ", ".join(list(found)[:4])
        raise Usage(f"{part!r} is part of {len(found)} ids: {some}", next_step="give more of it")
    if not found:
        where = "" if len(states) == len(FOLDERS) else f" in {', '.join(states)}"
        raise NoSuch(f"no tick {part!r}{where}", next_step="cadence ls")
    return next(iter(found.values()))
