"""SIGKILL before every system call: of a producer, of the consumer, of its shims, of a recovery.

A point is `target:call:n`, the n-th such call of one thread (strace counts by thread); a point of a
recovery is `recovery:call:n:call:m`: the consumer killed at the first, the one that mends it at the second.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from torturing import audit, tracing
from torturing.ground import Ground, fresh, mixed
from torturing.report import Report, evenly, try_all

if TYPE_CHECKING:
    from torturing.modes import Options

SIGKILL = "signal=SIGKILL"
# After these a recovery has the most to mend.
WORTH_A_RECOVERY = ("rename", "link", "mkdir", "sendmsg", "fsync", "symlink", "write", "unlink")
SHORT = {"enqueue": 11, "batch": 5, "consumer": 16, "shim": 6, "recovery": 8}
CALLS = f"{tracing.MOVES},{tracing.OPENS}"
# What only a shim and its launcher do: every other call of these names comes first from the consumer.
SHIMS = "renameat,pwrite64,clone,prctl,setitimer,rt_sigtimedwait,wait4,kill"
# Who dies here dies before there is a run, each time anew: the bus can only hold, and is ended after a while.
BEFORE_A_RUN, ENDLESS_S = (["clone", "1"], ["prctl", "1"], ["pwrite64", "1"]), 8


def main(options: Options) -> Report:
    """Strike at every point, or at a sample of them."""
    report = Report("kill")
    if not tracing.there():
        report.skipped.append("strace is not installed")
        return report
    if options.points:
        return try_all(report, options.points, lambda point: _at(point, options), 1)
    for target, most in SHORT.items():
        points = _points(target, options)
        chosen = evenly(points, None if options.long else most)
        try_all(
            report,
            chosen,
            lambda point: _at(point, options),
            options.jobs,
            within=options.within,
            seed=options.seed,
        )
        report.notes.append(f"{target}: {len(chosen)} of {len(points)} points")
    return report


def _points(target: str, options: Options) -> list[str]:
    """Every point of a target, found by recording an undisturbed run."""
    if target == "recovery":
        return _recovery_points(options)
    ground = _prepared(target, options)
    trace = tracing.new_trace()
    try:
        shims = target == "shim"
        before = tracing.watch(str(trace), SHIMS if shims else CALLS, children=shims)
        _run(target, ground, before)
        audit.nobody_alive(ground)
        points = tracing.counted(trace, ground.root)
        return [f"{target}:{name}:{nth}" for name, nth in points]
    finally:
        ground.remove()
        shutil.rmtree(trace.parent)


def _recovery_points(options: Options) -> list[str]:
    """Kills of the consumer that mends a killed consumer."""
    points = []
    firsts = [p for p in _points("consumer", options) if p.split(":")[1] in WORTH_A_RECOVERY]
    for first in evenly(firsts, 12 if options.long else 3):
        ground = _prepared("consumer", options)
        trace = tracing.new_trace()
        try:
            _, name, nth = first.split(":")
            _run("consumer", ground, tracing.striking(name, SIGKILL, nth))
            audit.nobody_alive(ground)
            _run("consumer", ground, tracing.watch(str(trace), CALLS))
            points += [f"recovery:{name}:{nth}:{call}:{n}" for call, n in tracing.counted(trace, ground.root)]
        finally:
            ground.remove()
            shutil.rmtree(trace.parent)
    return points


def _prepared(target: str, options: Options) -> Ground:
    return mixed(mutant=options.mutant) if target in {"consumer", "shim"} else fresh(mutant=options.mutant)


def _words(target: str) -> list[str]:
    if target == "enqueue":
        return ["enqueue", "plain", "--payload", '{"a": 1}']
    if target == "batch":
        return ["enqueue", "--batch", "batch.jsonl"]
    return ["run", "--drain"]


def _run(target: str, ground: Ground, before: tuple[str, ...], *, endless: bool = False) -> int:
    """Run the target under watch, and note what it acknowledged before it died or, `endless`, was ended."""
    if target == "batch":
        (ground.root / "batch.jsonl").write_text('{"cadence": "plain"}\n' * 5)
    process = ground.start(*_words(target), before=before)
    try:
        # Under `shim` every run is struck and begun anew, up to six times; and the machine may be busy.
        out, _ = process.communicate(timeout=ENDLESS_S if endless else 120 if target == "shim" else 60)
    except subprocess.TimeoutExpired:
        process.kill()
        _tracee_too(process.pid, ground)
        out, err = process.communicate(timeout=5)
        if endless and "no_resources" in err:
            return process.returncode
        raise RuntimeError(f"hung: it said {err[-500:]!r}") from None
    if target in {"enqueue", "batch"}:
        ground.acknowledged += out.split()
    return process.returncode


def _at(point: str, options: Options) -> list[str]:
    """Kill at one point, look, let an ordinary consumer come, look again."""
    target, *strikes = point.split(":")
    ground = _prepared("consumer" if target == "recovery" else target, options)
    try:
        faults = []
        for at in range(0, len(strikes), 2):
            before = tracing.striking(strikes[at], SIGKILL, strikes[at + 1], children=target == "shim")
            whom = "consumer" if target == "recovery" else target
            _run(whom, ground, before, endless=strikes[at : at + 2] in BEFORE_A_RUN)
            faults += [f"at the kill: {fault}" for fault in audit.kept(ground)]
        return faults + mended(ground, strict=target != "shim")
    finally:
        ground.remove()


def mended(ground: Ground, *, strict: bool = True) -> list[str]:
    """What an ordinary consumer leaves of a home that was struck."""
    done = ground.drain()
    faults = (
        [] if done.returncode == 0 else [f"the next consumer: exit {done.returncode}: {done.stderr[-300:]}"]
    )
    if "Traceback" in done.stderr:
        faults.append(f"the next consumer: {done.stderr[-300:]}")
    return faults + audit.settled(ground, strict_runs=strict)


def _tracee_too(strace: int, ground: Ground) -> None:
    """A consumer outlives its strace: end it, or it would hold on to our pipes."""
    for pid in audit.consumers(ground):
        if pid != strace:
            os.kill(pid, signal.SIGKILL)
