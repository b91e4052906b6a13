"""What a power cut must leave, whatever else it takes: read from the names and bytes alone, by no consumer.

`sweep` goes through all that a power cut may leave of recorded operations. `Moment` is what is to be seen
while the power is on: who runs, and what follows from whom. `broken` looks at what is left of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torturing import paper
from torturing.ground import TICKS_LIE_IN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from torturing.ground import Ground

    Names = Mapping[str, paper.Inode]
    Copies = Mapping[str, list[tuple[str, dict[str, Any]]]]

_TICKS = tuple(f"/state/{folder}/" for folder in TICKS_LIE_IN)
ENDED = ("done", "dead")
_ENDS = ("tick.done", "tick.dead")
# What a run is judged by, should nobody be left who started it.
_RECORD = ("tick.json", "run.json")


def sweep(
    ground: Ground, trace: Iterable[tuple[str, str]], seeds: int
) -> Iterator[tuple[int, int, list[str]]]:
    """After each call, in each state that a power cut may leave: (call, seed, what is wrong with it)."""
    disk = paper.of(ground)
    for step, (call, text) in enumerate(trace, 1):
        disk.do(call, text)
        moment = Moment(disk.names)
        for seed in range(seeds):
            names = disk.left(random.Random(seed), seed)  # noqa: S311 - to choose, not to hide
            yield step, seed, [*_missing(ground.acknowledged, names), *broken(moment, names)]


class Moment:
    """Which runs are going on, and which ticks have follow-ups, as anybody can see just now."""

    def __init__(self, names: Names) -> None:
        alive = [os.path.dirname(path) for path in names if path.endswith("/alive")]
        self.runs = {
            run: _read(bytes(names[f"{run}/tick.json"].data))
            for run in alive
            if f"{run}/exit.pending" in names and f"{run}/tick.json" in names
        }
        lying = (_read(bytes(inode.data)) for path, inode in names.items() if _place(path))
        self.parents = {id_ for tick in lying if (id_ := _parent(tick))}


def broken(moment: Moment, names: Names) -> Iterator[str]:
    """Each promise that does not hold for what is left."""
    copies = _copies(names)
    for run, tick in moment.runs.items():
        yield from _unready(run, tick, names, copies)
    for parent in moment.parents:
        if not any(tick.get("settling") for _, tick in copies.get(parent, ())):
            yield f"{parent} has follow-ups and no commit"
    told = _told(names)
    for id_, lying in copies.items():
        if all(place in ENDED for place, _ in lying):
            yield from _unended(id_, lying, names, copies, told)


def _missing(acknowledged: Iterable[str], names: Names) -> list[str]:
    there = {
        path.removesuffix(".json").rpartition("-")[2]
        for path, inode in names.items()
        if path.startswith(_TICKS) and inode.safe
    }
    return [f"lost: {tick} lies nowhere" for tick in acknowledged if tick.rpartition("-")[2] not in there]


def _unready(run: str, tick: dict[str, Any], names: Names, copies: Copies) -> Iterator[str]:
    """What a run that has begun must have on the disk."""
    name = os.path.basename(run)
    missing = [file for file in _RECORD if not _safe(names, f"{run}/{file}")]
    missing += [path for path in (run, os.path.dirname(run), f"{run}/exit.pending") if path not in names]
    if missing:
        yield f"{name} runs without {', '.join(missing)}"
    if not any(place not in {"inbox", "deferred"} for place, _ in copies.get(tick["id"], ())):
        yield f"{name} runs without a claim"
    if tick.get("key") is not None and _key(tick) not in names:
        yield f"{name} runs without its key"


def _unended(
    id_: str, lying: list[tuple[str, dict[str, Any]]], names: Names, copies: Copies, told: frozenset[str]
) -> Iterator[str]:
    """What must have come before a tick lies in done/ or dead/ and nowhere else: no restart mends that."""
    if not any(tick.get("outcome") for _, tick in lying):
        yield f"{id_} has ended without an outcome"
    if id_ not in told:
        yield f"{id_} has ended and the journal does not tell of it"
    for _, tick in lying:
        plan = tick.get("settling") or {}
        children = sum(any(_parent(child) == id_ for _, child in others) for others in copies.values())
        if children < len(plan.get("follow_ups", ())):
            yield f"{id_} has ended without what follows"
        for memory in plan.get("memory", ()):
            inode = names.get(f"/state/cadences/{memory}.json")
            if inode is None or plan["run"] not in _read(inode.safe or b"").get("applied", ()):
                yield f"{id_} has ended and {memory} does not remember it"


def _copies(names: Names) -> Copies:
    """Where each tick lies, and what it says there."""
    found = defaultdict(list)
    for path, inode in names.items():
        if (place := _place(path)) and (tick := _read(inode.safe or b"")):
            found[tick.get("id", "")].append((place, tick))
    return found


def _place(path: str) -> str | None:
    """The folder of a tick, `done` for each of its days; None for every other file."""
    words = path.split("/")
    return words[2] if len(words) > 3 and words[2] in TICKS_LIE_IN and path.endswith(".json") else None  # noqa: PLR2004


def _parent(tick: dict[str, Any]) -> str | None:
    return tick.get("parent") or tick.get("on_dead_of")


def _safe(names: Names, path: str) -> bool:
    return path in names and bool(names[path].safe)


def _key(tick: dict[str, Any]) -> str:
    named = f"{tick['cadence']}\0{tick['key']}".encode()
    return f"/state/keys/{hashlib.sha256(named).hexdigest()}"


def _told(names: Names) -> frozenset[str]:
    """The ticks of whose end the journal tells."""
    days = (inode.safe or b"" for path, inode in names.items() if path.startswith("/state/events/"))
    return frozenset().union(*map(_ends, days))


@lru_cache(maxsize=4096)
def _ends(day: bytes) -> frozenset[str]:
    facts = map(_read, day.splitlines())
    return frozenset(fact["tick"] for fact in facts if fact.get("event") in _ENDS)


@lru_cache(maxsize=65536)
def _read(data: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for whatever is none."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
