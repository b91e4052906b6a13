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
    from collections.abc import Callable, Iterable, Iterator

    # pid -> its parent, and when it started, in a unit of the platform's own.
    Census = dict[int, tuple[int, float]]

LINUX = sys.platform.startswith("linux")
_CMDLINE = 200


def look(pid: int) -> tuple[int, float] | None:
    """A living process's parent and start; None where it is gone, or a zombie, which is as good as gone."""
    if not LINUX:
        return _look_portably(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name stands in parentheses and may hold any byte, parentheses too.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    state, parent, threads, started = fields[0], fields[1], fields[17], fields[19]
    # A first thread that has ended shows as a zombie while the others run on.
    if state in {b"Z", b"X"} and int(threads) < 2:  # noqa: PLR2004
        return None
    return int(parent), float(started)


def started(pid: int) -> float | None:
    """When a living process started: with its pid, what tells it from any other of this boot."""
    seen = look(pid)
    return seen[1] if seen else None


def census() -> Census:
    """Every living process."""
    return {pid: seen for pid in _pids() if (seen := look(pid)) is not None}


def below(roots: Iterable[int], seen: Census) -> list[int]:
    """The descendants of these processes, each after its parent, themselves left out."""
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in seen.items():
        children.setdefault(parent, []).append(pid)
    line = list(dict.fromkeys(roots))
    known = set(line)
    first = len(line)
    for pid in line:
        # A child that started between two looks may be older than its parent's number: no circles.
        fresh = [child for child in children.get(pid, ()) if child not in known]
        known.update(fresh)
        line += fresh
    return line[first:]


def ancestry(pid: int | None = None) -> set[int]:
    """The caller (or that process) and its ancestors: never to be killed by a sweep."""
    line, at = set(), pid or os.getpid()
    while at > 0 and at not in line:
        line.add(at)
        seen = look(at)
        at = seen[0] if seen else 0
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
                signal.pidfd_send_signal(fd, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True


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


def _named(pid: int) -> tuple[str, str]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/comm", "rb") as comm:
        with open(f"/proc/{pid}/cmdline", "rb") as words:
            cmdline = words.read(_CMDLINE).replace(b"\0", b" ").decode("utf-8", "replace")
        return comm.read().decode("utf-8", "replace"), cmdline
    return "", ""


def _pids() -> list[int]:
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    return list(psutil.pids())


def _look_portably(pid: int) -> tuple[int, float] | None:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}:
                return None
            return process.ppid(), process.create_time()
    except (psutil.Error, OSError):
        return None


def _named_portably(pid: int) -> tuple[str, str]:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        process = psutil.Process(pid)
        return process.name(), " ".join(process.cmdline())
    except (psutil.Error, OSError):
        return "", ""
