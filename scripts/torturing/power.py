"""Power cuts: of what was not synced, any part may be lost, in any order.

The file operations of a run are recorded; for a prefix of them a home is built as a file system may leave
it: synced data and synced names are there, of the rest a part that a seed chooses, unsynced files whole,
empty or torn. A point is `target:prefix:seed`; the prefix `whole` is all of the run; seed 0 loses everything
unsynced, seed 1 keeps every name and loses all data, the others choose.
"""

from __future__ import annotations

import random
import re
import shutil
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from torturing import audit, paper, promises, tracing
from torturing.ground import FOLDERS, Ground, fresh, mixed
from torturing.report import Report, evenly, try_all

if TYPE_CHECKING:
    from torturing.modes import Options

SHORT = {"enqueue": 6, "consumer": 24}
SEEDS = 4
SEEDS_ON_PAPER = 16
_CALL = re.compile(r"^\d+ +([a-z0-9_]+)\((.*)\) += (\d+)")


def main(options: Options) -> Report:
    """Cut the power at many points, in several ways each."""
    report = Report("power")
    if not tracing.there():
        report.skipped.append("strace is not installed")
        return report
    for target, most in SHORT.items():
        asked = [point for point in options.points if point.startswith(target)]
        if options.points and not asked:
            continue
        ground, trace = _recorded(target, options.mutant)
        steps = len(trace)
        _on_paper(report, target, ground, trace)
        points = [f"{target}:{step}:{seed}" for step in range(1, steps + 1) for seed in range(SEEDS)]
        # The last state of a producer is the one that it has acknowledged.
        spread = evenly(points, None if options.long else most)[:-1] + points[-SEEDS:]
        chosen = asked or list(dict.fromkeys(spread))
        try_all(
            report,
            chosen,
            partial(_cut, before=ground, steps=trace),
            options.jobs,
            within=options.within,
            seed=options.seed,
        )
        report.notes.append(f"{target}: {len(chosen)} of {len(points)} states")
        ground.remove()
    return report


def _on_paper(report: Report, target: str, ground: Ground, trace: list[tuple[str, str]]) -> None:
    """Look for what was acknowledged in every state, without a consumer that recovers from it."""
    states = 0
    for step, seed, faults in promises.sweep(ground, trace, SEEDS_ON_PAPER):
        # A producer's tick is acknowledged by its last call.
        if target == "consumer" or step == len(trace):
            states += 1
            if faults:
                report.add(f"{target}:{step}:{seed}", faults)
    report.notes.append(f"{target}: {states} states on paper")


@cache
def _recorded(target: str, mutant: str | None) -> tuple[Ground, list[tuple[str, str]]]:
    """A home as it was before, with what then happened to it."""
    ground = mixed(mutant=mutant) if target == "consumer" else fresh(mutant=mutant)
    before = ground.copy()
    trace = tracing.new_trace()
    watch = tracing.watch(str(trace), paper.CALLS, "-yy", "-s", "1000000", children=True)
    words = ["run", "--drain"] if target == "consumer" else ["enqueue", "plain"]
    done = ground.bus(*words, before=watch)
    if target == "enqueue":
        before.acknowledged = done.stdout.split()
    home = str(ground.root)
    calls = [found.groups() for line in _joined(trace) if (found := _CALL.match(line))]
    steps = [(name, text.replace(home, "")) for name, text, _ in calls if home in text]
    ground.remove()
    shutil.rmtree(trace.parent)
    return before, steps


def _joined(trace: Path) -> list[str]:
    """The lines of a trace, with the halves of interrupted calls put together."""
    halves: dict[str, str] = {}
    lines = []
    for line in trace.read_text(errors="replace").splitlines():
        thread = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            halves[thread] = line.removesuffix(" <unfinished ...>")
        elif "resumed>" in line and thread in halves:
            lines.append(halves.pop(thread) + line.partition("resumed>")[2])
        else:
            lines.append(line)
    return lines


def _cut(point: str, before: Ground, steps: list[tuple[str, str]]) -> list[str]:
    target, prefix, seed = point.split(":")
    count = len(steps) if prefix == "whole" else int(prefix)
    disk = paper.of(before)
    for call, text in steps[:count]:
        disk.do(call, text)
    ground = fresh()
    try:
        _build(ground, disk, int(seed))
        acknowledged = target == "consumer" or count == len(steps)
        ground.acknowledged = list(before.acknowledged) if acknowledged else []
        done = ground.drain()
        faults = (
            []
            if done.returncode == 0
            else [f"the next consumer: exit {done.returncode}: {done.stderr[-300:]}"]
        )
        return faults + [f for f in audit.settled(ground, strict_runs=False) if not f.startswith("journal")]
    finally:
        ground.remove()


def _build(ground: Ground, disk: paper.Disk, seed: int) -> None:
    """Lay out what the power cut left."""
    rng = random.Random(seed)  # noqa: S311 - to choose, not to hide
    for path, inode in sorted(disk.left(rng, seed).items()):
        place = Path(f"{ground.root}{path}")
        # A folder whose own name was lost has taken along what lay in it.
        if not place.parent.is_dir() or place.name in FOLDERS or path == "/state/FORMAT":
            continue
        if inode.folder:
            place.mkdir(exist_ok=True, mode=0o700)
        elif inode.link is not None:
            place.symlink_to(inode.link)
        else:
            lost = bytes(inode.data) if seed > 1 and rng.random() < 0.5 else b""  # noqa: PLR2004
            place.write_bytes(inode.safe if inode.safe is not None else lost)
            place.chmod(0o600)
