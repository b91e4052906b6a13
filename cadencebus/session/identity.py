"""Is it still the same process? Asked before a signal; whether a run lives is decided by its lock."""

from __future__ import annotations

import functools
import os
import sys

LINUX = sys.platform.startswith("linux")
MARK = "CADENCE_RUN_ID"


@functools.cache
def boot_id() -> str:
    """Which boot of the machine this is: monotonic times of another one mean nothing."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

        return f"boot-{psutil.boot_time():.0f}"


def mark_of(pid: int) -> str | None:
    """The run a process belongs to, by its environment; None where it bears no mark or can't be read."""
    if LINUX:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                block = file.read()
        except OSError:
            return None
        return mark_in(block)
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        return psutil.Process(pid).environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def mark_in(block: bytes) -> str | None:
    """The mark in a block of NUL-separated environment."""
    wanted = MARK.encode() + b"="
    for entry in block.split(b"\0"):
        if entry.startswith(wanted):
            return entry[len(wanted) :].decode("ascii", "replace")
    return None


def own_line(pid: int | None = None) -> set[int]:
    """Name this process and its ancestors: never to be killed by a sweep."""
    line, at = set(), pid or os.getpid()
    while at > 0 and at not in line:
        line.add(at)
        at = _parent(at)
    return line


def _parent(pid: int) -> int:
    if LINUX:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                return int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return 0
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        return psutil.Process(pid).ppid()
    except (psutil.Error, OSError):
        return 0
