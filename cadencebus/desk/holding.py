"""Holds and circuits as an operator sees and releases them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cadencebus.clock import rfc3339
from cadencebus.desk.journaling import tell
from cadencebus.desk.lookup import names
from cadencebus.errors import IOTrouble
from cadencebus.model.foreign import mapping
from cadencebus.model.hold import OPERATOR, Hold, hold_event, hold_of, on_cadence
from cadencebus.store import files
from cadencebus.store.config import settings_or_default
from cadencebus.store.corrupt import load_object
from cadencebus.store.holds import Holds
from cadencebus.store.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.store.paths import Home


class Held(NamedTuple):
    """A hold, and the file that it stands in: of one that can't be read only the file's name is certain."""

    file: str
    hold: Hold

    def dump(self, now: float) -> dict[str, Any]:
        """The keys of the file on disk, with its name and whether it is in force."""
        return {"file": self.file, **self.hold.dump(), "in_force": not self.hold.over(now)}


def held(home: Home, now: float) -> list[Held]:
    """Every hold, by name; those that are over stay until a consumer clears them away."""
    found = []
    for file in sorted(names(home, "holds")):
        members: dict[str, Any] | None
        try:
            members = load_object(f"{home.holds}/{file}")
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            members = None
        hold = hold_of(file, members, seen=now)
        if hold is not None:
            found.append(Held(file, hold))
    return found


def circuits(home: Home, now: float) -> list[dict[str, Any]]:
    """Every circuit that is not closed: open while its hold stands, then half-open."""
    memory, rows = Memory(home), []
    holds = {one.file: one.hold for one in held(home, now)}
    for name in memory.names():
        circuit = mapping(memory.load(name, now, mend=False).get("circuit"))
        if not circuit:
            continue
        hold = holds.get(f"{on_cadence(name)}.circuit_open.json")
        is_open = hold is not None and not hold.over(now)
        facts = {key: circuit.get(key) for key in ("since", "until", "failures", "reason")}
        rows.append({"cadence": name, "state": "open" if is_open else "half-open", **facts})
    return rows


def credentials_named(home: Home, word: str) -> str | None:
    """The credentials that a word names: by their own name, or by a runner that uses them; None: nobody's."""
    runners = settings_or_default(home)[0].runners
    if any(runner.credentials == word for runner in runners.values()):
        return word
    return runners[word].credentials if word in runners else None


def put(home: Home, hold: Hold) -> None:
    """Write a hold and tell of it."""
    Holds(home).set(hold)
    until = None if hold.until is None else rfc3339(hold.until)
    tell(home, {**hold_event("hold.set", hold.file), "until": until, "detail": hold.detail, "by": OPERATOR})


def release(home: Home, found: Iterable[Held]) -> list[Held]:
    """Remove holds and tell of it; those that were still there."""
    released, stuck = [], ""
    for one in found:
        try:
            _remove(f"{home.holds}/{one.file}")
        except FileNotFoundError:
            continue
        except OSError as error:
            # The others are wanted gone all the same.
            stuck = f"holds/{one.file} can't be removed: {error.strerror}"
            continue
        released.append(one)
    if released:
        files.sync_folder(home.holds)
        tell(home, *({**hold_event("hold.released", one.file), "by": OPERATOR} for one in released))
    if stuck:
        raise IOTrouble(stuck, next_step="look at it, and remove it by hand")
    return released


def _remove(path: str) -> None:
    """Remove what holds; somebody may have made a folder of that name, which holds as well."""
    if os.path.isdir(path) and not os.path.islink(path):
        os.rmdir(path)
    else:
        os.unlink(path)
