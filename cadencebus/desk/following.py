"""A tick's log on the screen while it runs, from run to run, until it is finished."""

from __future__ import annotations

import os
import sys
import time
from itertools import islice
from typing import TYPE_CHECKING

from cadencebus.desk.how_to_release import how_to_release
from cadencebus.desk.lookup import WAITING, find
from cadencebus.desk.reasons import Reasons, cure, spell
from cadencebus.errors import CadenceError
from cadencebus.session import life
from cadencebus.store import runs
from cadencebus.store.config import settings_or_default
from cadencebus.store.spool import Spool
from cadencebus.streams.feed import Feed
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from cadencebus.desk.output import Output
    from cadencebus.model.naming import Name
    from cadencebus.store.paths import Home
    from cadencebus.store.runs import RunFolder

_CHUNK = 1 << 16
# Between two looks: quick while it prints, gentle while it does not.
_FIRST, _SLOWEST, _SLOWER = 0.05, 0.5, 1.3
# After this time a look is no longer one of the first.
_QUIET = 0.2


def follow(home: Home, name: Name, out: Output, *, deadline: float | None) -> None:
    """Print what the tick's runs print, until it is finished or the (monotonic) time is over."""
    spool = Spool(home)
    log: _Log | None = None
    shown = told = 0
    pause = _FIRST
    while True:
        # Asked before the last look: what is printed up to the end is still read.
        over = spool.ended(name) is not None or (deadline is not None and time.monotonic() >= deadline)
        grew = False
        # Every one of them: a run that fails at once is over before anybody looks.
        for run in islice(runs.every(home, name.id), shown, None):
            if log is not None:
                grew = log.show(out, last=True) or grew
            log, shown = _Log(home, run), shown + 1
        grew = (log is not None and log.show(out, last=over)) or grew
        if over:
            return
        quiet = not grew and pause > _QUIET
        if quiet and shown > told and log is not None and not life.is_alive(log.run.path):
            told = shown if _tell_why_it_waits(home, name, out) else told
        pause = _FIRST if grew else min(pause * _SLOWER, _SLOWEST)
        time.sleep(pause if deadline is None else max(0.0, min(pause, deadline - time.monotonic())))


def _tell_why_it_waits(home: Home, name: Name, out: Output) -> bool:
    """Say why it waits after a run that came to nothing: the next one may be far off."""
    try:
        found = find(home, name.id, WAITING)
    except CadenceError:
        return False
    now = time.time()
    reasons = Reasons(home, now)
    wait = reasons.of_tick(found)
    if wait is not None:
        out.hint(f"{name.id} waits: {spell(wait, now)}")
        by = [hold for hold in reasons.holds if (hold.reason, hold.detail) == (wait.reason, wait.detail)]
        way = how_to_release(by[0], home) if by else cure(wait.reason, name.cadence)
        if way:
            out.hint(f"  → {way.replace('`', '')}")
    return True


class _Log:
    """The log of one run, read as it grows."""

    def __init__(self, home: Home, run: RunFolder) -> None:
        self.run = run
        self._home = home
        self._feed = Feed()
        self._at = 0
        self._stream: str | None = None

    def show(self, out: Output, *, last: bool) -> bool:
        """Print what is new; whether there was anything."""
        lines: list[bytes] = []
        while piece := piece_of(self.run.file("stdout.log"), self._at):
            self._at += len(piece)
            lines += self._feed.push(piece)
        if last and (rest := self._feed.rest()):
            lines.append(rest)
        for line in lines:
            for text in render(self._speaks(), line):
                if out.json:
                    out.line_of_json({"run": self.run.id, "stream": "stdout", "line": text})
                else:
                    out.line(text)
        sys.stdout.flush()
        return bool(lines)

    def _speaks(self) -> str:
        if self._stream is None:
            settings, _ = settings_or_default(self._home)
            self._stream = settings.stream_of(runs.record(self.run).get("runner"))
        return self._stream


def piece_of(path: str, offset: int) -> bytes:
    """The next bytes of a log that may still grow; none where it has no more, or is not there yet."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, _CHUNK, offset)
    finally:
        os.close(fd)
