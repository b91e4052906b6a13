"""Who is whose child: processes as the kernel shows them, and signals that can't hit a stranger.

The shim works with it too: on Linux it needs /proc and the standard library, and nothing dear of that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    Census = dict[int, "Seen"]

LINUX = sys.platform.startswith("linux")
_CMDLINE = 200


class Seen:
    """A living process: whose child, in whose group, and since when, in a unit of the platform's own."""

    __slots__ = ("group", "parent", "started")

    def __init__(self, parent: int, group: int, started: float) -> None:
        self.parent = parent
        self.group = group
        self.started = started


def look(pid: int) -> Seen | None:
    """Look at a process; None where it is gone, or a zombie, which is as good as gone."""
    if not LINUX:
        return _look_portably(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name stands in parentheses and may hold any byte, parentheses too.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    state, threads = fields[0], int(fields[17])
    # A first thread that has ended shows as a zombie while the others run on.
    if state in {b"Z", b"X"} and threads < 2:  # noqa: PLR2004
        return None
    return Seen(int(fields[1]), int(fields[2]), float(fields[19]))


def started(pid: int) -> float | None:
    """When a living process started: with its pid, what tells it from any other of this boot."""
    seen = look(pid)
    return seen.started if seen else None


def census() -> Census:
    """Every living process."""
    return {pid: seen for pid in pids() if (seen := look(pid)) is not None}


def below(roots: Collection[int], seen: Census) -> list[int]:
    """The descendants of these processes, each after its parent, themselves left out."""
    children: dict[int, list[int]] = {}
    for pid, one in seen.items():
        children.setdefault(one.parent, []).append(pid)
    found: list[int] = []
    known = set(roots)
    for generation in (roots, found):
        # The list grows while it is walked: children, then theirs.
        for pid in generation:
            # A census takes a while: what a reused number ties together must not become a circle.
            fresh = [child for child in children.get(pid, ()) if child not in known]
            known.update(fresh)
            found += fresh
    return found


def whole_groups(pids: Collection[int], seen: Census) -> set[int]:
    """The process groups that these processes make up alone.

    Only a signal to its group hits what forks and exits faster than it can be looked at.
    """
    groups = {seen[pid].group for pid in pids}
    return groups - {one.group for pid, one in seen.items() if pid not in pids} - {0, os.getpgrp()}


def ancestry(pid: int | None = None) -> set[int]:
    """The caller (or that process) and its ancestors: never to be killed by a sweep."""
    line, at = set(), pid or os.getpid()
    while at > 0 and at not in line:
        line.add(at)
        seen = look(at)
        at = seen.parent if seen else 0
    return line


def send(pid: int, number: int, still: Callable[[], bool]) -> bool:
    """Signal a process if, looked at again with a handle on it, it still is who was meant."""
    with _handle(pid) as fd:
        if not still():
            return False
        try:
            if fd is None:
                os.kill(pid, number)
            else:
                signal.pidfd_send_signal(fd, number)  # type: ignore[attr-defined,unused-ignore]
        except (ProcessLookupError, PermissionError):
            return False
        return True


def kill_group(group: int) -> None:
    """Kill all of a group at one blow; none of it can fork out of the way."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


@contextlib.contextmanager
def _handle(pid: int) -> Iterator[int | None]:
    """A pidfd, which can't become another process's; None where there is no such thing."""
    fd = None
    if hasattr(os, "pidfd_open"):
        # Gone already, an old kernel, no descriptor left: the look that follows has to do.
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def describe(pid: int) -> dict[str, str]:
    """What a person wants to know of a process: its name, and the beginning of its command line."""
    name, cmdline = _named(pid) if LINUX else _named_portably(pid)
    return {"name": name.strip(), "cmdline": cmdline[:_CMDLINE].strip()}


def is_the_bus(pid: int) -> bool:
    """Whether it runs this very command; that a path on its command line has such a name says nothing."""
    _, cmdline = _named(pid) if LINUX else _named_portably(pid)
    return "/cadence " in f"/{cmdline.rstrip()}" or " -m cadencebus" in cmdline


def _named(pid: int) -> tuple[str, str]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", "rb") as comm:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            cmdline = words.read().replace(b"\0", b" ").decode("utf-8", "replace")
        return comm.read().decode("utf-8", "replace"), cmdline
    return "", ""


def stopped(pid: int) -> bool:
    """Whether a signal has stopped it (SIGSTOP, a debugger): it lives, keeps its locks, and does nothing."""
    if not LINUX:
        return _stopped_portably(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(4096).rpartition(b")")[2].split()[0] in {b"T", b"t"}
    except (OSError, IndexError):
        return False


def pids() -> list[int]:
    """Every process, the newest first: who forks and exits, again and again, is found there or nowhere."""
    if LINUX:
        found = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        youngest = newest()
        # Numbers are given out in a circle; what stands above the newest is older than all below.
        return sorted(found, key=lambda pid: (pid > youngest, -pid))
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    # macOS has a process 0: to getpgid, getsid and kill that is the caller.
    return sorted(filter(None, psutil.pids()), reverse=True)


def newest() -> int:
    """The number that was given to a process last; 0 where nobody tells."""
    try:
        with open("/proc/loadavg", "rb") as file:
            return int(file.read().split()[-1])
    except (OSError, ValueError, IndexError):
        return 0


def _look_portably(pid: int) -> Seen | None:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
                return None
            # By what psutil tells processes apart: its `create_time` moves on macOS when the clock is set.
            return Seen(process.ppid(), os.getpgid(pid), float(hash(process) % (1 << 53)))
    except (psutil.Error, OSError):
        return None


def _stopped_portably(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        return psutil.Process(pid).status() in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
    except psutil.Error:
        return False


def _named_portably(pid: int) -> tuple[str, str]:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        process = psutil.Process(pid)
        return process.name(), " ".join(process.cmdline())
    except (psutil.Error, OSError):
        return "", ""
