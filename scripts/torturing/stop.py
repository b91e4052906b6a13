"""SIGSTOP and SIGCONT: a consumer or a session that sleeps for a while has missed nothing it needs."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from torturing import audit
from torturing.ground import fresh
from torturing.report import Report
from torturing.waiting import until

if TYPE_CHECKING:
    from torturing.modes import Options


def main(options: Options) -> Report:
    """Stop the consumer, then the sessions, and let them go on."""
    report = Report("stop")
    for point in options.points or ["consumer", "sessions"]:
        report.add(point, _stopped(point, options))
    return report


def _stopped(point: str, options: Options) -> list[str]:
    ground = fresh(mutant=options.mutant)
    ground.enqueue("long")
    ground.enqueue("long")
    consumer = ground.behind("run")
    faults = []
    try:
        if not until(lambda: len(audit.log_lines(ground)) >= 2):  # noqa: PLR2004 - both have started
            faults.append("not started")
        asleep = [consumer.pid] if point == "consumer" else audit.alive(ground)
        _signal(asleep, signal.SIGSTOP)
        # Meanwhile a second consumer must not take over: the first holds its lock, asleep or not.
        other = ground.bus("run", "--drain") if point == "consumer" else None
        if other is not None and other.returncode != os.EX_TEMPFAIL:
            faults.append(f"two consumers: the second one answered {other.returncode}")
        ground.enqueue("plain")
        time.sleep(1.5)
        _signal(asleep, signal.SIGCONT)
        done = ground.state / "done"
        if not until(lambda: len(list(done.rglob("*.json"))) == len(ground.acknowledged), 15):
            faults.append(f"stuck: {dict(audit.where(ground))}")
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(10)
        return faults + audit.settled(ground)
    finally:
        consumer.kill()
        ground.remove()


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
