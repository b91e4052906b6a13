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

from cadencebus.model.naming import parse_run
from cadencebus.session import identity, life, process_tree
from cadencebus.store import files
from cadencebus.store.json_file import load_object
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cadencebus.session.life import AliveNote

_PAUSE, _PATIENT = 0.01, 0.5
# What empty looks must add up to; one under which somebody came or went proves less than a quiet one.
_PROOF, _QUIET, _RESTLESS = 6, 3, 1
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

    @property
    def lives(self) -> bool:
        """Whether it still does: its pid and its start tell, even where another program hides its mark."""
        return process_tree.started(self.pid) == self.identity.started


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Who was killed, and who survived even that."""

    killed: tuple[Leftover, ...]
    survivors: tuple[Leftover, ...]


def marked(home: str | None = None) -> dict[int, str]:
    """Every process that bears a run's mark (any bus's, or that of this home): pid to run id."""
    found = {}
    for pid in process_tree.pids():
        told = identity.variables(pid)
        if identity.MARK in told and home in {None, told.get(identity.HOME)}:
            found[pid] = told[identity.MARK]
    return found


def find(run_id: str) -> list[Leftover]:
    """Every process of a run: those that bear its mark, and their descendants whatever they bear.

    Never the caller or its ancestors: who sweeps from inside a run must live to see the end of it.
    """
    roots, _ = _roots(run_id, ())
    return _found(roots, process_tree.census())


def _roots(run_id: str, known: Iterable[identity.Identity]) -> tuple[dict[identity.Identity, int], bool]:
    """Who bears the mark, and who is known to be of the run whatever it bears; and in which groups they are.

    The groups are asked for at once: who forks and exits is soon gone, its group is not. The second answer is
    whether somebody came or went meanwhile.
    """
    newest, restless = process_tree.newest(), False
    found = {}
    for pid in process_tree.pids():
        try:
            group = os.getpgid(pid)
            one = identity.identify(pid) if _bears(pid, run_id) else None
        except OSError:
            restless = True
        else:
            if one is not None and one.mark == run_id:
                found[one] = group
    for one in known:
        with contextlib.suppress(OSError):
            group = os.getpgid(one.pid)
            if process_tree.started(one.pid) == one.started:
                found[one] = group
    spared = process_tree.ancestry() if found else ()
    return {
        one: group for one, group in found.items() if one.pid not in spared
    }, restless or process_tree.newest() != newest


def _bears(pid: int, run_id: str) -> bool:
    """Whether a process bears the run's mark, and its own home does not say that this run lives.

    Who sweeps for a copy of a home, with its runs in it, must not end those of the home that was copied.
    """
    told = identity.variables(pid)
    if told.get(identity.MARK) != run_id:
        return False
    home, run = told.get(identity.HOME), parse_run(run_id)
    try:
        return not (home and run and life.is_alive(Home(home).run(*run)))
    except OSError:
        return True


def _found(roots: Iterable[identity.Identity], seen: process_tree.Census) -> list[Leftover]:
    # Asked again: a pid that changed hands before the census must not make a stranger one of ours.
    still = [one.pid for one in roots if one.pid in seen and seen[one.pid].started == one.started]
    spared = process_tree.ancestry()
    return [
        Leftover(
            identity.Identity(pid, seen[pid].started, identity.mark_of(pid)), **process_tree.describe(pid)
        )
        for pid in dict.fromkeys((*still, *process_tree.below(still, seen)))
        if pid not in spared
    ]


def _own_groups() -> set[int]:
    """Of the caller and its ancestors."""
    groups = {os.getpgrp()}
    for pid in process_tree.ancestry():
        with contextlib.suppress(OSError):
            groups.add(os.getpgid(pid))
    return groups


def sweep(run_id: str, within: float = 10.0, known: Iterable[identity.Identity] = ()) -> SweepResult:
    """Kill every process of a run, in rounds, until none is found or the time is up.

    `known` are of the run though their mark can't be read: another user's process shows no environment.
    """
    deadline = time.monotonic() + within
    struck: dict[int, Leftover] = {}
    survivors: tuple[Leftover, ...] = ()
    proof, pause = 0, _PAUSE
    # A process in the middle of an exec shows no environment for a moment: one empty look is not enough.
    while proof < _PROOF:
        roots, restless = _roots(run_id, known)
        proof = 0 if roots else proof + (_RESTLESS if restless else _QUIET)
        left = _strike(roots) if roots else []
        time.sleep(pause)
        before, survivors = survivors, tuple(leftover for leftover in left if leftover.lives)
        struck |= {leftover.pid: leftover for leftover in left}
        if time.monotonic() >= deadline:
            break
        # Only waiting helps against those that stay, and a look at all processes is not cheap.
        pause = min(2 * pause, _PATIENT) if survivors and survivors == before else _PAUSE
        known = [leftover.identity for leftover in survivors]
    # One that took long to die was noted as a survivor, and is not found any more.
    living = {leftover.pid for leftover in survivors}
    return SweepResult(tuple(one for pid, one in struck.items() if pid not in living), survivors)


def _strike(roots: Mapping[identity.Identity, int]) -> list[Leftover]:
    """Kill them, their groups and their descendants; a group never reaches beyond its session."""
    seen = process_tree.census()
    left = _found(roots, seen)
    whole = process_tree.whole_groups({leftover.pid for leftover in left}, seen)
    for group in (set(roots.values()) | whole) - _own_groups():
        process_tree.kill_group(group)
    for leftover in left:
        process_tree.send(leftover.pid, signal.SIGKILL, functools.partial(identity.same, leftover.identity))
    return left


def leaks(run_dir: str) -> list[dict[str, Any]]:
    """What was found after the session's own end, as `leaked.json` names it."""
    told = _noted(run_dir, "leaked.json").get("leaked")
    known = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return [one for one in known if isinstance(one.get("pid"), int)]


def survivors(run_dir: str) -> list[int]:
    """Who outlived even SIGKILL, when that was last tried."""
    told = _noted(run_dir, "leaked.json").get("survivors")
    return [pid for pid in told if isinstance(pid, int)] if isinstance(told, list) else []


def outlived(run_dir: str) -> list[identity.Identity]:
    """The same, as those whom nobody can be mistaken for; none where that was another boot, or machine."""
    told = _noted(run_dir, "leaked.json").get("started")
    same_boot = _noted(run_dir, "run.json").get("boot_id") == identity.boot_id()
    since = told if isinstance(told, dict) and same_boot else {}
    return [
        identity.Identity(pid, float(since[str(pid)]), None)
        for pid in survivors(run_dir)
        if isinstance(since.get(str(pid)), (int, float))
    ]


def led_by(note: AliveNote) -> list[identity.Identity]:
    """Who is still in the group of a run whose shim is gone: its mark may be nobody's to read (macOS).

    Both numbers must agree, and none who leads bear the shim's: neither is given again while one is left.
    """
    if note.pid is None or process_tree.look(note.shim) is not None:
        return []
    found = []
    for pid in process_tree.pids():
        with contextlib.suppress(OSError):
            if (os.getpgid(pid), os.getsid(pid)) == (note.pid, note.shim):
                found.append(identity.identify(pid))
    return [one for one in found if one is not None]


def _noted(run_dir: str, file: str) -> dict[str, Any]:
    try:
        return load_object(f"{run_dir}/{file}", _TOLD_MOST)
    except (OSError, ValueError):
        return {}


def tell(run_dir: str, result: SweepResult) -> None:
    """Add to `leaked.json` whom the shim could not find, or did not live to name, and who is left."""
    known = leaks(run_dir)
    pids = {one.get("pid") for one in known}
    fresh = [
        {"pid": one.pid, "name": one.name, "cmdline": one.cmdline}
        for one in (*result.killed, *result.survivors)
    ]
    told = [*known, *(one for one in fresh if one["pid"] not in pids)]
    note = {
        "leaked": told,
        "count": len(told),
        "survivors": [one.pid for one in result.survivors],
        "started": {one.pid: one.identity.started for one in result.survivors},
    }
    temporary = f"{run_dir}/.leaked.json"
    files.discard(temporary)
    # What the run itself put in the way is no trouble of the disk.
    with contextlib.suppress(FileNotFoundError, FileExistsError, IsADirectoryError):
        files.replace(temporary, f"{run_dir}/leaked.json", json.dumps(note).encode() + b"\n", durable=False)
