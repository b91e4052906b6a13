"""Looking ticks up: by state, by cadence, or by any unique part of an id; from file names alone."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_stamp
from cadencebus.desk.nearest import cadence_names, meant
from cadencebus.errors import NoSuch, Usage
from cadencebus.model import strictjson
from cadencebus.model.foreign import mapping, sequence
from cadencebus.model.naming import Name, is_id, name_in
from cadencebus.model.tick import LARGEST
from cadencebus.store.archive import letters_path
from cadencebus.store.json_file import load_object
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cadencebus.store.paths import Home

WAITING, ENDED = ("inbox", "deferred"), ("done", "dead")
# In the direction in which ticks move: one that moves while we look is met once more, not missed.
STATES = ("deferred", "inbox", "claimed", "done", "dead")
# What looks like a waiting tick's file: of a million names only what looks right is worth a second look.
TICK_FILE = re.compile(r"[0-9]-(?P<stamp>[0-9T.]{22}Z)-(?P<cadence>[a-z0-9._-]+)-[0-9a-z]{8}\.json")
_CANDIDATES = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A tick's file, and what its name says."""

    folder: str
    file: str
    name: Name

    @property
    def state(self) -> str:
        """The folder's first word: `done/2026-11-21` is done."""
        return self.folder.partition("/")[0]

    @property
    def place(self) -> str:
        """Where it lies, relative to state/."""
        return f"{self.folder}/{self.file}"

    @property
    def due(self) -> float | None:
        """When a deferred tick is due; None as well where a hand put one there without saying when."""
        stamp, says_when, _ = self.file.partition("~")
        return parse_stamp(stamp) if says_when and self.state == "deferred" else None


def names(home: Home, folder: str) -> Iterator[str]:
    """The file names of a folder of state/, none where it is missing."""
    try:
        yield from Spool(home).names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return


def folders(home: Home, states: tuple[str, ...] = STATES, since_day: str = "") -> Iterator[str]:
    """The folders of these states; done/ has one a day."""
    for state in states:
        if state == "done":
            days = sorted(name for name in names(home, "done") if len(name) == len("2026-11-21"))
            yield from (f"done/{day}" for day in days if day >= since_day)
        else:
            yield state


def listing(
    home: Home, states: tuple[str, ...] = STATES, cadence: str | None = None, *, backwards: bool = False
) -> Iterator[Found]:
    """Every tick of these folders, each in `ls` order; done by day. Names are taken apart one by one."""
    there = folders(home, states)
    for folder in reversed([*there]) if backwards else there:
        # What waits goes by its priority; what has ended by when it was made.
        by = _born if folder.partition("/")[0] in ENDED else None
        for file in sorted(names(home, folder), key=by, reverse=backwards):
            name = name_in(file)
            if name is not None and cadence in {None, name.cadence}:
                yield Found(folder, file, name)


def _born(file: str) -> str:
    return file[len("5-") :]


def find(home: Home, part: str, states: tuple[str, ...] = STATES) -> Found:
    """The one tick whose id has this part; NoSuch for none, Usage for several."""
    if not part:
        raise Usage("an empty id is part of every id", next_step="cadence ls")
    file = os.path.basename(part)
    known = name_in(file) or name_in(f"{file}.json")
    wanted = known.id if known else part
    # A tick that goes back (a retry) while we look can be missed once, hardly twice.
    found = _matches(home, wanted, states) or _matches(home, wanted, states)
    if not found:
        raise _gone(home, part)
    if len(found) > 1:
        some = ", ".join(sorted(found)[:_CANDIDATES]) + (", …" if len(found) > _CANDIDATES else "")
        raise Usage(f"{part!r} is part of {len(found)} ids: {some}", next_step="give more of it")
    return next(iter(found.values()))


def _gone(home: Home, part: str) -> NoSuch:
    """What to say of a tick that is not there; of one that left dead/ it is known what became of it."""
    with contextlib.suppress(OSError), open(letters_path(home), "rb") as lines:
        for line in lines:
            if os.fsencode(part) not in line:
                continue
            with contextlib.suppress(strictjson.BadJSON):
                left = mapping(strictjson.loads(line))
                tick = str(mapping(left.get("letter")).get("id"))
                again = [str(one) for one in sequence(left.get("retried_as"))]
                if part in tick and again:
                    step = f"cadence show {again[-1].rpartition('-')[2]}"
                    return NoSuch(f"{tick} was already retried, as {', '.join(again)}", next_step=step)
    cadences = cadence_names(home)
    if part in cadences:
        return NoSuch(f"{part!r} is a cadence, not a tick", next_step=f"cadence ls --cadence {part}")
    return NoSuch(f"no tick {part!r} in {home.root}{meant(part, cadences)}", next_step="cadence ls")


def _matches(home: Home, wanted: str, states: tuple[str, ...]) -> dict[str, Found]:
    """By id; where one lies in two places for a moment, the later of STATES counts."""
    # In a file name the cadence stands between the halves of the id.
    stamp, _, random = wanted.rpartition("-") if "-" in wanted else ("", "", wanted)
    since_day = f"{wanted[:4]}-{wanted[4:6]}-{wanted[6:8]}" if is_id(wanted) else ""
    found: dict[str, Found] = {}
    for folder in folders(home, states, since_day):
        for file in names(home, folder):
            if stamp not in file or random not in file:
                continue
            name = name_in(file)
            if name is not None and wanted in name.id:
                found[name.id] = Found(folder, file, name)
    return found


def find_waiting(home: Home, part: str) -> Found:
    """A tick that waits; for any other the error says what it does instead."""
    found = find(home, part)
    if found.state in WAITING:
        return found
    verb = {"claimed": "kill", "dead": "dead show"}.get(found.state, "show")
    said = {"claimed": "it is being run", "dead": "it is dead"}.get(found.state, "it is done")
    raise NoSuch(
        f"{found.name.id} is not waiting any more: {said}", next_step=f"cadence {verb} {found.name.random}"
    )


def find_each(home: Home, parts: Iterable[str], *, waiting: bool = False) -> list[Found]:
    """The ticks that are named, each once; many ids, or their random ends, are looked up in one go."""
    one, states = (find_waiting, WAITING) if waiting else (find, STATES)
    parts = list(parts)
    known = _known(home, parts, states) if len(parts) > 1 else {}
    found = (known.get(part) or one(home, part) for part in parts)
    return list({tick.name.id: tick for tick in found}.values())


def _known(home: Home, parts: Iterable[str], states: tuple[str, ...]) -> dict[str, Found]:
    """What is named by its whole id or the whole random end of one, in one look at all names."""
    # Digits alone may be a piece of any stamp.
    wanted = {part for part in parts if not part.isdigit()}
    ends = {part.rpartition("-")[2] for part in wanted}
    known: dict[str, Found] = {}
    several: set[str] = set()
    for folder in folders(home, states):
        for file in names(home, folder):
            if file[-13:-5] in ends and (name := name_in(file)) is not None:
                for part in wanted & {name.id, name.random}:
                    if part in known and known[part].name.id != name.id:
                        several.add(part)
                    known[part] = Found(folder, file, name)
    return {part: tick for part, tick in known.items() if part not in several}


def members_of(home: Home, found: Found) -> dict[str, Any]:
    """What the tick's file says; its name alone where it says nothing readable."""
    try:
        return load_object(f"{home.state}/{found.place}", LARGEST)
    except (OSError, ValueError):
        return {"id": found.name.id, "cadence": found.name.cadence}
