"""What others do with the same commands: nq and tsp of Debian, xargs, and the libraries of PyPI."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benching.ground import a_folder, leave_out

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("dirq", "persist-queue", "litequeue", "huey")
HUEYS = {"huey": "FileHuey, nothing synced", "huey_sqlite": "SqliteHuey, fsync=True"}
_DEBIAN = {"nq": "nq", "tsp": "task-spooler"}
_INSTALL_WITHIN = 120.0
_ABREAST = 2


def spoolers() -> list[str]:
    """Which of nq and tsp are here; of the others a clear word."""
    for name, package in _DEBIAN.items():
        if not shutil.which(name):
            leave_out(f"{name} is not installed (Debian: {package})")
    return [name for name in _DEBIAN if shutil.which(name)]


@contextlib.contextmanager
def spooler(name: str) -> Iterator[dict[str, str]]:
    """Build the environment of an nq or tsp that has a place of its own, and end what it left."""
    with a_folder() as place:
        env = {**os.environ, "NQDIR": place, "TS_SOCKET": f"{place}/socket", "TMPDIR": place}
        try:
            yield env
        finally:
            words = [name, "-K"] if name == "tsp" else [name, "-w"]
            subprocess.run(words, env=env, check=False, capture_output=True)


def spooled(name: str, count: int) -> float:
    """Runs of `true` a second, two at a time, by nq in two folders or tsp with two slots; queued before."""
    with contextlib.ExitStack() as stack:
        # Each lane of nq is a folder; tsp has two in one server.
        servers = [stack.enter_context(spooler(name)) for _ in range(_ABREAST if name == "nq" else 1)]
        lanes = (servers * _ABREAST)[:_ABREAST]
        if name == "tsp":
            _queue(["tsp", "-S", str(_ABREAST)], servers[0])
        gates = [f"{lane['NQDIR']}/gate{number}" for number, lane in enumerate(lanes)]
        for gate, lane in zip(gates, lanes, strict=True):
            os.mkfifo(gate)
            _queue([name, "cat", gate], lane)
        for number in range(count):
            _queue([name, "true"], lanes[number % _ABREAST])
        began = time.perf_counter()
        for gate in gates:
            # Whoever reads it sees its end.
            os.close(os.open(gate, os.O_WRONLY))
        for server in servers:
            _queue([name, "-w"], server)
        return count / (time.perf_counter() - began)


def _queue(words: list[str], env: dict[str, str]) -> None:
    subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL)


def xargs(count: int) -> float:
    """Runs of `true` a second by xargs, two at a time."""
    words, began = "\n".join(str(n) for n in range(count)), time.perf_counter()
    subprocess.run(["xargs", f"-P{_ABREAST}", "-n1", "true"], input=words, text=True, check=True)
    return count / (time.perf_counter() - began)


def python() -> str | None:
    """An interpreter that has the libraries: a throw-away environment under .work/; None without PyPI."""
    place = ROOT / ".work" / "bench-peers"
    interpreter, mark = place / "bin" / "python", place / "complete"
    if not mark.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
            install = [str(interpreter), "-m", "pip", "install", "-q", *LIBRARIES]
            subprocess.run(install, check=True, capture_output=True, timeout=_INSTALL_WITHIN)
        except (OSError, subprocess.SubprocessError):
            leave_out(f"{', '.join(LIBRARIES)}: PyPI is out of reach")
            return None
        mark.touch()
    return str(interpreter)


def hueyed(interpreter: str, kind: str, count: int) -> float:
    """Runs of `true` a second by a huey consumer with two workers; queued before."""
    with a_folder() as place:
        words = [interpreter, str(Path(__file__).with_name("hueying.py")), "runs", kind, place, str(count)]
        return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


@contextlib.contextmanager
def huey_at_work(interpreter: str, kind: str, command: str) -> Iterator[subprocess.Popen[str]]:
    """Keep a huey consumer that runs this command once for each line written to it; it answers with when."""
    with a_folder() as place:
        words = [interpreter, str(Path(__file__).with_name("hueying.py")), "latency", kind, place, command]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield process
            if process.stdin:
                process.stdin.close()
