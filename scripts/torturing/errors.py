"""I/O errors at every call: once, and held until they are lifted; a full disk, and one without inodes.

A point is `target:call:n:ERRNO:once` or `…:held`. What enqueue answers must be true of the disk: 0 it is
there, 73 nothing is visible, 74 nobody knows. The consumer gets through a single error by itself.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from torturing import audit, tracing
from torturing.ground import Ground, fresh, mixed
from torturing.kill import mended
from torturing.report import Report, evenly, try_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from torturing.modes import Options

ERRORS: dict[str, tuple[str, ...]] = {
    "openat": ("EMFILE", "EIO", "ENOSPC"),
    "write": ("ENOSPC", "EIO"),
    "fsync": ("EIO", "ENOSPC"),
    "rename": ("ENOSPC", "EIO"),
    "link": ("ENOSPC", "EIO"),
    "linkat": ("ENOSPC", "EIO"),
    "symlink": ("ENOSPC", "EIO"),
    "unlink": ("EIO",),
    "mkdir": ("ENOSPC", "EIO"),
    "flock": ("EIO", "EAGAIN"),
    "sendmsg": ("EAGAIN",),
    "vfork": ("EAGAIN",),
    "clone3": ("EAGAIN",),
}
SHORT = {"enqueue": 10, "consumer": 12}
HELD_S = 2.0
_TRUE_ANSWERS = {0, 66, 73, 74, 75, 77, 78}


def main(options: Options) -> Report:
    """Inject each error at each call, or at a sample of them; then fill a small disk."""
    report = Report("errors")
    if not tracing.there():
        report.skipped.append("strace is not installed")
    elif options.points:
        return try_all(report, options.points, lambda point: _at(point, options), 1)
    else:
        for target, most in SHORT.items():
            points = _points(target, options)
            chosen = evenly(points, None if options.long else most)
            try_all(report, chosen, lambda point: _at(point, options), options.jobs)
            report.notes.append(f"{target}: {len(chosen)} of {len(points)} points")
    for point in ("disk:full", "disk:inodes"):
        if _can_mount():
            try_all(report, [point], lambda point: _at(point, options), 1)
        else:
            report.skipped.append(f"{point}: mounting a small tmpfs needs root")
    return report


def _points(target: str, options: Options) -> list[str]:
    ground = _prepared(target, options)
    trace = tracing.scratch()
    try:
        ground.bus(*_words(target), before=tracing.watch(str(trace), ",".join(ERRORS)))
        audit.nobody_alive(ground)
        points = tracing.counted(trace, ground.root)
    finally:
        ground.remove()
        shutil.rmtree(trace.parent)
    return [
        f"{target}:{call}:{nth}:{error}:{how}"
        for call, nth in points
        for error in ERRORS[call]
        for how in ("once", "held")
    ]


def _prepared(target: str, options: Options) -> Ground:
    return mixed(mutant=options.mutant) if target == "consumer" else fresh(mutant=options.mutant)


def _words(target: str) -> list[str]:
    return ["run", "--drain"] if target == "consumer" else ["enqueue", "plain", "--payload", '{"a": 1}']


def _at(point: str, options: Options) -> list[str]:
    if point.startswith("disk:"):
        return _small_disk(point, options)
    target, call, nth, error, how = point.split(":")
    ground = _prepared(target, options)
    before = tracing.striking(call, f"error={error}", nth + ("+" if how == "held" else ""))
    try:
        return (_consumer if target == "consumer" else _enqueue)(ground, before, how)
    finally:
        for pid in audit.consumers(ground):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        ground.remove()


def _enqueue(ground: Ground, before: tuple[str, ...], how: str) -> list[str]:  # noqa: ARG001
    """Whether the answer is true of what is on the disk."""
    done = ground.bus("enqueue", "plain", "--payload", '{"a": 1}', before=before)
    visible = len(audit.where(ground))
    ground.acknowledged += done.stdout.split()
    faults = []
    if "<frozen importlib" in done.stderr:
        # Python itself could not load its modules: nothing of the bus was there to answer.
        return mended(ground)
    if done.returncode not in _TRUE_ANSWERS:
        faults.append(f"answer: exit {done.returncode}: {done.stderr[-200:]}")
    if "Traceback" in done.stderr:
        faults.append(f"traceback: {done.stderr[-200:]}")
    if done.returncode == os.EX_CANTCREAT and visible:
        faults.append("untrue: it said 73, and a tick is visible")
    if done.returncode == 0 and not visible:
        faults.append("untrue: it said 0, and no tick is there")
    return faults + mended(ground)


def _consumer(ground: Ground, before: tuple[str, ...], how: str) -> list[str]:
    """Once: it gets through by itself. Held: when the trouble is over, it or the next one does."""
    process = ground.behind("run", "--drain", before=before)
    try:
        process.wait(30 if how == "once" else HELD_S)
    except subprocess.TimeoutExpired:
        faults = [f"hung: after a single error: {ground.said[-300:]}"] if how == "once" else []
        # Without its strace the process goes on, and meets no more errors.
        process.kill()
        process.wait()
        if how == "held" and not _ends(ground):
            faults.append(f"hung: after the error was lifted: {ground.said[-300:]}")
        if faults:
            return faults
        return audit.kept(ground) + mended(ground)
    faults = audit.kept(ground)
    if "Traceback" in ground.said and _had_begun(ground):
        faults.append(f"traceback: {ground.said[-300:]}")
    elif how == "once" and process.returncode and _had_begun(ground):
        faults.append(f"gave up: exit {process.returncode} after a single error: {ground.said[-200:]}")
    return faults + mended(ground)


def _ends(ground: Ground) -> bool:
    deadline = time.monotonic() + 30
    while audit.consumers(ground):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _had_begun(ground: Ground) -> bool:
    return any(fact.get("event") == "consumer.started" for fact in audit.journal(ground))


def _can_mount() -> bool:
    return os.geteuid() == 0 and shutil.which("mount") is not None and _mounts()


def _mounts() -> bool:
    folder = tempfile.mkdtemp(prefix="torture-mount-")
    ok = (
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True, check=False).returncode
        == 0
    )
    if ok:
        subprocess.run(["umount", folder], check=False)
    os.rmdir(folder)
    return ok


def _small_disk(point: str, options: Options) -> list[str]:
    """A disk that fills up during runs and is freed again."""
    folder = Path(tempfile.mkdtemp(prefix="torture-disk-"))
    size = "size=4m" if point == "disk:full" else "size=4m,nr_inodes=400"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", folder], check=True)
    consumer = None
    said = Path(tempfile.mkstemp(prefix="torture-said-")[1])
    try:
        ground = fresh(mutant=options.mutant, folder=folder)
        # What it says must not need the disk that is full.
        (folder / "said").symlink_to(said)
        for _ in range(3):
            ground.enqueue("long")
        consumer = ground.behind("run")
        _until(lambda: len(audit.alive(ground)) > 0)
        for _ in range(4):
            ground.enqueue("plain")
        ballast = _fill(folder, point)
        told = _until(lambda: "refuses" in ground.said, 6)
        refused = ground.bus("enqueue", "plain")
        faults = (
            []
            if refused.returncode == os.EX_CANTCREAT
            else [f"answer: exit {refused.returncode} on a full disk"]
        )
        _until(lambda: not audit.alive(ground), 5)
        time.sleep(1.0)
        faults += [] if told else ["silent: the bus did not say that the disk is full"]
        faults += [f"while full: {fault}" for fault in audit.kept(ground)]
        for path in ballast:
            path.unlink()
        done = ground.state / "done"
        if not _until(lambda: len(list(done.rglob("*.json"))) == len(ground.acknowledged), 20):
            faults.append(f"stuck: {audit.where(ground)}")
        consumer.send_signal(signal.SIGTERM)
        consumer.wait(10)
        return faults + audit.settled(ground)
    finally:
        if consumer is not None and consumer.poll() is None:
            consumer.kill()
        subprocess.run(["umount", "-l", folder], check=False)
        folder.rmdir()
        said.unlink()


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


def _until(true: Callable[[], bool], within: float = 10.0) -> bool:
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
