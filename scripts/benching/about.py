"""On what machine, when and of which state of the sources something was measured."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]


def about() -> dict[str, str]:
    """What a figure means nothing without."""
    return {
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": _commit(),
        "machine": f"{platform.system()} {platform.release()}, {_processor()}, {os.cpu_count()} cores",
        "disk": _file_system(tempfile.gettempdir()),
        "python": platform.python_version(),
        # Who else is at work shows in every figure.
        "load": f"{os.getloadavg()[0]:.1f}",
    }


def in_a_line(told: dict[str, str]) -> str:
    """The same for a page."""
    return (
        f"*{told['at']}, commit {told['commit']}; {told['machine']}, {told['disk']}, "
        f"Python {told['python']}; load {told['load']} at the start*"
    )


def _commit() -> str:
    """The state of what is measured: the page that is being written does not count."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        changed = " and what is not yet committed" if _git("status", "--porcelain", "cadencebus") else ""
        return _git("rev-parse", "--short", "HEAD") + changed
    return "unknown"


def _git(*words: str) -> str:
    ended = subprocess.run(["git", *words], check=True, capture_output=True, text=True, cwd=ROOT)
    return ended.stdout.strip()


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(path: str) -> str:
    """The kind of file system that a path lies on."""
    real = os.path.realpath(path)
    mounts = [
        one
        for one in psutil.disk_partitions(all=True)
        if os.path.commonpath([one.mountpoint, real]) == one.mountpoint
    ]
    return max(mounts, key=lambda one: len(one.mountpoint)).fstype if mounts else "unknown"
