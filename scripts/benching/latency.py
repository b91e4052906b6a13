"""How soon a tick becomes a process: ours, the same by hand, and the others, in turn."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from benching import byhand, rivals
from benching.ground import CADENCE, Figure, a_folder, consumer, environment, median, new_home, until
from cadencebus.store import inlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cadencebus.store.paths import Home

_HEARD_WITHIN = 60.0
PROMPT = "---\ncommand: [sh, -c, '{}']\noverlap: queue\n---\n"


class Ear:
    """Hears the first instruction of a command: it writes to a pipe, whoever started it."""

    def __init__(self, folder: str) -> None:
        path = f"{folder}/ear"
        os.mkfifo(path)
        self.command = f"echo x > {path}"
        self._fd = os.open(path, os.O_RDWR)
        self._heard: queue.SimpleQueue[float] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while os.read(self._fd, 64) == b"x\n":
            self._heard.put(time.perf_counter())

    def after(self, began: float) -> float:
        """Seconds from then until the command's first instruction."""
        return self._heard.get(timeout=_HEARD_WITHIN) - began

    def close(self) -> None:
        """Hear no more."""
        os.write(self._fd, b"end")


@contextlib.contextmanager
def listening() -> Iterator[tuple[Ear, str]]:
    """Lend an ear, and a folder to work in."""
    with a_folder() as folder:
        ear = Ear(folder)
        yield ear, folder
        ear.close()


def latency(*, short: bool) -> list[Figure]:
    """From the put to the first instruction of the command: ours, by hand and others', in turn."""
    rounds = 12 if short else 120
    with contextlib.ExitStack() as stack:
        ear, folder = stack.enter_context(listening())
        ways = _ways(stack, ear, folder, short=short)
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, once in ways.items():
                took[way].append(once())
    middle = {way: median(values) for way, values in took.items()}
    ours, late = middle["put"], sorted(took["put"])[int(0.95 * rounds)]
    figures = [
        Figure("latency_ms", 1000 * ours, "ms", "from a put to the command's first instruction, p50"),
        Figure("latency_p95_ms", 1000 * late, "ms", "the same, p95"),
        Figure("by_hand_ms", 1000 * middle["strict"], "ms", "the same by hand, as durable (strict), p50"),
        Figure("by_hand_lean_ms", 1000 * middle["lean"], "ms", "the same by hand, lean, p50"),
        Figure("latency_ratio", ours / middle["strict"], "x", "p50 against p50 by hand, strict", most=2.0),
        Figure("latency_of_lean", ours / middle["lean"], "x", "p50 against p50 by hand, lean"),
        Figure("latency_cli_ms", 1000 * middle["enqueue"], "ms", "from the start of `cadence enqueue`, p50"),
    ]
    for name in ("nq", "tsp"):
        if name in middle:
            says = f"`cadence enqueue` until it runs against `{name}`, p50; nothing synced there"
            figures.append(Figure(f"latency_vs_{name}", middle["enqueue"] / middle[name], f"x {name}", says))
    for name, mode in rivals.HUEYS.items():
        if name in middle:
            says = f"a put until it runs against huey ({mode}; it looks every 10 ms), p50"
            figures.append(Figure(f"latency_vs_{name}", ours / middle[name], "x huey", says))
    return figures


def _ways(
    stack: contextlib.ExitStack, ear: Ear, folder: str, *, short: bool
) -> dict[str, Callable[[], float]]:
    """Each way from a wish to a process, ready to be gone."""
    home = stack.enter_context(new_home(PROMPT.format(ear.command)))
    stack.enter_context(consumer(home))
    until(lambda: os.path.exists(home.consumer))
    maildir = f"{folder}/maildir"
    byhand.make(maildir)
    ways = {
        "put": lambda: _put(home, ear),
        "strict": lambda: _by_hand(maildir, ear, byhand.run_strictly),
        "lean": lambda: _by_hand(maildir, ear, byhand.run_leanly),
        "enqueue": lambda: _started([*CADENCE, "enqueue", "x"], environment(home), ear, home),
    }
    for name in rivals.spoolers():
        env = stack.enter_context(rivals.spooler(name))
        ways[name] = partial(_started, [name, "sh", "-c", ear.command], env, ear)
    interpreter = None if short else rivals.python()
    for kind in rivals.HUEYS:
        if interpreter is None:
            break
        at_work = stack.enter_context(rivals.huey_at_work(interpreter, kind, ear.command))
        ways[kind] = partial(_asked, at_work, ear)
    return ways


def _put(home: Home, ear: Ear) -> float:
    began = time.perf_counter()
    inlet.put_small(home, "x")
    took = ear.after(began)
    _settle(home)
    return took


def _by_hand(maildir: str, ear: Ear, run: Callable[[str, list[str]], None]) -> float:
    name = f"{time.time_ns()}"
    with contextlib.chdir(maildir):
        began = time.perf_counter()
        byhand.put(name)
        run(name, ["sh", "-c", ear.command])
    return ear.after(began)


def _started(words: list[str], env: dict[str, str], ear: Ear, home: Home | None = None) -> float:
    began = time.perf_counter()
    subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL)
    took = ear.after(began)
    if home is not None:
        _settle(home)
    return took


def _asked(at_work: subprocess.Popen[str], ear: Ear) -> float:
    if at_work.stdin is None or at_work.stdout is None:
        raise RuntimeError("huey was started without pipes")
    at_work.stdin.write("go\n")
    at_work.stdin.flush()
    return ear.after(float(at_work.stdout.readline()))


def _settle(home: Home) -> None:
    """The next one finds the bus at rest."""
    until(lambda: not os.listdir(home.claimed), pause=0.001)
