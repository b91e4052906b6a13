"""I/O errors at every call: once, and held until they are lifted; a full disk, and one without inodes.

A point is `target:call:place:n:ERRNO:once` or `…:held`: the n-th call of a kind at one place of the home
(`rename:inbox-claimed:2`), whichever thread makes it, so that a point means the same on a loaded machine.
`random:N:SEED` refuses N of a thousand calls of consumer after consumer, and of producers, for some seconds.
What enqueue answers must be true of the disk: 0 it is there, 73 nothing is visible, 74 nobody knows. The
consumer gets through a single error by itself, and through a held one when it is lifted.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from typing import TYPE_CHECKING

from torturing import audit, scratch
from torturing.ground import Ground, fresh, mixed
from torturing.kill import mended
from torturing.refusing import ERRORS
from torturing.report import Report, evenly, try_all
from torturing.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from torturing.modes import Options

SHORT = {"enqueue": 6, "consumer": 14}
HELD_S = 1.2
# So many of a thousand calls are refused at random, each with so many seeds; and for how long.
RANDOM, SEEDS, RANDOM_S = (20, 2, 200), 3, 4.0
PATIENCE = 30.0
_TRUE_ANSWERS = {0, 66, 73, 74, 75, 77, 78}


def main(options: Options) -> Report:
    """Refuse each call in each way, or a sample of them; then fill a small disk."""
    report = Report("errors")
    if options.points:
        return try_all(report, options.points, lambda point: _at(point, options, report), 1)
    for target, most in SHORT.items():
        points = _points(target)
        chosen = points if options.long else evenly(_firsts(points), most)
        try_all(
            report,
            chosen,
            lambda point: _at(point, options, report),
            options.jobs,
            within=options.within,
            seed=options.seed,
        )
        report.notes.append(f"{target}: {len(chosen)} of {len(points)} points")
    seeds = range(options.seed, options.seed + (SEEDS if options.long else 1))
    points = [f"random:{number}:{seed}" for number in RANDOM for seed in seeds]
    chosen = points if options.long else points[:1]
    try_all(report, chosen, lambda point: _at(point, options, report), options.jobs)
    for point in ("disk:full", "disk:inodes"):
        if _can_mount():
            try_all(report, [point], lambda point: _at(point, options, report), 1)
        else:
            report.skipped.append(f"{point}: mounting a small tmpfs needs root")
    return report


def _points(target: str) -> list[str]:
    """Every call that an undisturbed run makes, in every way that it may be refused."""
    ground = _prepared(target, None)
    trace = ground.root.parent / "calls"
    try:
        ground.refused = f"record:{trace}"
        ground.bus(*_words(target))
        audit.nobody_alive(ground)
        calls = list(dict.fromkeys(trace.read_text().split()))
    finally:
        ground.remove()
    return [
        f"{target}:{call}:{error}:{how}"
        for call in calls
        for error in ERRORS[call.partition(":")[0]]
        for how in ("once", "held")
    ]


def _firsts(points: list[str]) -> list[str]:
    """Of each kind of call at each place the first one, its errors and ways taken in turn."""
    kinds: dict[str, list[str]] = {}
    for point in points:
        kinds.setdefault(":".join(point.split(":")[1:3]), []).append(point)
    return [ways[at % len(ways[:6])] for at, ways in enumerate(kinds.values())]


@cache
def _template(target: str) -> Ground:
    return mixed() if target == "consumer" else fresh()


def _prepared(target: str, mutant: str | None) -> Ground:
    ground = _template(target).copy()
    ground.mutant = mutant
    return ground


def _words(target: str) -> list[str]:
    return ["run", "--drain"] if target == "consumer" else ["enqueue", "plain", "--payload", '{"a": 1}']


def _at(point: str, options: Options, report: Report) -> list[str]:
    if point.startswith("disk:"):
        return _small_disk(point, options)
    if point.startswith("random:"):
        return _at_random(point, options)
    target, plan = point.split(":", 1)
    ground = _prepared(target, options.mutant)
    ground.refused = plan
    try:
        faults = _consumer(ground, plan) if target == "consumer" else _enqueue(ground)
        if not (ground.root.parent / "struck").exists():
            report.skipped.append(f"{point}: the program did not get there")
        return faults
    finally:
        scratch.put_down(ground.root.parent)
        ground.remove()


def _mended(ground: Ground) -> list[str]:
    ground.refused = None
    return mended(ground)


def _enqueue(ground: Ground) -> list[str]:
    """Whether the answer is true of what is on the disk."""
    done = ground.bus("enqueue", "plain", "--payload", '{"a": 1}')
    visible = len(audit.where(ground))
    ground.acknowledged += done.stdout.split()
    faults = []
    if done.returncode not in _TRUE_ANSWERS:
        faults.append(f"answer: exit {done.returncode}: {done.stderr[-200:]}")
    if "Traceback" in done.stderr:
        faults.append(f"traceback: {done.stderr[-300:]}")
    if done.returncode == os.EX_CANTCREAT and visible:
        faults.append("untrue: it said 73, and a tick is visible")
    if done.returncode == 0 and not visible:
        faults.append("untrue: it said 0, and no tick is there")
    return faults + _mended(ground)


def _consumer(ground: Ground, plan: str) -> list[str]:
    """Once: it gets through by itself. Held: as soon as the trouble is over."""
    process = ground.behind("run", "--drain")
    if plan.endswith(":held"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(HELD_S)
        (ground.root.parent / "lifted").touch()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return [f"hung: {ground.said[-300:]}; {dict(audit.where(ground))}"]
    faults = audit.kept(ground)
    if "Traceback" in ground.said:
        faults.append(f"traceback: {ground.said[-600:]}")
    elif (
        process.returncode == os.EX_TEMPFAIL
        and plan.endswith(":held")
        and "unreadable: prompts/" in ground.said
    ):
        # A drain says which prompts it can't read and ends: waiting for a person is not its business.
        pass
    elif process.returncode and (_had_begun(ground) or process.returncode not in _TRUE_ANSWERS):
        faults.append(f"gave up: exit {process.returncode}: {ground.said[-300:]}")
    elif process.returncode == 0:
        # Done by itself: what only the next consumer would bring to its end was left behind.
        left = {tick: at for tick, at in audit.where(ground).items() if at not in (["done"], ["dead"])}
        faults += [f"left behind: {tick} in {', '.join(at)}" for tick, at in left.items()]
    return faults + _mended(ground)


def _had_begun(ground: Ground) -> bool:
    return any(fact.get("event") == "consumer.started" for fact in audit.journal(ground))


def _at_random(point: str, options: Options) -> list[str]:
    """A consumer that can't go on is begun again; when the trouble is over, nothing of it may be left."""
    ground = _prepared("consumer", options.mutant)
    ground.refused = point
    faults: list[str] = []
    consumer = ground.behind("run")
    try:
        deadline = time.monotonic() + RANDOM_S
        while time.monotonic() < deadline:
            done = ground.bus("enqueue", "plain")
            ground.acknowledged += done.stdout.split()
            if done.returncode not in _TRUE_ANSWERS:
                faults.append(f"answer: exit {done.returncode}: {done.stderr[-200:]}")
            if consumer.poll() is not None:
                consumer = ground.behind("run")
        (ground.root.parent / "lifted").touch()
        if "Traceback" in ground.said or "fault of cadencebus" in ground.said:
            faults.append(f"a fault of its own: {ground.said[-600:]}")
        # One that was begun in the midst of it may yet end of it; the next one may not.
        until(lambda: consumer.poll() is not None or _is_up(ground, consumer), PATIENCE)
        if consumer.poll() is not None:
            consumer = ground.behind("run")
        if not until(lambda: audit.all_ended(ground), PATIENCE):
            faults.append(f"stuck: {dict(audit.where(ground))}; {ground.said[-300:]}")
        consumer.terminate()
        consumer.wait(PATIENCE)
        return faults + _mended(ground)
    finally:
        scratch.put_down(ground.root.parent)
        ground.remove()


def _is_up(ground: Ground, consumer: subprocess.Popen[bytes]) -> bool:
    """Whether this very consumer has come as far as to say so."""
    try:
        told = json.loads((ground.state / "consumer.json").read_text())
    except (OSError, ValueError):
        return False
    return bool(told.get("pid") == consumer.pid)


def _can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None and _mounts()


def _mounts() -> bool:
    folder = scratch.new("mount")
    ok = (
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False).returncode
        == 0
    )
    if ok:
        subprocess.run(["umount", folder], check=False)
    folder.rmdir()
    return ok


def _small_disk(point: str, options: Options) -> list[str]:
    """A disk that fills up during runs and is freed again."""
    folder = scratch.new("disk")
    size = "size=4m" if point == "disk:full" else "size=4m,nr_inodes=400"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], check=True)
    consumer = None
    said = scratch.new("said") / "said"
    said.touch()
    try:
        ground = fresh(mutant=options.mutant, folder=folder)
        # What it says must not need the disk that is full.
        (folder / "said").symlink_to(said)
        for _ in range(3):
            ground.enqueue("long")
        consumer = ground.behind("run")
        until(lambda: len(audit.alive(ground)) > 0)
        for _ in range(4):
            ground.enqueue("plain")
        ballast = _fill(folder, point)
        told = until(lambda: "refuses" in ground.said, 6)
        refused = ground.bus("enqueue", "plain")
        faults = (
            []
            if refused.returncode == os.EX_CANTCREAT
            else [f"answer: exit {refused.returncode} on a full disk"]
        )
        until(lambda: not audit.alive(ground), 5)
        time.sleep(1.0)
        faults += [] if told else ["silent: the bus did not say that the disk is full"]
        faults += [f"while full: {fault}" for fault in audit.kept(ground)]
        for path in ballast:
            path.unlink()
        done = ground.state / "done"
        if not until(lambda: len(list(done.rglob("*.json"))) == len(ground.acknowledged), 20):
            faults.append(f"stuck: {audit.where(ground)}")
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(10)
        return faults + audit.settled(ground)
    finally:
        if consumer is not None and consumer.poll() is None:
            consumer.kill()
        subprocess.run(["umount", "-l", folder], check=False)
        folder.rmdir()
        shutil.rmtree(said.parent)


def _fill(folder: Path, point: str) -> list[Path]:
    """Take all blocks, or all inodes."""
    made = []
    with contextlib.suppress(OSError):
        for at in range(100_000):
            path = folder / f"ballast-{at}"
            made.append(path)
            with open(path, "wb", buffering=0) as file:
                while point == "disk:full" and file.write(b"x" * 4096):
                    pass
    return [path for path in made if path.exists()]
