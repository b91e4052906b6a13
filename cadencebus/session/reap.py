"""The sweep from outside: every process that bears a run's mark, and what is below it, dies."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.session import identity, lineage
from cadencebus.store import files
from cadencebus.store.corrupt import load_object

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_PAUSE = 0.01
_EMPTY_LOOKS = 2
_TOLD_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class Leftover:
    """A process of a run that should have no process any more."""

    identity: identity.Identity
    name: str
    cmdline: str

    @property
    def pid(self) -> int:
        """Its number."""
        return self.identity.pid


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Who was killed, and who survived even that."""

    killed: tuple[Leftover, ...]
    survivors: tuple[Leftover, ...]


def marked(home: str | None = None) -> dict[int, str]:
    """Every process that bears a run's mark (any bus's, or that of this home): pid to run id."""
    found = {}
    for pid in lineage.pids():
        told = identity.variables(pid)
        if identity.MARK in told and home in {None, told.get(identity.HOME)}:
            found[pid] = told[identity.MARK]
    return found


def find(run_id: str) -> list[Leftover]:
    """Every process of a run: those that bear its mark, and their descendants whatever they bear.

    Never the caller or its ancestors: who sweeps from inside a run must live to see the end of it.
    """
    return _found(run_id, _marked(run_id), lineage.census())


def _marked(run_id: str) -> dict[int, int]:
    """Who bears the mark, and in which group: who forks and exits is soon gone, the group is not."""
    found = {}
    for pid in lineage.pids():
        with contextlib.suppress(OSError):
            group = os.getpgid(pid)
            if identity.mark_of(pid) == run_id:
                found[pid] = group
    spared = lineage.ancestry() if found else ()
    return {pid: group for pid, group in found.items() if pid not in spared}


def _found(run_id: str, marked: Collection[int], seen: lineage.Census) -> list[Leftover]:
    # Asked again: a pid that changed hands before the census must not make a stranger one of ours.
    roots = [pid for pid in marked if pid in seen and identity.mark_of(pid) == run_id]
    spared = lineage.ancestry()
    return [
        Leftover(identity.Identity(pid, seen[pid].started, identity.mark_of(pid)), **lineage.describe(pid))
        for pid in (*roots, *lineage.below(roots, seen))
        if pid not in spared
    ]


def _own_groups() -> set[int]:
    """Of the caller and its ancestors."""
    groups = set()
    for pid in lineage.ancestry():
        with contextlib.suppress(OSError):
            groups.add(os.getpgid(pid))
    return groups


def sweep(run_id: str, within: float = 10.0) -> SweepResult:
    """Kill every process of a run, in rounds, until none is found or the time is up."""
    deadline = time.monotonic() + within
    killed: dict[int, Leftover] = {}
    looks = 0
    # Who is between two programs shows no environment for a moment: one empty look is not enough.
    while looks < _EMPTY_LOOKS:
        marked = _marked(run_id)
        looks = 0 if marked else looks + 1
        left = _strike(run_id, marked) if marked else []
        time.sleep(_PAUSE)
        survivors = tuple(leftover for leftover in left if identity.same(leftover.identity))
        killed |= {leftover.pid: leftover for leftover in left if leftover not in survivors}
        if time.monotonic() >= deadline:
            return SweepResult(tuple(killed.values()), survivors)
    return SweepResult(tuple(killed.values()), ())


def _strike(run_id: str, marked: Mapping[int, int]) -> list[Leftover]:
    """Kill them, their groups and their descendants; a group never reaches beyond its session."""
    seen = lineage.census()
    left = _found(run_id, marked, seen)
    whole = lineage.whole_groups({leftover.pid for leftover in left}, seen)
    for group in (set(marked.values()) | whole) - _own_groups():
        lineage.kill_group(group)
    for leftover in left:
        lineage.send(leftover.pid, signal.SIGKILL, functools.partial(identity.same, leftover.identity))
    return left


def leaks(run_dir: str) -> list[dict[str, Any]]:
    """What was found after the session's own end, as `leaked.json` names it."""
    try:
        told = load_object(f"{run_dir}/leaked.json", _TOLD_MOST).get("leaked", [])
    except (OSError, ValueError):
        return []
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []


def survivors(run_dir: str) -> list[int]:
    """Who outlived even SIGKILL, when that was last tried."""
    try:
        told = load_object(f"{run_dir}/leaked.json", _TOLD_MOST).get("survivors", [])
    except (OSError, ValueError):
        return []
    return [pid for pid in told if isinstance(pid, int)] if isinstance(told, list) else []


def tell(run_dir: str, result: SweepResult) -> None:
    """Add to `leaked.json` whom the shim could not find, or did not live to name, and who is left."""
    known = leaks(run_dir)
    pids = {one.get("pid") for one in known}
    fresh = [
        {"pid": one.pid, "name": one.name, "cmdline": one.cmdline}
        for one in (*result.killed, *result.survivors)
    ]
    told = [*known, *(one for one in fresh if one["pid"] not in pids)]
    note = {"leaked": told, "count": len(told), "survivors": [one.pid for one in result.survivors]}
    temporary = f"{run_dir}/.leaked.json"
    files.discard(temporary)
    files.replace(temporary, f"{run_dir}/leaked.json", json.dumps(note).encode() + b"\n", durable=False)
