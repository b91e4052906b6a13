"""What processes cost, for a person who looks: CPU time and memory, each process with all below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.session import process_tree, reap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How many processes, how much CPU time in seconds, how much memory in bytes."""

    processes: int
    cpu: float
    rss: int


def of(pids: Iterable[int]) -> Usage:
    """The sum over these processes; one that ends meanwhile counts as nothing."""
    import psutil  # noqa: PLC0415 - not cheap, and only for those who look

    count, cpu, rss = 0, 0.0, 0
    for pid in set(pids):
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
        except (psutil.Error, OSError):
            continue
        count, cpu, rss = count + 1, cpu + times.user + times.system, rss + memory.rss
    return Usage(processes=count, cpu=round(cpu, 2), rss=rss)


def of_runs(home: str, leaders: Mapping[str, int]) -> dict[str, Usage]:
    """What each live run of a home costs: its leader, all that bear its mark, and what is below them."""
    # A mark may be nobody's to read (macOS).
    seen, roots = process_tree.census(), {run: [pid] for run, pid in leaders.items()}
    for pid, run in reap.marked(home).items():
        roots.setdefault(run, []).append(pid)
    return {run: of([*pids, *process_tree.below(pids, seen)]) for run, pids in roots.items()}
