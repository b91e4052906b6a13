"""What a mode says at its end: counts, and for each failure the command that repeats just that point."""

from __future__ import annotations

import math
import random
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


def try_all(
    report: Report, points: list[str], trial: Trial, jobs: int, *, within: float | None = None, seed: int = 1
) -> Report:
    """Try every point, some at a time, in the order given; or, drawn by a seed, what fits into a time."""
    if within is not None:
        points = random.Random(seed).sample(points, len(points))  # noqa: S311 - to choose, not to hide
    until = math.inf if within is None else time.monotonic() + within
    caught = _caught(trial)

    def in_time(point: str) -> list[str] | None:
        return caught(point) if time.monotonic() < until else None

    with ThreadPoolExecutor(jobs) as pool:
        tried = 0
        for point, faults in zip(points, pool.map(in_time, points), strict=True):
            if faults is not None:
                tried += 1
                report.add(point, faults)
    if tried < len(points):
        report.notes.append(f"in {within:g} s: {tried} of {len(points)} points")
    return report


def _caught(trial: Trial) -> Trial:
    """A trial that breaks down is a failure of that point, not of all the others."""

    def run(point: str) -> list[str]:
        try:
            return trial(point)
        except Exception as error:  # noqa: BLE001 - whatever it was, the other points are still to be tried
            return [f"the trial itself failed: {error!r}"]

    return run
