"""Torture cleans up after itself, and after torture that could not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
# Makes its folder with a process of a home in it, says so, and goes (or is gone).
AT_WORK = """
import os, signal, subprocess, sys
sys.path.insert(0, sys.argv[1])
from torturing import scratch
home = scratch.new("home")
told = {"PATH": os.defpath, "CADENCE_HOME": f"{home}/home"}
left = subprocess.Popen(["sleep", "60"], env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(home, left.pid, flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def worked(how: str) -> tuple[Path, int]:
    """Let a program torture for a moment: the folder that it made, and the process that it left."""
    done = subprocess.run(
        [sys.executable, "-c", AT_WORK, str(SCRIPTS), how], capture_output=True, text=True, check=False
    )
    folder, pid = done.stdout.split()
    return Path(folder), int(pid)


def runs(pid: int) -> bool:
    """Whether a process is alive, a zombie being none."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_its_folder_and_its_processes_are_gone_with_it() -> None:
    """Nothing is left in memory that looks like a file."""
    folder, pid = worked("well")
    assert not folder.parent.exists()
    assert not os.path.isdir("/proc") or not runs(pid)


def test_what_was_killed_is_cleared_away_by_the_next() -> None:
    """SIGKILL gives nobody the time to clean up; the folder's lock tells that its owner is dead."""
    folder, pid = worked("killed")
    assert folder.exists()
    worked("well")
    assert not folder.parent.exists()
    assert not os.path.isdir("/proc") or not runs(pid)
