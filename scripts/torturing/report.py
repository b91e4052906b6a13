"""What a mode says at its end: counts, and for each failure the command that repeats just that point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

Trial = Callable[[str], list[str]]


@dataclass
class Report:
    """Counts, failures, and how long it took."""

    mode: str
    tried: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def add(self, point: str, faults: list[str]) -> None:
        """Note what came of one point."""
        self.tried += 1
        if faults:
            self.faults[point] = faults

    def tell(self) -> int:
        """Print it all; 1 where a promise was broken."""
        for point, faults in self.faults.items():
            for fault in faults:
                print(f"{self.mode}: {point}: {fault}")
            print(f"  again: scripts/torture {self.mode} --point {point}")
        for note in self.notes:
            print(f"{self.mode}: {note}")
        for word in self.skipped:
            print(f"{self.mode}: skipped: {word}")
        seconds = time.monotonic() - self.began
        broken = _kinds(self.faults.values())
        print(
            f"{self.mode}: {self.tried} points, {len(self.faults)} failed{broken}, {seconds:.0f} s",
            flush=True,
        )
        return 1 if self.faults else 0


def _kinds(faults: Iterable[list[str]]) -> str:
    """The kinds of broken promises and how often each came, for the last line."""
    kinds: dict[str, int] = {}
    for fault in (text for texts in faults for text in texts):
        kind = fault.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    return "".join(f", {kind} {n}" for kind, n in sorted(kinds.items()))


def evenly(points: list[str], most: int | None) -> list[str]:
    """At most so many of them, spread over the whole list; all where no number is given."""
    if most is None or len(points) <= most:
        return points
    return [points[(i * len(points)) // most] for i in range(most)]


def try_all(report: Report, points: list[str], trial: Trial, jobs: int) -> Report:
    """Try every point, some at a time, in the order given."""
    with ThreadPoolExecutor(jobs) as pool:
        for point, faults in zip(points, pool.map(_caught(trial), points), strict=True):
            report.add(point, faults)
    return report


def _caught(trial: Trial) -> Trial:
    """A trial that breaks down is a failure of that point, not of all the others."""

    def run(point: str) -> list[str]:
        try:
            return trial(point)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other points are still to be tried
            return [f"the trial itself failed: {error!r}"]

    return run
