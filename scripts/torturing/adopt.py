"""Replace the consumer while sessions run: they go on, each ends once, none is started again."""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from torturing import audit
from torturing.ground import SETTINGS, Ground, fresh
from torturing.report import Report
from torturing.waiting import until

if TYPE_CHECKING:
    import subprocess

    from torturing.modes import Options

SESSIONS = 10
MANY_SLOTS = SETTINGS.replace("max_sessions: 2", f"max_sessions: {SESSIONS}")


def main(options: Options) -> Report:
    """By kill -9, by SIGTERM, and by both in turn."""
    report = Report("adopt")
    points = {
        "killed": [signal.SIGKILL],
        "restarted": [signal.SIGTERM],
        "again-and-again": [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL],
        "shims": [signal.SIGUSR2],
    }
    for point in options.points or points:
        report.add(point, _replaced(points[point], options))
    return report


def _replaced(signals: list[signal.Signals], options: Options) -> list[str]:
    ground = fresh(mutant=options.mutant, settings=MANY_SLOTS)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(SESSIONS):
            ground.enqueue("long")
        faults = []
        for number in signals:
            consumer = ground.behind("run")
            started.append(consumer)
            if not until(partial(_all_led, ground, consumer.pid)):
                faults.append(f"not all started: {len(_sessions(ground))}")
            if number == signal.SIGUSR2:
                # The shims die, the consumer lives: the runs are interrupted, swept and begun anew.
                for shim in audit.shims(ground):
                    os.kill(shim, signal.SIGKILL)
                number = signal.SIGKILL  # noqa: PLW2901
            consumer.send_signal(number)
            began = time.monotonic()
            consumer.wait(10)
            if number == signal.SIGTERM and (consumer.returncode or time.monotonic() - began > 2.0):  # noqa: PLR2004
                faults.append(f"SIGTERM: exit {consumer.returncode} after {time.monotonic() - began:.1f} s")
            faults += [f"meanwhile: {fault}" for fault in audit.kept(ground)]
        done = ground.drain()
        if done.returncode:
            faults.append(f"the last consumer: exit {done.returncode}: {done.stderr[-300:]}")
        faults += audit.settled(ground)
        starts = sum(1 for line in audit.log_lines(ground) if line[0] == "start")
        if signal.SIGUSR2 not in signals and starts != SESSIONS:
            faults.append(f"run again: {starts} runs of {SESSIONS} ticks")
        return faults
    finally:
        for consumer in started:
            consumer.kill()
        ground.remove()


def _all_led(ground: Ground, consumer: int) -> bool:
    return audit.leads(ground, consumer) and len(_sessions(ground)) >= SESSIONS


def _sessions(ground: Ground) -> list[str]:
    return [line[2] for line in audit.log_lines(ground) if line[0] == "start"]
