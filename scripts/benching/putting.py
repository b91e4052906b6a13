"""What it costs to put ticks in: the command, the library, the batch, and what others charge."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benching import byhand, rivals
from benching.ground import CADENCE, MEMORY, Figure, a_folder, environment, leave_out, median, new_home, spent
from cadencebus.model.naming import name_of
from cadencebus.store import inlet

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.model.naming import Name

_PEERS = ("dirq", "persist-queue", "litequeue", "huey", "huey_sqlite")
_TURNS = 5


def enqueue(*, short: bool) -> list[Figure]:
    """`cadence enqueue` against the same interpreter's `-c pass`, and against nq and tsp where they are."""
    commands = {
        "bare": [sys.executable, "-c", "pass"],
        "enqueue": [*CADENCE, "enqueue", "x"],
        "payload": [*CADENCE, "enqueue", "x", "--payload", '{"a": 1}'],
    }
    commands |= {name: [name, "true"] for name in rivals.spoolers()}
    with new_home(folder=MEMORY) as home, a_folder() as jobs:
        env = environment(home) | {"NQDIR": jobs, "TS_SOCKET": f"{jobs}/socket", "TMPDIR": jobs}
        rounds = [
            {name: spent(words, env) for name, words in commands.items()} for _ in range(6 if short else 40)
        ]
        if "tsp" in commands:
            subprocess.run(["tsp", "-K"], env=env, check=False)
    wall = {name: median([one[name][0] for one in rounds]) for name in commands}
    cpu = {name: median([one[name][1] for one in rounds]) for name in commands}
    figures = [
        Figure("bare_ms", 1000 * wall["bare"], "ms", "a bare interpreter, `-c pass`"),
        Figure("enqueue_wall_ratio", wall["enqueue"] / wall["bare"], "x bare", "enqueue, wall time", 2.0),
        Figure("enqueue_cpu_ratio", cpu["enqueue"] / cpu["bare"], "x bare", "enqueue, CPU time"),
        Figure(
            "payload_wall_ratio", wall["payload"] / wall["bare"], "x bare", "with a payload, wall time", 3.0
        ),
        Figure("payload_cpu_ratio", cpu["payload"] / cpu["bare"], "x bare", "with a payload, CPU time"),
    ]
    for name in ("nq", "tsp"):
        if name in commands:
            says = f"enqueue against {name}, a C program that syncs nothing"
            figures.append(Figure(f"enqueue_vs_{name}", wall["enqueue"] / wall[name], f"x {name}", says))
    return figures


def put(*, short: bool) -> list[Figure]:
    """A durable put and a durable batch in this process, against the same system calls by hand, in turn."""
    each, rounds, many, batches = (5, 20, 500, 2) if short else (10, 300, 10_000, 4)
    with new_home() as home, contextlib.chdir(home.state):
        byhand.make(maildir := f"{home.state}/maildir")
        os.chdir(maildir)
        hand, ours = _in_turn(
            rounds,
            lambda turn: _by_hand(turn, each),
            lambda _: [inlet.put_small(home, "x") for _ in range(each)],
        )
        hand_batch, batch = _in_turn(
            batches,
            lambda turn: byhand.put_batch([f"batch-{turn}-{n}" for n in range(many)]),
            lambda _: inlet.put_all(home, _made(many)),
        )
    says = f"a tick of a durable batch of {many:,}"
    alone = median(ours) / each
    return [
        Figure("put_a_second", 1 / alone, "/s", "durable puts, one by one"),
        Figure("put_of_limit", _of(hand, ours), "x", "durable puts against the same by hand", least=0.8),
        Figure(
            "batch_of_single", alone / (min(batch) / many), "x", f"{says} against one put alone", least=4.0
        ),
        Figure("batch_of_limit", _of(hand_batch, batch), "x", f"{says} against a batch by hand"),
    ]


def _by_hand(turn: int, each: int) -> None:
    for n in range(each):
        byhand.put(f"{turn}-{n}")


def _made(count: int) -> list[tuple[Name, bytes, None]]:
    ids = [inlet.new_id(time.time()) for _ in range(count)]
    return [(name_of(one, "x", 5), inlet.small_tick(one, "x", "cli", time.time()), None) for one in ids]


def _in_turn(rounds: int, *ways: Callable[[int], object]) -> list[list[float]]:
    """Seconds of each way in each round."""
    took: list[list[float]] = [[] for _ in ways]
    for turn in range(rounds):
        for way, times in zip(ways, took, strict=True):
            began = time.perf_counter()
            way(turn)
            times.append(time.perf_counter() - began)
    return took


def _of(hand: list[float], ours: list[float]) -> float:
    """How near ours comes to it by hand, each at its middle: rounds are short, so noise hits both alike."""
    return median(hand) / median(ours)


def peers(*, short: bool) -> list[Figure]:
    """The same by libraries from PyPI, each as durable as it can be made, beside it in one run."""
    python = rivals.python()
    if python is None:
        return []
    count, figures = 50 if short else 150, []
    script = Path(__file__).with_name("peers.py")
    for peer in _PEERS:
        with new_home() as home, a_folder() as folder:
            words, ratios, told = [python, str(script), peer, folder, str(count)], [], {}
            for _ in range(_TURNS):
                ended = subprocess.run(words, capture_output=True, text=True, check=False)
                if ended.returncode:
                    leave_out(f"{peer}: {ended.stderr.strip()[-200:]}")
                    break
                began, told = time.perf_counter(), json.loads(ended.stdout)
                for _ in range(count):
                    inlet.put_small(home, "x")
                ratios.append(count / (time.perf_counter() - began) / told["rate"])
            if ratios:
                says = f"durable puts against {peer} ({told['mode']})"
                figures.append(Figure(f"put_vs_{peer}", median(ratios), f"x {peer}", says))
    return figures
