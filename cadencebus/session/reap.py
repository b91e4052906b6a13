"""The sweep from outside: every process that bears a run's mark dies, wherever it has hidden."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.session.identity import LINUX, mark_of, own_line

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class SweepResult:
    """Who was killed, and who survived even that."""

    killed: tuple[int, ...]
    survivors: tuple[int, ...]


def marked(run_id: str | None = None) -> dict[int, str]:
    """Every process that bears a run's mark (of this run, or of any): pid to run id."""
    found = {}
    for pid in _pids():
        mark = mark_of(pid)
        if mark is not None and (run_id is None or mark == run_id) and not _zombie(pid):
            found[pid] = mark
    return found


def sweep(run_id: str, within: float = 10.0) -> SweepResult:
    """Kill every process of a run, in rounds, until none is found or the time is up."""
    deadline = time.monotonic() + within
    spared = own_line()
    killed: set[int] = set()
    while left := [pid for pid in marked(run_id) if pid not in spared]:
        for pid in left:
            if _kill(pid, run_id):
                killed.add(pid)
        if time.monotonic() >= deadline:
            return SweepResult(tuple(sorted(killed)), tuple(left))
        time.sleep(0.01)
    return SweepResult(tuple(sorted(killed)), ())


def _kill(pid: int, run_id: str) -> bool:
    """SIGKILL a process only while it bears the mark; a pidfd can't become another process's meanwhile."""
    if not hasattr(os, "pidfd_open"):
        return mark_of(pid) == run_id and _sent(lambda: os.kill(pid, signal.SIGKILL))
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        return mark_of(pid) == run_id and _sent(lambda: signal.pidfd_send_signal(fd, signal.SIGKILL))
    finally:
        os.close(fd)


def _sent(send: Callable[[], None]) -> bool:
    try:
        send()
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _pids() -> list[int]:
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    return list(psutil.pids())


def _zombie(pid: int) -> bool:
    if not LINUX:
        return False
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in {b"Z", b"X"}
    except (OSError, IndexError):
        return True
