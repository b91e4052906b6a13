"""The ground that is measured on: throw-away homes, a consumer at work, and the figures that come of it."""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cadencebus.model.naming import name_of
from cadencebus.store import files, inlet, make_home
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CADENCE = [str(Path(sys.executable).with_name("cadence"))]
TRUE = '---\ncommand: ["true"]\noverlap: queue\nconcurrency: 2\n---\n'
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - a tmpfs, to leave the disk out of it
# A file takes 65,000 names on ext4; a name is what costs a queue, the content is read one at a time.
_LINKS = 60_000


# What could not be measured here, and why.
LEFT_OUT: list[str] = []


def leave_out(what: str) -> None:
    """Go on without something, and say so once."""
    if what not in LEFT_OUT:
        LEFT_OUT.append(what)
        print(f"bench: left out: {what}", file=sys.stderr)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, and what was promised of it."""

    name: str
    value: float
    unit: str
    says: str
    most: float | None = None
    least: float | None = None

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept; None where there is none."""
        if self.most is None and self.least is None:
            return None
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    @property
    def promise(self) -> str:
        """The promise in words."""
        if self.most is not None:
            return f"at most {self.most:g}"
        return "" if self.least is None else f"at least {self.least:g}"


@contextlib.contextmanager
def a_folder(folder: str | None = None) -> Iterator[str]:
    """Make a folder to work in, and remove it: from memory at once, from the disk at the very end.

    On ext4 a file is dear to make for a minute after many were removed, to the next one's loss.
    """
    path = tempfile.mkdtemp(prefix="cadence-bench-", dir=folder)
    remove = partial(shutil.rmtree, path, ignore_errors=True)
    with contextlib.ExitStack() as over:
        if folder is None:
            atexit.register(remove)
        else:
            over.callback(remove)
        yield path


@contextlib.contextmanager
def new_home(prompt: str = TRUE, folder: str | None = None, settings: str = "") -> Iterator[Home]:
    """Make a home with one cadence called x."""
    with a_folder(folder) as root:
        home = Home(root)
        make_home.make(home)
        Path(home.prompt("x")).write_text(prompt, encoding="utf-8")
        if settings:
            Path(home.settings).write_text(settings, encoding="utf-8")
        yield home


def environment(home: Home) -> dict[str, str]:
    """Build the environment of a command on this home."""
    return {**os.environ, "CADENCE_HOME": home.root}


@contextlib.contextmanager
def consumer(home: Home, *words: str, program: Sequence[str] = CADENCE) -> Iterator[subprocess.Popen[bytes]]:
    """Let a consumer work on a home."""
    process = subprocess.Popen([*program, "run", "--quiet", *words], env=environment(home))
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def until(happened: Callable[[], bool], within: float = 120.0, pause: float = 0.005) -> None:
    """Wait for something; it is a fault of the bench where it does not come."""
    deadline = time.monotonic() + within
    while not happened():
        if time.monotonic() > deadline:
            sys.exit(f"bench: waited {within:g} s in vain")
        time.sleep(pause)


def spent(command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Run a command: its wall time and its CPU time."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(values: Sequence[float]) -> float:
    """The middle one; noise has a long tail on one side only."""
    return statistics.median(values)


def fill(home: Home, count: int) -> None:
    """Let so many ticks wait, all in the past; durability is not what is measured here."""
    base, body = time.time() - count * 1e-4 - 1.0, f"{home.tmp}/body"
    for n in range(count):
        if n % _LINKS == 0:
            files.discard(body)
            files.write_new(body, b'{"cadence": "x"}\n', durable=False)
        name = name_of(inlet.new_id(base + n * 1e-4), "x", 5)
        os.link(body, f"{home.inbox}/{name.file}")
    files.discard(body)


def finished(home: Home) -> int:
    """Count what lies in done/."""
    return sum(len(os.listdir(day.path)) for day in os.scandir(home.done))


def status(pid: int, key: str) -> float:
    """A line of /proc/PID/status in MiB; 0 where there is no such file."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/status", encoding="ascii") as lines:
        for line in lines:
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) / 1024
    return 0.0
