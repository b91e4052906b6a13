"""Bringing the background consumer up and down, for the verbs that do it."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from cadencebus.clock import rfc3339
from cadencebus.daemon import supervision
from cadencebus.desk.options import Parser, a_duration
from cadencebus.errors import CadenceError, NotPermitted, TryLater
from cadencebus.policy import upkeep
from cadencebus.session import identity, process_tree
from cadencebus.store import files, lock
from cadencebus.store.json_file import load_object

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from cadencebus.daemon.supervision import State
    from cadencebus.store.paths import Home

T = TypeVar("T")
_UP_WITHIN = 60.0
# The supervisor gives the consumer ten seconds, and itself some more.
_DOWN_WITHIN = 25.0
_PAUSE = 0.03
_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a consumer may be silent, and the first wait after a death."""

    silent: float = upkeep.SILENT
    first_wait: float = upkeep.FIRST_WAIT

    def words(self) -> tuple[str, str]:
        """For the supervisor's command line."""
        return f"{self.silent:g}", f"{self.first_wait:g}"


def with_pace(parser: Parser) -> Parser:
    """Let tests hurry: they have no three minutes."""
    parser.add_argument("--silent", type=a_duration, default=upkeep.SILENT, help=argparse.SUPPRESS)
    parser.add_argument("--first-wait", type=a_duration, default=upkeep.FIRST_WAIT, help=argparse.SUPPRESS)
    return parser


def pace_of(asked: Namespace) -> Pace:
    """What the command line says of it."""
    return Pace(silent=asked.silent, first_wait=asked.first_wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class Up:
    """A consumer that is at work, and who keeps it up (None: nobody does)."""

    pid: int
    since: str
    keeper: State | None
    fresh: bool


class Began(NamedTuple):
    """When a supervisor was started, and how long the log was then."""

    at: str
    log_size: int


class DidNotComeUp(CadenceError):
    """The consumer ended instead of coming up."""

    def __init__(self, code: int, message: str, *, said: list[str], next_step: str | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.exit_code = code
        self.said = tuple(said)


def at_work(home: Home) -> Up | None:
    """The consumer of a home, if it holds the lock and has said who it is."""
    try:
        said = load_object(home.consumer)
        pid, since = said["pid"], str(said["started_at"])
    except (OSError, ValueError, KeyError):
        return None
    # Asked in this order, the lock is hardly ever tried while a consumer takes it.
    if not isinstance(pid, int) or process_tree.started(pid) is None or not lock.is_held(home):
        return None
    return Up(pid=pid, since=since, keeper=supervision.alive(home), fresh=False)


def bring_up(home: Home, pace: Pace) -> Up:
    """Start a supervisor, and wait until the consumer is at work; errors say why it is not."""
    there = at_work(home)
    if there is not None and (there.keeper is not None or not _left_over(home, there)):
        return there
    if identity.MARK in os.environ:
        # Whatever a run starts is swept when it ends.
        raise NotPermitted("a session can't start the consumer: it would be ended with the session")
    began = Began(rfc3339(time.time()), _log_size(home))
    child = _spawn(home, pace)
    found = until(lambda: _is_up(home) or _why_not_up(home, began, child), _UP_WITHIN)
    if isinstance(found, Up):
        if found.keeper is not None and found.keeper.supervisor.pid != child.pid:
            # Another `cadence up` was faster. Ours, still on its way, must not come up after a `down`.
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_UP_WITHIN)
        return found
    if found is not None:
        raise found
    raise _not_at_work(home)


def _not_at_work(home: Home) -> TryLater:
    """It lives and is not at work: what is in its way is on the first screen."""
    from cadencebus.desk.overview import overview  # noqa: PLC0415 - a minute has passed

    for worst in overview(home).verdict.complaints[:1]:
        return TryLater(f"it is still starting: {worst.what}", next_step=worst.do.replace("`", ""))
    return TryLater("it is still starting", next_step="cadence ps")


def _spawn(home: Home, pace: Pace) -> subprocess.Popen[bytes]:
    with supervision.log(home) as log:
        return subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-P", "-m", "cadencebus.daemon.supervisor", home.root, *pace.words()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.root,
            start_new_session=True,
        )


def _left_over(home: Home, there: Up) -> bool:
    """Whether a consumer is that of a supervisor which is no more: the next one takes it over."""
    former = supervision.load(home)
    return former is not None and former.consumer is not None and former.consumer.pid == there.pid


def _is_up(home: Home) -> Up | None:
    there = at_work(home)
    if there is None or there.keeper is None or there.keeper.consumer is None:
        return None
    if there.keeper.consumer.pid != there.pid:
        return None
    return Up(pid=there.pid, since=there.since, keeper=there.keeper, fresh=True)


def _why_not_up(home: Home, began: Began, child: subprocess.Popen[bytes]) -> CadenceError | None:
    """What kept it from coming up, as soon as that is known."""
    gone, said = child.poll() is not None, supervision.load(home)
    died = [death for death in said.deaths if death.at >= began.at] if said is not None else []
    if said is not None and died and (said.parked or supervision.alive(home) is not None):
        code = died[-1].code
        again = "fix this, then cadence up" if said.parked else "it is tried again: cadence ps"
        how = upkeep.spell(code)
        status = code if code and code > 0 else 1
        words = _words_since(home, began)
        return DidNotComeUp(status, f"the consumer ended, {how}", said=words, next_step=again)
    if not gone or supervision.alive(home) is not None:
        # Another `cadence up` was faster: its supervisor is ours.
        return None
    if lock.is_held(home):
        return TryLater("another consumer is at work on this home", next_step="cadence ps")
    words = _words_since(home, began)
    return DidNotComeUp(child.returncode or 1, "the supervisor ended", said=words, next_step="cadence up")


def _log_size(home: Home) -> int:
    with contextlib.suppress(OSError):
        return os.stat(supervision.log_of(home)).st_size
    return 0


def _words_since(home: Home, began: Began) -> list[str]:
    """The end of the consumer's log, of this start alone."""
    with contextlib.suppress(OSError), open(supervision.log_of(home), "rb") as log:
        size = os.fstat(log.fileno()).st_size
        # One that had grown large was put aside at the start.
        log.seek(max(began.log_size if began.log_size <= size else 0, size - 8192))
        return log.read().decode("utf-8", "replace").splitlines()[-_LINES:]
    return []


class Down(NamedTuple):
    """What was up and is not any more: pids, None where there was none."""

    consumer: int | None
    supervisor: int | None


def bring_down(home: Home) -> Down:
    """End the supervisor and the consumer, sessions left at work."""
    keeper = supervision.alive(home)
    there = at_work(home) if keeper is not None else None
    if keeper is not None:
        keeper.supervisor.send(signal.SIGTERM)

    def gone() -> bool:
        nonlocal there
        # Looked for again and again: one that is just coming up holds the lock before it says who it is.
        if keeper is None and there is None and (there := at_work(home)) is not None:
            _end(there)
        return (keeper is None or not keeper.supervisor.lives()) and not lock.is_held(home)

    if not until(gone, _DOWN_WITHIN):
        raise TryLater("it has not ended yet", next_step="cadence ps, then cadence down again")
    supervision.forget(home)
    files.sync_folder(home.state)
    return Down(there.pid if there else None, keeper.supervisor.pid if keeper else None)


def _end(there: Up) -> None:
    """Ask one that nobody keeps up: of a terminal, of a service, or of a supervisor that was killed."""
    if process_tree.is_the_bus(there.pid):
        os.kill(there.pid, signal.SIGTERM)


def until(asked: Callable[[], T], within: float) -> T | None:
    """Ask again and again, until there is an answer; None where the time is over."""
    deadline = time.monotonic() + within
    while not (found := asked()):
        if time.monotonic() >= deadline:
            return None
        time.sleep(_PAUSE)
    return found
