"""A wall clock that jumps by a day while the consumer works: nothing is lost, repeated or wedged.

The jump is put in by mutant.py, which turns the program's own clock, and its shims', by what a file in the
home says. Three runs that are under way when it jumps say whether a watch went by that clock: one that must
outlive it, two that must be ended all the same.
"""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from torturing import audit, scratch
from torturing.ground import SETTINGS, Ground, cadence, fresh
from torturing.report import Report
from torturing.waiting import until

if TYPE_CHECKING:
    from torturing.modes import Options

DAY = 86400.0
SLOTS = SETTINGS.replace("max_sessions: 2", "max_sessions: 6")
# cadence: (what it does, its limits, the class that it deserves)
# The orphan of the first ends under way: its shim is woken, and looks at its deadline, after the jump.
WATCHED: dict[str, tuple[str, str, str]] = {
    "patient": ("(sleep 1.5 &); sleep 2.5; code=0", "timeout: 60s\nidle_timeout: 30s\n", "ok"),
    "hangs": ("exec sleep 300", "timeout: 2s\nretries: 0\n", "timeout"),
    "silent": ("exec sleep 300", "timeout: 60s\nidle_timeout: 2s\nretries: 0\n", "stalled"),
}


def main(options: Options) -> Report:
    """Forward, back, and to and fro, during runs, back-offs, watches and waits."""
    report = Report("clock")
    points = {"forward": [DAY], "back": [-DAY], "to-and-fro": [DAY, -DAY, 0.0]}
    for point in options.points or points:
        report.add(point, _jumped(points[point], replace(options, mutant=options.mutant or "clock")))
    return report


def _jumped(jumps: list[float], options: Options) -> list[str]:
    ground = fresh(mutant=options.mutant, settings=SLOTS)
    for name, (work, keys, _) in WATCHED.items():
        (ground.root / "prompts" / f"{name}.md").write_text(cadence(work, keys))
    _jump(ground, 0.0)
    watched = {ground.enqueue(name): name for name in WATCHED}
    consumer = ground.behind("run")
    faults: list[str] = []
    try:
        if not until(lambda: {line[1] for line in audit.log_lines(ground)} >= set(watched)):
            faults.append("not started")
        for jump in jumps:
            _jump(ground, jump)
            started = len(audit.log_lines(ground))
            for name in ("plain", "second", "long"):
                ground.enqueue(name)
            until(partial(_goes_on, ground, started), 3.0)
        if not until(lambda: audit.all_ended(ground), 20):
            faults.append(f"stuck: {dict(audit.where(ground))}")
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(10)
        return faults + audit.settled(ground) + _by_the_wall(ground, watched)
    finally:
        scratch.put_down(ground.root.parent)
        ground.remove()


def _goes_on(ground: Ground, lines: int) -> bool:
    return len(audit.log_lines(ground)) > lines


def _jump(ground: Ground, seconds: float) -> None:
    """Turn the clock by one rename: it is asked for at any moment."""
    new = ground.root / "jump.new"
    new.write_text(str(seconds))
    new.rename(ground.root / "jump")


def _by_the_wall(ground: Ground, watched: dict[str, str]) -> list[str]:
    """The watched runs that did not end as they deserve, in one run each."""
    faults = []
    for folder, tick_id, path in audit.tick_files(ground):
        if tick_id not in watched or folder not in {"done", "dead"}:
            continue
        tick, name = json.loads(path.read_bytes()), watched[tick_id]
        got, runs = tick["outcome"]["class"], len(tick["attempts"])
        if (got, runs) != (WATCHED[name][2], 1):
            wanted = WATCHED[name][2]
            faults.append(f"by the wall clock: {name} ended {got} after {runs} runs, not {wanted} after one")
    return faults
