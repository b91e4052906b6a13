"""What the consumer costs while it lives: idle, with sessions, with a million waiting, at a restart."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import psutil

from benching.ground import MEMORY, Figure, consumer, fill, finished, new_home, status, until
from cadencebus.store import files
from cadencebus.store.inlet import put_small

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

_SLEEPY = "---\ncommand: [sleep, '600']\noverlap: queue\nconcurrency: 10\n---\n"
_SETTLED_AFTER = 0.5
# Percent of a core: a start is over.
_AT_REST = 2.0


def idle(*, short: bool) -> list[Figure]:
    """A consumer that has nothing to do, and one with ten sessions that say nothing."""
    seconds = 0.5 if short else 30.0
    with new_home() as home, consumer(home) as process:
        until(lambda: os.path.exists(home.consumer))
        alone = _spent(process.pid, seconds)
        mib = status(process.pid, "VmRSS")
    with new_home(_SLEEPY, settings="max_sessions: 10\n") as home, consumer(home) as process:
        for _ in range(10):
            put_small(home, "x")
        until(lambda: len(os.listdir(home.claimed)) == 10)  # noqa: PLR2004 - the ten just put in
        ten = _spent(process.pid, seconds)
        ten_mib = status(process.pid, "VmRSS")
        _end_sessions(process.pid, home.root)
    return [
        Figure("idle_cpu_percent", alone, "%", "CPU of one core, nothing to do", most=0.05),
        Figure("idle_mib", mib, "MiB", "memory, nothing to do", most=40),
        Figure("ten_cpu_percent", ten, "%", "CPU with ten idle sessions", most=1.0),
        Figure("ten_mib", ten_mib, "MiB", "memory with ten sessions"),
    ]


def _spent(pid: int, seconds: float) -> float:
    """The CPU of a process in percent of one core, once its beginning is over."""
    time.sleep(_SETTLED_AFTER)
    before = _cpu(pid)
    time.sleep(seconds)
    return 100 * (_cpu(pid) - before) / seconds


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


def _told(home: Home) -> int:
    """How many lines the journal has."""
    count = 0
    for file in os.scandir(home.events):
        with open(file.path, "rb") as lines:
            while block := lines.read(1 << 20):
                count += block.count(b"\n")
    return count


def _end_sessions(pid: int, root: str) -> None:
    """End what the consumer would leave running for the next one, which never comes."""
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if process.name() == "sleep" and process.environ().get("CADENCE_HOME") == root:
                process.kill()
        except psutil.Error:
            continue
    until(lambda: not os.listdir(f"{root}/state/claimed"))


def restart(*, short: bool) -> list[Figure]:
    """A consumer that starts where very many wait: until its first tick is done; and what it weighs."""
    many = 10_000 if short else 1_000_000
    with new_home(folder=MEMORY) as home:
        fill(home, many)
        began = time.perf_counter()
        with consumer(home) as process:
            until(lambda: finished(home) > 0, pause=0.01)
            seconds, peak = time.perf_counter() - began, status(process.pid, "VmHWM")
        files.write_new(home.stop, b"")
        with consumer(home) as process:
            until(lambda: os.path.exists(home.consumer))
            cpu, since = _cpu(process.pid), time.perf_counter()
            # Nobody told of these ticks: a start makes up a line of the journal for each, beside its turns.
            until(lambda: _told(home) >= many, within=300.0, pause=0.05 if short else 1.0)
            told_s, told_cpu = time.perf_counter() - since, _cpu(process.pid) - cpu
        with consumer(home) as process:
            until(lambda: os.path.exists(home.consumer))
            # A start compares all that waits with the journal, beside its turns.
            until(lambda: _spent(process.pid, 0.2 if short else 1.0) < _AT_REST, within=300.0)
            resting, mib = _spent(process.pid, 0.5 if short else 60.0), status(process.pid, "VmRSS")
            peak = max(peak, status(process.pid, "VmHWM"))
    says = f"with {many:,} waiting"
    return [
        Figure("restart_s", seconds, "s", f"from start to the first tick done {says}", most=6.0),
        Figure("restart_mib", peak, "MiB", f"memory at its highest {says}", most=350),
        Figure("waiting_mib", mib, "MiB", f"memory, stopped, {says}"),
        Figure("waiting_cpu_percent", resting, "%", f"CPU of one core at rest, stopped, {says}"),
        Figure("told_s", told_s, "s", f"to tell in the journal of all that nobody told of, {says}"),
        Figure("told_cpu_s", told_cpu, "s", f"CPU that takes, beside the runs, {says}"),
    ]
