"""Ticks that are claimed and not run, processes that run and are nobody's."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from cadencebus.checkup.finding import found
from cadencebus.model.naming import parse_name
from cadencebus.model.wording import count, some
from cadencebus.session import identity, life, process_tree, reap
from cadencebus.store import runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient

# A tick that settles is between two folders for a moment; a large one, on a slow disk, for longer.
_SETTLES_WITHIN = 120.0
_SWEEP_WITHIN = 5.0


def claims(patient: Patient) -> Iterator[Finding]:
    """Claimed ticks whose run is over."""
    idle = []
    for file in sorted(patient.files("claimed")):
        name = parse_name(file)
        if name is None:
            continue
        run = runs.latest(patient.home, name.id)
        if run is None or not life.is_alive(run.path):
            idle.append(file)
    if not idle:
        return
    if not patient.consumed:
        said = f"{count(len(idle), 'tick')} in claimed/, and no run of them lives: {some(idle)}"
        yield found("claim.waiting", said)
        return
    for file in idle:
        try:
            since = patient.now - os.lstat(f"{patient.home.claimed}/{file}").st_ctime
        except FileNotFoundError:
            continue
        if since > _SETTLES_WITHIN:
            yield found("claim.stuck", f"claimed/{file}: no run of it lives, for {since:.0f} s")


def processes(patient: Patient) -> Iterator[Finding]:
    """Processes that bear the mark of a run which no claimed tick has."""
    marked = reap.marked(patient.home.root)
    spared = process_tree.ancestry()
    by_run: dict[str, list[int]] = {}
    for pid, run in marked.items():
        if pid not in spared and run != os.environ.get(identity.MARK):
            by_run.setdefault(run, []).append(pid)
    if not by_run:
        return
    claimed = {name.id for name in patient.named("claimed")}
    for run, pids in by_run.items():
        # Looked at again: a run that ended meanwhile has taken its processes with it.
        left = [pid for pid in pids if identity.mark_of(pid) == run]
        if run.rpartition(".")[0] in claimed or not left:
            continue
        who = some([f"{pid} ({process_tree.describe(pid)['name']})" for pid in left])
        what = f"{count(len(left), 'process', 'processes')} of run {run}, which no tick owns: {who}"
        yield found("process.stray", what, mend=functools.partial(_end, patient, run))


def _end(patient: Patient, run: str) -> None:
    """End what bears the mark, asked once more whether nobody owns it; each signal checks who it hits."""
    if run.rpartition(".")[0] not in {name.id for name in patient.named("claimed")}:
        reap.sweep(run, _SWEEP_WITHIN)
