"""Faults that are put in on purpose: a mode that lets one pass proves nothing."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING

from torturing.report import Report

if TYPE_CHECKING:
    from torturing.modes import Options

# fault: (the mode that must catch it, the points that show it)
CAUGHT_BY: dict[str, tuple[str, list[str]]] = {
    "copy-then-remove": ("kill", [f"consumer:unlink:{nth}" for nth in range(3, 12, 2)]),
    "always-dead": ("adopt", ["killed"]),
    "swallowed-errors": ("errors", ["enqueue:fsync:1:EIO:once"]),
    "no-folder-sync": ("power", []),
    "no-reason": ("hostile", ["names"]),
}


def main(options: Options) -> Report:
    """Run each mode against its faults; a fault that is not noticed is a failure."""
    report = Report("mutants")
    for fault in options.points or CAUGHT_BY:
        mode, points = CAUGHT_BY[fault]
        module = importlib.import_module(f"torturing.{mode}")
        told = replace(options, mutant=fault, points=points, long=False)
        found = module.main(told)
        report.add(fault, [] if found.faults else [f"missed: {mode} did not notice"])
        report.notes.append(f"{fault}: {mode} found {len(found.faults)} of {found.tried} points broken")
    return report
