"""Is it still the same process? Asked before a signal; whether a run lives is decided by its lock."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import SystemClock
from cadencebus.model import foreign
from cadencebus.session import process_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "CADENCE_RUN_ID"
HOME = "CADENCE_HOME"


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that can't be mistaken for another one: the mark may be missing, the start never is."""

    pid: int
    started: float
    mark: str | None


def identify(pid: int) -> Identity | None:
    """The identity of a living process; None where there is none of that number."""
    started = process_tree.started(pid)
    return None if started is None else Identity(pid, started, mark_of(pid))


def same(identity: Identity) -> bool:
    """Whether the process still lives, and is the one that was seen: pid, start and mark agree."""
    return identify(identity.pid) == identity


def mark_of(pid: int) -> str | None:
    """The run a process belongs to, by its environment; None where it bears no mark or can't be read."""
    return variables(pid).get(MARK)


def variables(pid: int) -> dict[str, str]:
    """What a process was told of its bus, its run and its home; empty where that can't be read."""
    if process_tree.LINUX:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                return variables_in(file.read())
        except OSError:
            return {}
    told = _environment_portably(pid)
    return {name: told[name] for name in (MARK, HOME) if name in told}


def environment(pid: int) -> dict[str, str]:
    """All that a process was given at its start; empty where that can't be read."""
    if not process_tree.LINUX:
        return _environment_portably(pid)
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = (entry.partition(b"=") for entry in file.read().split(b"\0"))
            return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
    except OSError:
        return {}


def _environment_portably(pid: int) -> dict[str, str]:
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return {}


def variables_in(block: bytes) -> dict[str, str]:
    """The same, read from a block of NUL-separated environment; of a name given twice the first counts."""
    # Most processes of a machine are nobody's run: they are done with by this one search.
    if MARK.encode() not in block:
        return {}
    found: dict[str, str] = {}
    for entry in block.split(b"\0"):
        name, _, value = entry.decode("utf-8", "surrogateescape").partition("=")
        if name in {MARK, HOME}:
            found.setdefault(name, value)
    return found


@functools.cache
def boot_id() -> str:
    """Which boot of the machine this is: monotonic times of another one mean nothing."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return boot_of(file.read())
    except OSError:
        return _boot_elsewhere()


def seconds_since(note: Mapping[str, Any]) -> float | None:
    """How old a note is that names boot and monotonic time: what no sleep and no set clock makes older.

    None where it names neither, or was written before the machine started.
    """
    at = foreign.amount(note.get("monotonic"))
    if at is None or note.get("boot_id") != boot_id():
        return None
    return max(0.0, SystemClock().monotonic() - at)


def boot_of(text: str) -> str:
    """A boot's name as the kernel spells it, a UUID; ValueError where it is anything else."""
    name = text.strip("\0 \t\r\n").lower()
    if len(name) != 36 or set(name) - set("0123456789abcdef-"):  # noqa: PLR2004 - a UUID with its dashes
        raise ValueError(f"not a boot id: {text!r}")
    return name


def _boot_elsewhere() -> str:
    if sys.platform == "darwin":
        try:
            return boot_of(_sysctl("kern.bootsessionuuid"))
        except (OSError, ValueError, AttributeError):
            pass
    import psutil  # noqa: PLC0415 - not cheap, and only where the kernel has no name for a boot

    # The last resort: it moves when the wall clock is set.
    return f"boot-{psutil.boot_time():.0f}"


def _sysctl(name: str) -> str:
    import ctypes  # noqa: PLC0415 - only on macOS

    size = ctypes.c_size_t(64)
    text = ctypes.create_string_buffer(size.value)
    if ctypes.CDLL(None).sysctlbyname(name.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0)):
        raise OSError(f"no {name}")
    return text.value.decode("ascii", "replace")
