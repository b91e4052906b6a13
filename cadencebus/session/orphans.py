"""The shim's own sweep: what a run leaves behind becomes the shim's child, is named, and dies."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import time

from cadencebus.session import process_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_WITHIN = 10.0
_PAUSE, _PATIENT = 0.002, 0.25
_TOLD_AT_MOST = 100


@functools.cache
def prctl() -> Callable[..., int] | None:
    """The system call that makes a subreaper; None elsewhere than on Linux."""
    if not process_tree.LINUX:
        return None
    try:
        import ctypes  # noqa: PLC0415 - the launcher asks once, before its first fork

        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None


def prepare() -> None:
    """Load, before the first fork, what each shim would have to load for itself."""
    if process_tree.LINUX:
        prctl()
    else:
        import psutil  # noqa: F401, PLC0415 - not cheap, and only where /proc is missing


def become_subreaper() -> None:
    """Become the parent of every orphan of the tree below."""
    call = prctl()
    if call is not None:
        call(_SUBREAPER, 1, 0, 0, 0)


def sweep(folder: int, known: Mapping[int, float]) -> bool:
    """Kill what the run left behind, until nothing is left; `leaked.json` names it before it dies.

    `known` were below us earlier. False where something may still be alive.
    """
    deadline = time.monotonic() + _WITHIN
    told: dict[int, dict[str, Any]] = {}
    pause = _PAUSE
    while _any_left() or not process_tree.LINUX:
        seen = process_tree.census()
        left = _left(seen, known)
        if not left and not process_tree.LINUX:
            # One that leads its own session and has lost its parent may live: the consumer looks for marks.
            return False
        fresh = {pid: {"pid": pid, **process_tree.describe(pid)} for pid in left if pid not in told}
        # A process that forks and exits is gone before it can be named; the last of its descendants is not.
        fresh = {pid: one for pid, one in fresh.items() if one["cmdline"] or process_tree.look(pid)}
        # Only waiting helps against those that stay, and a look at all processes is not cheap.
        pause = _PAUSE if fresh else min(2 * pause, _PATIENT)
        if fresh:
            told |= fresh
            _tell(folder, told, {})
        for whole in process_tree.whole_groups(set(left), seen):
            process_tree.kill_group(whole)
        # All are stopped before the first is killed, so that those who fork can't outrun the list.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                _send(pid, number, seen[pid].started)
        if time.monotonic() >= deadline:
            _tell(folder, told, {pid: seen[pid].started for pid in left})
            return False
        time.sleep(pause)
    return True


def _left(seen: process_tree.Census, known: Mapping[int, float]) -> list[int]:
    """Who is below us; where orphans don't come to us: in our session, too, or known to have been below."""
    if process_tree.LINUX:
        return process_tree.below([os.getpid()], seen)
    roots = [os.getpid(), *(pid for pid, one in seen.items() if known.get(pid) == one.started)]
    for pid in seen:
        with contextlib.suppress(OSError):
            if os.getsid(pid) == os.getpid():
                roots.append(pid)
    return [pid for pid in dict.fromkeys((*roots, *process_tree.below(roots, seen))) if pid != os.getpid()]


def remember(known: dict[int, float]) -> None:
    """Note who is below us as long as it is: where orphans don't come to us, its parent's end hides it."""
    if not process_tree.LINUX:
        seen = process_tree.census()
        known |= {pid: seen[pid].started for pid in process_tree.below([os.getpid()], seen)}


def name_survivors(folder: int) -> None:
    """Name those below the caller in `leaked.json` who did not die of SIGKILL."""
    seen = process_tree.census()
    _tell(folder, {}, {pid: seen[pid].started for pid in process_tree.below([os.getpid()], seen)})


def _send(pid: int, number: int, started: float) -> None:
    """Signal a descendant: its own parent may have reaped it meanwhile, and its pid be a stranger's."""
    process_tree.send(pid, number, lambda: process_tree.started(pid) == started)


def _any_left() -> bool:
    """Reap what is dead; whether any child is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def _tell(folder: int, told: dict[int, dict[str, Any]], survivors: dict[int, float]) -> None:
    """Name the leaks, best effort: they die whether the disk is full or not."""
    note = {
        "leaked": list(told.values())[:_TOLD_AT_MOST],
        "count": len(told),
        "survivors": list(survivors),
        "started": survivors,
    }
    with contextlib.suppress(OSError):
        # Non-blocking: a pipe that the run has put there has no other end.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open("leaked.json", flags, 0o600, dir_fd=folder)
        with open(fd, "wb") as file:
            file.write(json.dumps(note).encode() + b"\n")
