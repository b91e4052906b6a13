"""Ending running sessions by an operator's word."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.daemon.run_watch import end_run
from cadencebus.desk.lookup import listing
from cadencebus.desk.options import a_duration
from cadencebus.model.ending import Stop
from cadencebus.model.hold import OPERATOR
from cadencebus.session import life
from cadencebus.store import files, lock, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.desk.lookup import Found
    from cadencebus.desk.options import Parser
    from cadencebus.store.paths import Home
    from cadencebus.store.runs import RunFolder

    _Run = tuple[Found, RunFolder]

# How long an end may take: the gentle signal, kill_grace, and what survives SIGKILL for a while.
WITHIN = 60.0
_PAUSE = 0.05
# How long a live consumer is given to put the tick where it belongs, once its run has ended.
_SETTLE_WITHIN = 5.0


def with_kill(parser: Parser) -> Parser:
    """The options of a verb that may end the sessions, too."""
    parser.add_argument("--kill", action="store_true", help="end the sessions, too; their ticks are requeued")
    parser.add_argument(
        "--timeout",
        type=a_duration,
        default=WITHIN,
        metavar="D",
        help="how long to wait for that (60s) before exit 75",
    )
    return parser


def live_run(home: Home, found: Found) -> RunFolder | None:
    """The run of a claimed tick that is alive; None where there is none."""
    run = runs.latest(home, found.name.id)
    return run if run is not None and life.is_alive(run.path) else None


def end(run: RunFolder, *, requeue: bool, detail: str) -> bool:
    """Ask for the run's end; False where somebody else had asked before, whose reason stands."""
    return end_run(run, Stop(klass="killed", by=OPERATOR, at=time.time(), requeue=requeue, detail=detail))


def end_all(home: Home, within: float, *, detail: str) -> tuple[list[str], list[str]]:
    """End every session; the runs that are over, and those that are not yet. Their ticks are requeued."""
    alive = [(tick, run) for tick in listing(home, ("claimed",)) if (run := live_run(home, tick))]
    # Ask all first, then wait: the runs are ended side by side.
    for _, run in alive:
        end(run, requeue=True, detail=detail)
    left = {run.id for _, run in left_of(home, alive, within)}
    ids = [run.id for _, run in alive]
    return [run for run in ids if run not in left], [run for run in ids if run in left]


def until_over(home: Home, found: Found, run: RunFolder, within: float) -> bool:
    """Wait until nothing of the run is left and its tick is settled; False at the time-out."""
    return not left_of(home, [(found, run)], within)


def left_of(home: Home, runs_of: Sequence[_Run], within: float) -> list[_Run]:
    """Wait until nothing of the runs is left and their ticks are settled; those that are not over then."""
    deadline = time.monotonic() + within
    left = list(runs_of)
    while (left := [one for one in left if life.is_alive(one[1].path)]) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    # Side by side, too: a consumer that is stopped settles none of them.
    settled_by = time.monotonic() + _SETTLE_WITHIN
    over = [one for one in runs_of if one not in left]
    while (
        time.monotonic() < settled_by and lock.is_held(home) and any(_unsettled(home, *one) for one in over)
    ):
        time.sleep(_PAUSE)
    return left


def _unsettled(home: Home, found: Found, run: RunFolder) -> bool:
    """Whether the tick still is where that run had it; a requeued one may be in its next run by now."""
    return files.exists(f"{home.state}/{found.place}") and runs.latest(home, found.name.id) == run
