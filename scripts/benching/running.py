"""What a run costs: with how many waiting, how many a second."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from benching import byhand, rivals
from benching.ground import (
    CADENCE,
    MEMORY,
    TRUE,
    Figure,
    a_folder,
    consumer,
    fill,
    finished,
    median,
    new_home,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from _typeshed import FileDescriptorLike

WARM = 20  # ticks that are done before counting starts
WORKERS = 2
_RUNS = "runs of `true`, two at a time"
_AGAINST = {
    "hand": ("runs_of_hand", "a maildir loop by hand that is as durable (strict), in two processes"),
    "loop": ("runs_of_loop", "one such loop in one process, two commands at a time"),
    "whole": ("runs_of_whole", "a loop by hand that keeps all that the bus keeps of a run (whole)"),
    "lean": ("runs_of_lean", "a maildir loop by hand that syncs three times a run (lean)"),
    "xargs": ("runs_of_xargs", "xargs -P2, which keeps nothing"),
    "nq": ("runs_vs_nq", "nq in two folders, which syncs nothing"),
    "tsp": ("runs_vs_tsp", "tsp with two slots, which has all in memory"),
    **{kind: (f"runs_vs_{kind}", f"huey with two workers ({mode})") for kind, mode in rivals.HUEYS.items()},
}
_FLAT = (100, 10_000, 100_000, 1_000_000)
_FLAT_SHORT = (100, 10_000)


# Two slots are all there are (`max_sessions`). What is being settled takes none, but counts as its cadence's.
_MANY = TRUE.replace("concurrency: 2", "concurrency: 8")
# So many seconds longer takes each sync of a disk that has to flush its cache.
_MORE = 0.004
_SLOWLY = f"""
import os, sys, time
sync = os.fsync
os.fsync = lambda fd: (time.sleep({_MORE}), sync(fd))[1]
from cadencebus.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@contextlib.contextmanager
def _slow_disk() -> Iterator[None]:
    """Have each sync of this process and of what it forks take longer."""
    sync = os.fsync

    def slowly(fd: FileDescriptorLike) -> None:
        time.sleep(_MORE)
        sync(fd)

    os.fsync = slowly
    try:
        yield
    finally:
        os.fsync = sync


def flat(*, short: bool) -> list[Figure]:
    """Claim, run and finish a tick with few and with many waiting; the disk is left out of it."""
    sizes, measured, rounds = (_FLAT_SHORT, 30, 1) if short else (_FLAT, 400, 3)
    costs = dict.fromkeys(sizes, math.inf)
    # In turn, so that what else the machine does hits each of them; the quickest round had least of that.
    for _, waiting in itertools.product(range(rounds), sizes):
        cost = _per_tick(waiting, min(measured, waiting - 2 * WARM))
        costs[waiting] = min(costs[waiting], cost)
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
    """`true` as often as it goes, two at a time: the bus, by hand, others; in turn."""
    count, rounds = (40, 2) if short else (400, 5)
    ways: dict[str, Callable[[], float]] = {
        "bus": lambda: _by_the_bus(count),
        "hand": lambda: _by_hand(count, byhand.run_strictly),
        "loop": lambda: _by_one_loop(count),
        "whole": lambda: _by_hand(count, byhand.run_wholly),
        "lean": lambda: _by_hand(count, byhand.run_leanly),
        "xargs": lambda: rivals.xargs(count),
    }
    ways |= {name: partial(rivals.spooled, name, count // 2) for name in rivals.spoolers()}
    interpreter = None if short else rivals.python()
    if interpreter:
        ways |= {kind: partial(rivals.hueyed, interpreter, kind, count) for kind in rivals.HUEYS}
    rates = [{way: once() for way, once in ways.items()} for _ in range(rounds)]
    figures = [
        Figure("runs_a_second", median([one["bus"] for one in rates]), "/s", _RUNS, least=100),
        Figure("hand_a_second", median([one["hand"] for one in rates]), "/s", "the same by hand, strict"),
        Figure("whole_a_second", median([one["whole"] for one in rates]), "/s", "the same by hand, whole"),
    ]
    for way, (name, says) in _AGAINST.items():
        if way in ways:
            ratio = median([one["bus"] / one[way] for one in rates])
            figures.append(Figure(name, ratio, "x", f"against {says}", least=0.4 if way == "hand" else None))
    return figures


def slow(*, short: bool) -> list[Figure]:
    """The same where each sync takes some milliseconds, as on a disk that has to flush its cache."""
    count, rounds = (40, 1) if short else (200, 3)
    rates = []
    for _ in range(rounds):
        ours = _by_the_bus(count, program=[sys.executable, "-c", _SLOWLY])
        with _slow_disk():
            rates.append((ours, _by_hand(count, byhand.run_strictly)))
    more = f"each sync takes {1000 * _MORE:.0f} ms more"
    return [
        Figure("slow_runs_a_second", median([ours for ours, _ in rates]), "/s", f"{_RUNS}, where {more}"),
        Figure("slow_hand_a_second", median([hand for _, hand in rates]), "/s", "the same by hand, strict"),
        Figure(
            "slow_runs_of_hand",
            median([ours / hand for ours, hand in rates]),
            "x",
            "against a maildir loop by hand that is as durable (strict)",
            least=0.4,
        ),
    ]


def _by_the_bus(count: int, program: Sequence[str] = CADENCE) -> float:
    with new_home(_MANY) as home:
        fill(home, count)
        os.sync()
        with consumer(home, "--drain", program=program):
            until(lambda: finished(home) >= WARM)
            began, first = time.perf_counter(), finished(home)
            until(lambda: finished(home) >= count, pause=0.02)
            return (count - first) / (time.perf_counter() - began)


def _by_hand(count: int, run: Callable[[str, list[str]], None]) -> float:
    with a_folder() as folder:
        return byhand.rate(f"{folder}/maildir", count, WORKERS, partial(byhand.each_with, run, ["true"]))


def _by_one_loop(count: int) -> float:
    with a_folder() as folder:
        return byhand.rate(f"{folder}/maildir", count, 1, partial(byhand.two_at_a_time, ["true"]))
