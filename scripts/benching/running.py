"""What a run costs: with how many waiting, how soon, how many a second."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benching.ground import (
    CADENCE,
    MEMORY,
    Figure,
    consumer,
    environment,
    fill,
    finished,
    median,
    new_home,
    until,
)
from cadencebus.store import files, inlet

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

WARM = 20  # ticks that are done before counting starts
_WORKERS = 2
_STAMP = '---\ncommand: [sh, -c, "date +%s.%N > $CADENCE_RUN_DIR/at"]\noverlap: queue\n---\n'
_FLAT = (100, 10_000, 100_000, 1_000_000)
_FLAT_SHORT = (100, 10_000)


def flat(*, short: bool) -> list[Figure]:
    """Claim, run and finish a tick with few and with many waiting; the disk is left out of it."""
    sizes, measured, rounds = (_FLAT_SHORT, 60, range(1)) if short else (_FLAT, 400, range(2))
    costs = {}
    for waiting in sizes:
        costs[waiting] = min(_per_tick(waiting, min(measured, waiting - 2 * WARM)) for _ in rounds)
    figures = [
        Figure(f"tick_ms_{waiting}", cost, "ms", f"from tick to tick with {waiting:,} waiting")
        for waiting, cost in costs.items()
    ]
    ratio = costs[sizes[-1]] / costs[sizes[0]]
    says = f"a tick with {sizes[-1]:,} waiting against one with {sizes[0]:,}"
    return [*figures, Figure("flat_ratio", ratio, "x", says, most=1.3)]


def _per_tick(waiting: int, measured: int) -> float:
    """Milliseconds from one finished tick to the next, once the consumer is warm."""
    with new_home(folder=MEMORY) as home:
        fill(home, waiting)
        with consumer(home):
            until(lambda: finished(home) >= WARM)
            began, first = time.perf_counter(), finished(home)
            until(lambda: finished(home) >= first + measured)
            return 1000 * (time.perf_counter() - began) / (finished(home) - first)


def runs(*, short: bool) -> list[Figure]:
    """`true` as often as it goes, two at a time: the bus, a hand-written durable loop, xargs; in turn."""
    count, rounds = (120, 2) if short else (600, 3)
    ours, hand, xargs = [], [], []
    for _ in range(rounds):
        ours.append(_by_the_bus(count))
        hand.append(_by_hand(count))
        began, words = time.perf_counter(), "\n".join(str(n) for n in range(count))
        subprocess.run(["xargs", f"-P{_WORKERS}", "-n1", "true"], input=words, text=True, check=True)
        xargs.append(count / (time.perf_counter() - began))
    of_hand = median([mine / theirs for mine, theirs in zip(ours, hand, strict=True)])
    of_xargs = median([mine / theirs for mine, theirs in zip(ours, xargs, strict=True)])
    return [
        Figure("runs_a_second", median(ours), "/s", "runs of `true`, two at a time", least=100),
        Figure("runs_of_hand", of_hand, "x", "against a hand-written durable maildir loop", least=0.4),
        Figure("runs_of_xargs", of_xargs, "x", "against xargs -P2, which keeps nothing"),
    ]


def _by_the_bus(count: int) -> float:
    with new_home() as home:
        fill(home, count)
        os.sync()
        with subprocess.Popen([*CADENCE, "run", "--drain", "--quiet"], env=environment(home)):
            until(lambda: finished(home) >= WARM)
            began, first = time.perf_counter(), finished(home)
            until(lambda: finished(home) >= count, pause=0.02)
            return (count - first) / (time.perf_counter() - began)


def _by_hand(count: int) -> float:
    """Two processes that share a maildir and keep, of each run, what must survive a power cut."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("new", "cur", "done", "runs"):
            os.mkdir(f"{folder}/{name}")
        for n in range(count):
            files.write_new(f"{folder}/new/{n:06}", b'{"cadence": "x"}\n', durable=False)
        os.sync()
        began = time.perf_counter()
        workers = [os.fork() for _ in range(_WORKERS - 1)]
        _work(folder)
        if 0 in workers:
            os._exit(0)
        for pid in workers:
            os.waitpid(pid, 0)
        return count / (time.perf_counter() - began)


def _work(folder: str) -> None:
    """Claim, note, spawn, record, finish: each durable before the next, and nothing beside."""
    for name in sorted(os.listdir(f"{folder}/new")):
        try:
            os.rename(f"{folder}/new/{name}", f"{folder}/cur/{name}")
        except FileNotFoundError:
            continue
        files.sync_folders([f"{folder}/cur", f"{folder}/new"])
        run = f"{folder}/runs/{name}"
        os.mkdir(run)
        files.write_new(f"{run}/run.json", b'{"started_at": "2026-11-21T02:30:00.000000Z"}\n')
        files.sync_folders([run, f"{folder}/runs"])
        pid = os.posix_spawnp("true", ["true"], os.environ)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        files.replace(f"{run}/.tick", f"{folder}/cur/{name}", b'{"cadence": "x", "exit": %d}\n' % code)
        os.rename(f"{folder}/cur/{name}", f"{folder}/done/{name}")
        files.sync_folders([f"{folder}/done", f"{folder}/cur"])


def latency(*, short: bool) -> list[Figure]:
    """From the put to the first instruction of the command, against doing the same by hand."""
    rounds = 20 if short else 150
    ours, hand = [], []
    with new_home(_STAMP) as home, consumer(home):
        until(lambda: os.path.exists(home.consumer))
        for _ in range(rounds):
            hand.append(_put_and_spawn(home))
            ours.append(_put_and_wait(home))
    ordered = sorted(ours)
    return [
        Figure("latency_ms", 1000 * median(ours), "ms", "from put to first instruction, p50"),
        Figure("latency_p95_ms", 1000 * ordered[int(0.95 * len(ordered))], "ms", "the same, p95"),
        Figure("by_hand_ms", 1000 * median(hand), "ms", "the same by hand, as durable, p50"),
        Figure("latency_ratio", median(ours) / median(hand), "x", "p50 against p50 by hand", most=2.0),
    ]


def _put_and_wait(home: Home) -> float:
    asked = time.time()
    mark = Path(home.run(inlet.put_small(home, "x"), 1)) / "at"
    until(lambda: mark.exists() and bool(mark.read_text().strip()), pause=0.0005)
    until(lambda: not os.listdir(home.claimed), pause=0.001)
    return float(mark.read_text()) - asked


def _put_and_spawn(home: Home) -> float:
    """What any durable queue must do: write, sync, name, sync; claim, sync twice; note, sync twice; spawn."""
    began = time.time()
    path, mark, run = f"{home.tmp}/by-hand", f"{home.tmp}/by-hand-at", f"{home.keys}/run"
    files.write_new(path, b'{"cadence": "x"}\n')
    os.rename(path, f"{home.keys}/by-hand")
    files.sync_folder(home.keys)
    os.rename(f"{home.keys}/by-hand", f"{home.cadences}/by-hand")
    files.sync_folders([home.cadences, home.keys])
    os.mkdir(run)
    files.write_new(f"{run}/run.json", b'{"started_at": "2026-11-21T02:30:00.000000Z"}\n')
    files.sync_folders([run, home.keys])
    pid = os.posix_spawnp("sh", ["sh", "-c", f"date +%s.%N > {mark}"], os.environ)
    os.waitpid(pid, 0)
    at = float(Path(mark).read_text())
    for left in (f"{home.cadences}/by-hand", f"{run}/run.json", mark):
        files.discard(left)
    os.rmdir(run)
    return at - began
