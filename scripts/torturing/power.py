"""Power cuts: of what was not synced, any part may be lost, in any order.

The file operations of a run are recorded; for a prefix of them a home is built as a file system may leave
it: synced data and synced names are there, of the rest a part that a seed chooses, unsynced files whole,
empty or torn. A point is `target:prefix:seed`; the prefix `whole` is all of the run; seed 0 loses everything
unsynced, seed 1 keeps every name and loses all data, the others choose.
"""

from __future__ import annotations

import codecs
import os
import random
import re
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from torturing import audit, tracing
from torturing.ground import FOLDERS, Ground, fresh, mixed
from torturing.report import Report, evenly, try_all

if TYPE_CHECKING:
    from torturing.modes import Options

CALLS = (
    "openat,write,pwrite64,rename,renameat,link,linkat,symlink,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "fsync,fdatasync,syncfs"
)
SHORT = {"enqueue": 6, "consumer": 24}
SEEDS = 4
_CALL = re.compile(r"^\d+ +([a-z0-9_]+)\((.*)\) += (\d+)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_AT = re.compile(r"(?:AT_FDCWD|\d+)(?:<([^>]*)>)?, \"((?:[^\"\\]|\\.)*)\"")


@dataclass
class Inode:
    """A file: what was written, and what of it is safe."""

    data: bytearray = field(default_factory=bytearray)
    safe: bytes | None = None
    link: str | None = None
    folder: bool = False


@dataclass
class Disk:
    """Names that are safe, and the changes of names that are not yet."""

    safe: dict[str, Inode] = field(default_factory=dict)
    names: dict[str, Inode] = field(default_factory=dict)
    pending: list[tuple[str, Inode | None, str | None]] = field(default_factory=list)

    def name(self, path: str, inode: Inode | None, after: str | None = None) -> None:
        """Give or take a name, safe once its folder is synced; `after` is the name that came of a rename."""
        if inode is None:
            self.names.pop(path, None)
        else:
            self.names[path] = inode
        self.pending.append((path, inode, after))

    def sync(self, path: str | None) -> None:
        """Make a file's data or a folder's names safe; None is the whole file system."""
        for at, inode in self.names.items():
            if path in {None, at}:
                inode.safe = bytes(inode.data)
        for at, inode, _ in [change for change in self.pending if path in {None, os.path.dirname(change[0])}]:
            _apply(self.safe, at, inode)
        self.pending = [c for c in self.pending if path is not None and os.path.dirname(c[0]) != path]


def _apply(names: dict[str, Inode], path: str, inode: Inode | None) -> None:
    if inode is None:
        names.pop(path, None)
    else:
        names[path] = inode


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
        points = [f"{target}:{step}:{seed}" for step in range(1, steps + 1) for seed in range(SEEDS)]
        # The last state of a producer is the one that it has acknowledged.
        spread = evenly(points, None if options.long else most)[:-1] + points[-SEEDS:]
        chosen = asked or list(dict.fromkeys(spread))
        try_all(
            report,
            chosen,
            lambda point, g=ground, t=trace: _cut(point, g, t),
            options.jobs,
            within=options.within,
            seed=options.seed,
        )
        report.notes.append(f"{target}: {len(chosen)} of {len(points)} states")
        ground.remove()
    return report


@cache
def _recorded(target: str, mutant: str | None) -> tuple[Ground, list[tuple[str, str]]]:
    """A home as it was before, with what then happened to it."""
    ground = mixed(mutant=mutant) if target == "consumer" else fresh(mutant=mutant)
    before = ground.copy()
    trace = tracing.new_trace()
    watch = tracing.watch(str(trace), CALLS, "-yy", "-s", "1000000", children=True)
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
    disk = Disk()
    for path in sorted(before.state.rglob("*")):
        inode = Inode(folder=path.is_dir())
        if path.is_symlink():
            inode.link = os.readlink(path)
        elif path.is_file():
            inode.data = bytearray(path.read_bytes())
        inode.safe = bytes(inode.data)
        disk.safe["/" + str(path.relative_to(before.root))] = inode
    disk.names = dict(disk.safe)
    for name, text in steps[:count]:
        _replay(disk, name, text)
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


def _replay(disk: Disk, call: str, text: str) -> None:
    """Do to the model what the program did to the disk."""
    paths = [os.path.join(at or "", name) for at, name in _AT.findall(text)]
    plain = [_bytes(found).decode(errors="replace") for found in _TEXT.findall(text)]
    holder = re.match(r"\d+<([^>]*)>", text)
    if call == "openat":
        if "O_CREAT" in text and paths[0] not in disk.names:
            disk.name(paths[0], Inode())
    elif call in {"write", "pwrite64"} and holder and holder[1] in disk.names:
        _write(disk.names[holder[1]], call, text)
    elif call in {"rename", "renameat", "link", "linkat"}:
        source, target = paths if call.endswith("at") else plain
        disk.name(target, disk.names.get(source))
        if call.startswith("rename"):
            disk.name(source, None, target)
    elif call == "symlink":
        disk.name(plain[1], Inode(link=plain[0]))
    elif call in {"unlink", "unlinkat", "rmdir"}:
        disk.name((paths or plain)[0], None)
    elif call in {"mkdir", "mkdirat"}:
        disk.name((paths or plain)[0], Inode(folder=True))
    elif call in {"fsync", "fdatasync", "syncfs"} and holder:
        disk.sync(None if call == "syncfs" else holder[1])


def _write(inode: Inode, call: str, text: str) -> None:
    data = _bytes(_TEXT.findall(text)[0])
    at = int(text.rpartition(", ")[2]) if call == "pwrite64" else len(inode.data)
    inode.data[at : at + len(data)] = data


def _bytes(text: str) -> bytes:
    value = codecs.escape_decode(text.encode())[0]
    return value if isinstance(value, bytes) else value.encode()


def _build(ground: Ground, disk: Disk, seed: int) -> None:
    """Lay out what the power cut left."""
    rng = random.Random(seed)  # noqa: S311 - to choose, not to hide
    names = dict(disk.safe)
    lost_names: set[str] = set()
    for path, inode, after in disk.pending:
        # A rename may leave both names, or one, but no file system leaves neither.
        kept = seed == 1 or (seed > 1 and rng.random() < 0.5)  # noqa: PLR2004
        if kept and after not in lost_names:
            _apply(names, path, inode)
        elif inode is not None:
            lost_names.add(path)
    for path, inode in sorted(names.items()):
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
