"""Where the time of a tick goes: by what is seen on disk, by function, by system call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benching.ground import CADENCE, Figure, a_folder, environment, fill, leave_out, new_home

_SYNCS = {"fsync", "fdatasync", "syncfs"}
_PLACES, _CALLS = 16, 16


def functions(*, short: bool) -> list[Figure]:
    """What the consumer's threads are at while `true` runs as often as it goes: waits for the disk too."""
    count = 60 if short else 400
    with new_home() as home, a_folder() as folder:
        fill(home, count)
        os.sync()
        out = Path(folder) / "out"
        words = [sys.executable, str(Path(__file__).with_name("sampled.py")), str(out)]
        subprocess.run(words, env=environment(home), check=True, stdout=subprocess.DEVNULL)
        told = json.loads(out.read_text(encoding="utf-8"))
    each = 1000 * told["seconds"] / told["looks"] / count
    figures = [
        Figure("cpu_user_ms", 1000 * told["user"] / count, "ms", "CPU of the consumer a tick, Python"),
        Figure("cpu_system_ms", 1000 * told["system"] / count, "ms", "CPU of the consumer a tick, kernel"),
        Figure(
            "threads_ms",
            each * sum(n for _, n in told["places"]),
            "ms",
            "all threads' time a tick, waits for the disk and for each other included",
        ),
    ]
    return figures + [
        Figure(f"at_{place}", each * n, "ms", f"`{place}`") for place, n in told["places"][:_PLACES]
    ]


def calls(*, short: bool) -> list[Figure]:
    """System calls a tick, of the consumer, the launcher and the shim; the command's own are taken off."""
    if not shutil.which("strace"):
        leave_out("calls: strace is not installed (Debian: strace)")
        return []
    few, many = (10, 40) if short else (20, 120)
    before, after, own = _consumed(few), _consumed(many), _counted(["true"], dict(os.environ))
    if not after:
        leave_out("calls: strace may not trace here")
        return []
    # What a start and an end cost is in both.
    each = {name: (after[name] - before.get(name, 0)) / (many - few) - own.get(name, 0) for name in after}
    ordered = sorted((name for name in each if each[name] > 0), key=lambda name: -each[name])
    syncs = sum(each.get(name, 0.0) for name in _SYNCS)
    return [
        Figure("calls", sum(each[name] for name in ordered), "", "system calls a tick, in all"),
        Figure("syncs", syncs, "", "of them syncs"),
        *(Figure(f"calls_{name}", each[name], "", f"`{name}`") for name in ordered[:_CALLS]),
    ]


def _consumed(count: int) -> dict[str, int]:
    with new_home() as home:
        fill(home, count)
        return _counted([*CADENCE, "run", "--drain", "--quiet"], environment(home))


def _counted(words: list[str], env: dict[str, str]) -> dict[str, int]:
    """Calls by name, of a command and all it starts."""
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as out:
        traced = ["strace", "-f", "-c", "-o", out.name, *words]
        subprocess.run(traced, env=env, check=False, capture_output=True)
        rows = [line.split() for line in out.read().splitlines()]
    # % time, seconds, microseconds a call, calls, errors where there were any, name
    return {
        row[-1]: int(row[3]) for row in rows if len(row) in {5, 6} and row[3].isdigit() and row[-1] != "total"
    }
