"""Ending running sessions by an operator's word."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.daemon.vigil import end_run
from cadencebus.desk.lookup import listing
from cadencebus.desk.options import a_duration
from cadencebus.session import life
from cadencebus.store import files, lock, runs

if TYPE_CHECKING:
    from cadencebus.desk.lookup import Found
    from cadencebus.desk.options import Parser
    from cadencebus.store.paths import Home
    from cadencebus.store.runs import RunFolder

# The longest ladder by default, with some room: the gentle signal, kill_grace, and what survives SIGKILL.
_ALL_WITHIN = 60.0
_PAUSE = 0.05
# How long a live consumer is given to put the tick where it belongs, once its run has ended.
_SETTLE_WITHIN = 5.0


def with_kill(parser: Parser) -> Parser:
    """The options of a verb that may end the sessions, too."""
    parser.add_argument("--kill", action="store_true", help="end the sessions, too; their ticks are requeued")
    parser.add_argument(
        "--timeout",
        type=a_duration,
        default=_ALL_WITHIN,
        metavar="D",
        help="wait so long for that (60s), else 75",
    )
    return parser


def live_run(home: Home, found: Found) -> RunFolder | None:
    """The run of a claimed tick that is alive; None where there is none."""
    run = runs.latest(home, found.name.id)
    return run if run is not None and life.is_alive(run.path) else None


def end(run: RunFolder, *, requeue: bool, detail: str) -> bool:
    """Ask for the run's end; False where somebody else had asked before, whose reason stands."""
    return end_run(run, "killed", detail, at=time.time(), by="operator", requeue=requeue)


def end_all(home: Home, within: float, *, detail: str) -> tuple[list[str], list[str]]:
    """End every session; the runs that are over, and those that are not yet. Their ticks are requeued."""
    alive = [(tick, run) for tick in listing(home, ("claimed",)) if (run := live_run(home, tick))]
    # Ask all first, then wait: the runs are ended side by side.
    for _, run in alive:
        end(run, requeue=True, detail=detail)
    deadline = time.monotonic() + within
    ended: list[str] = []
    left: list[str] = []
    for tick, run in alive:
        over = until_over(home, tick, run, max(0.0, deadline - time.monotonic()))
        (ended if over else left).append(run.id)
    return ended, left


def until_over(home: Home, found: Found, run: RunFolder, within: float) -> bool:
    """Wait until nothing of the run is left and its tick is settled; False at the time-out."""
    deadline = time.monotonic() + within
    while life.is_alive(run.path):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
    settled_by = time.monotonic() + _SETTLE_WITHIN
    while time.monotonic() < settled_by and lock.is_held(home) and _unsettled(home, found, run):
        time.sleep(_PAUSE)
    return True


def _unsettled(home: Home, found: Found, run: RunFolder) -> bool:
    """Whether the tick still is where that run had it; a requeued one may be in its next run by now."""
    return files.exists(f"{home.state}/{found.place}") and runs.latest(home, found.name.id) == run
