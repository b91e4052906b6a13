"""What it costs to put ticks in: the command, the library, the batch, and what others charge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benching.ground import CADENCE, MEMORY, Figure, environment, median, new_home, spent
from cadencebus.store import files, inlet

ROOT = Path(__file__).resolve().parents[2]
_PEERS = ("dirq", "persist-queue", "litequeue", "huey")
_INSTALL_WITHIN = 120.0
_TURNS = 5


def enqueue(*, short: bool) -> list[Figure]:
    """`cadence enqueue` against the same interpreter's `-c pass`, and against nq and tsp where they are."""
    commands = {
        "bare": [sys.executable, "-c", "pass"],
        "enqueue": [*CADENCE, "enqueue", "x"],
        "payload": [*CADENCE, "enqueue", "x", "--payload", '{"a": 1}'],
    }
    commands |= {name: [name, "true"] for name in ("nq", "tsp") if shutil.which(name)}
    with new_home(folder=MEMORY) as home, tempfile.TemporaryDirectory() as jobs:
        env = environment(home) | {"NQDIR": jobs, "TS_SOCKET": f"{jobs}/socket", "TMPDIR": jobs}
        rounds = [
            {name: spent(words, env) for name, words in commands.items()} for _ in range(8 if short else 40)
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
        else:
            print(f"bench: {name} is not installed: skipped", file=sys.stderr)
    return figures


def put(*, short: bool) -> list[Figure]:
    """A durable put and a durable batch in this process, against the same system calls by hand."""
    each, rounds, many = (25, 8, 1000) if short else (100, 20, 10_000)
    ours, hand, batch = [], [], []
    with new_home() as home:
        for number in range(rounds):
            began = time.perf_counter()
            for n in range(each):
                _by_hand(home.tmp, home.keys, f"{number}-{n}")
            middle = time.perf_counter()
            for _ in range(each):
                inlet.put_small(home, "x")
            ours.append((time.perf_counter() - middle) / each)
            hand.append((middle - began) / each)
        for _ in range(2 if short else 3):
            ids = [inlet.new_id(time.time()) for _ in range(many)]
            made = [
                (inlet.name_of(one, "x", 5), inlet.small_tick(one, "x", "cli", time.time()), None)
                for one in ids
            ]
            began = time.perf_counter()
            inlet.put_all(home, made)
            batch.append((time.perf_counter() - began) / many)
    ratio = median([theirs / mine for mine, theirs in zip(ours, hand, strict=True)])
    says = f"a tick of a durable batch of {many:,} against one put alone"
    return [
        Figure("put_a_second", 1 / median(ours), "/s", "durable puts, one by one"),
        Figure("put_of_limit", ratio, "x", "durable puts against the same calls by hand", least=0.8),
        Figure("batch_of_single", median(ours) / min(batch), "x", says, least=4.0),
    ]


def _by_hand(beside: str, queue: str, name: str) -> None:
    """Write, sync, name, sync: less can't be durable."""
    fd = os.open(f"{beside}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, b'{"cadence": "x", "source": "cli", "created_at": "2026-11-21T02:30:00.000000Z"}\n')
    os.fsync(fd)
    os.close(fd)
    os.rename(f"{beside}/{name}", f"{queue}/{name}")
    folder = os.open(queue, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(folder)
    os.close(folder)


def peers(*, short: bool) -> list[Figure]:
    """The same by libraries from PyPI, each as durable as it can be made, beside it in one run."""
    python = _peers_python()
    if python is None:
        print("bench: no PyPI, no peers: skipped", file=sys.stderr)
        return []
    count, figures = 50 if short else 150, []
    script = Path(__file__).with_name("peers.py")
    for peer in _PEERS:
        with new_home() as home, tempfile.TemporaryDirectory() as folder:
            words, ratios, told = [python, str(script), peer, folder, str(count)], [], {}
            for _ in range(_TURNS):
                ended = subprocess.run(words, capture_output=True, text=True, check=False)
                if ended.returncode:
                    print(f"bench: {peer}: {ended.stderr.strip()[-200:]}: skipped", file=sys.stderr)
                    break
                began, told = time.perf_counter(), json.loads(ended.stdout)
                for _ in range(count):
                    inlet.put_small(home, "x")
                ratios.append(count / (time.perf_counter() - began) / told["rate"])
            if ratios:
                says = f"durable puts against {peer} ({told['mode']})"
                figures.append(Figure(f"put_vs_{peer}", median(ratios), f"x {peer}", says))
    return figures


def _peers_python() -> str | None:
    """An interpreter that has the peers: a throw-away environment under .work/."""
    place = ROOT / ".work" / "bench-peers"
    python, mark = place / "bin" / "python", place / "complete"
    if not mark.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, capture_output=True)
            install = [str(python), "-m", "pip", "install", "-q", *_PEERS]
            subprocess.run(install, check=True, capture_output=True, timeout=_INSTALL_WITHIN)
        except (OSError, subprocess.SubprocessError):
            return None
        files.write_new(str(mark), b"")
    return str(python)
