"""strace as the hand that strikes: list the system calls of a process, then meddle with one of them."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING

from torturing import scratch

if TYPE_CHECKING:
    from pathlib import Path

# What changes the disk, decides about life, or starts a process. Before any other call the disk looks the
# same as before the next of these.
MOVES = (
    "write,pwrite64,writev,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,"
    "rmdir,fsync,fdatasync,syncfs,flock,ftruncate,sendmsg,sendto,clone,clone3,fork,vfork"
)
# Only those that name the home are points: the others are Python, looking for its modules.
OPENS = "openat"
_LINE = re.compile(r"^(\d+) +([a-z0-9_]+)\((.*)")


def there() -> bool:
    """Whether this machine has strace and lets us use it."""
    return shutil.which("strace") is not None


def watch(out: str, calls: str, *more: str, children: bool = False) -> tuple[str, ...]:
    """The words before a command line; without `children`, processes it starts are let go at their exec."""
    let_go = () if children else ("-b", "execve")
    return ("strace", "-f", *let_go, "-qq", "-o", out, "-e", f"trace={calls}", *more, "--")


def striking(name: str, how: str, when: str, *, children: bool = False) -> tuple[str, ...]:
    """Do `how` (signal=SIGKILL, error=EIO) to the calls of this name that `when` picks (3, or 3+)."""
    return watch("/dev/null", name, "-e", f"inject={name}:{how}:when={when}", children=children)


def counted(trace: Path, home: Path) -> list[tuple[str, int]]:
    """The points of a recorded run: (call, how manieth), in the order in which they first came."""
    per_thread: Counter[tuple[str, str]] = Counter()
    points: dict[tuple[str, int], None] = {}
    for line in trace.read_text(errors="replace").splitlines():
        found = _LINE.match(line)
        if found is None or "resumed>" in line:
            continue
        thread, name, arguments = found.groups()
        per_thread[thread, name] += 1
        if name != OPENS or str(home) in arguments:
            points[name, per_thread[thread, name]] = None
    return list(points)


def new_trace() -> Path:
    """A file for a trace."""
    return scratch.new("trace") / "trace"
