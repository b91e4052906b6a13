"""Faults that are put in on purpose: a mode that lets one pass proves nothing."""

from __future__ import annotations

import importlib
from dataclasses import replace
from typing import TYPE_CHECKING

from torturing.report import Report

if TYPE_CHECKING:
    from torturing.modes import Options

# fault: (the mode that must catch it, the points that show it; none: those of the mode's short form)
CAUGHT_BY: dict[str, tuple[str, list[str]]] = {
    "swallowed-errors": ("errors", ["enqueue:fsync:tmp:1:EIO:once"]),
    "swallowed-commit": ("errors", [f"consumer:rename:tmp-claimed:{nth}:EIO:once" for nth in (1, 3, 5)]),
    "forgotten-strays": ("errors", ["consumer:symlink:keys:1:EIO:once"]),
    "no-keys": ("errors", ["consumer:stat:keys:1:EIO:once"]),
    "no-lock": ("stop", ["consumer"]),
    "always-dead": ("adopt", ["killed"]),
    "no-reason": ("hostile", ["names"]),
    "copy-then-remove": ("kill", [f"consumer:unlink:{nth}" for nth in range(1, 14)]),
    "looks-in-claimed": ("errors", ["consumer:fsync:dead:2:EIO:once"]),
    "freed-keys": ("errors", ["consumer:stat:keys:1:EIO:once"]),
    "decided-alone": ("errors", ["consumer:stat:keys:1:EIO:once"]),
    "last-decided-first": ("errors", ["consumer:stat:keys:1:EIO:once"]),
    "follows-links": ("hostile", ["rubbish"]),
    "wall-watch": ("clock", ["forward"]),
    "wall-timeout": ("clock", ["forward"]),
    "no-folder-sync": ("power", ["enqueue:whole:0"]),
    "no-file-sync": ("power", ["consumer:whole:1"]),
    "unsynced-commit": ("power", ["consumer:whole:1"]),
    "unsynced-key": ("power", ["consumer:whole:1"]),
    "unsynced-follow-up": ("power", ["consumer:whole:1"]),
    "unsynced-record": ("power", ["consumer:whole:1"]),
    "unsynced-memory": ("power", ["consumer:whole:1"]),
    "unsynced-journal": ("power", ["consumer:whole:1"]),
    "no-commit": ("power", ["consumer:whole:1"]),
}
SHORT = ("swallowed-errors", "forgotten-strays", "no-keys", "decided-alone", "no-lock", "always-dead")


def main(options: Options) -> Report:
    """Run each mode against its faults; a fault that is not noticed is a failure."""
    report = Report("mutants")
    for fault in options.points or (CAUGHT_BY if options.long else SHORT):
        mode, points = CAUGHT_BY[fault]
        module = importlib.import_module(f"torturing.{mode}")
        told = replace(options, mutant=fault, points=points, long=False)
        found = module.main(told)
        report.add(fault, [] if found.faults else [f"missed: {mode} did not notice"])
        report.notes.append(f"{fault}: {mode} found {len(found.faults)} of {found.tried} points broken")
    return report
