"""How busy this machine is, and how much memory it has left."""

from __future__ import annotations

import os
import re

_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)


def load_per_core() -> float:
    """The load of the last minute, per core that this process may use; OSError where nobody knows it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return os.getloadavg()[0] / (cores or 1)


def free_mb() -> float:
    """The memory that a new program could have, in MB; OSError where nobody knows it."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = _AVAILABLE.search(file.read())
        if found:
            return int(found[1]) * 1024 / 1e6
    except FileNotFoundError:
        pass
    import psutil  # noqa: PLC0415 - not cheap, and only where /proc is missing

    try:
        return float(psutil.virtual_memory().available) / 1e6
    except psutil.Error as error:
        raise OSError(str(error)) from None
