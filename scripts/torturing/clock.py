"""A wall clock that jumps by a day while the consumer works: nothing is lost, repeated or wedged.

The jump is put in by mutant.py, which turns the program's own clock by what a file in the home says.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from torturing import audit
from torturing.adopt import until
from torturing.ground import fresh
from torturing.report import Report

if TYPE_CHECKING:
    from torturing.modes import Options

DAY = 86400.0


def main(options: Options) -> Report:
    """Forward, back, and to and fro, during runs, back-offs and waits."""
    report = Report("clock")
    points = {"forward": [DAY], "back": [-DAY], "to-and-fro": [DAY, -DAY, 0.0]}
    for point in options.points or points:
        report.add(point, _jumped(points[point], replace(options, mutant=options.mutant or "clock")))
    return report


def _jumped(jumps: list[float], options: Options) -> list[str]:
    ground = fresh(mutant=options.mutant)
    (ground.root / "jump").write_text("0")
    consumer = ground.behind("run")
    faults: list[str] = []
    try:
        for jump in [0.0, *jumps]:
            (ground.root / "jump").write_text(str(jump))
            for name in ("plain", "second", "long"):
                ground.enqueue(name)
            started = len(audit.log_lines(ground))
            until(lambda started=started: len(audit.log_lines(ground)) > started, 3.0)
        done = ground.state / "done"
        if not until(lambda: len(list(done.rglob("*.json"))) == len(ground.acknowledged), 20):
            faults.append(f"stuck: {dict(audit.where(ground))}")
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(10)
        return faults + audit.settled(ground)
    finally:
        consumer.kill()
        ground.remove()
