"""`cadence logs`: what a run printed; agents' streams as people read them."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from cadencebus.desk.following import piece_of
from cadencebus.desk.lookup import WAITING, Found, find, listing
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import NoSuch
from cadencebus.model.legible import clean
from cadencebus.model.naming import is_cadence
from cadencebus.session import life
from cadencebus.store import files, lock, runs
from cadencebus.store.config import settings_or_default
from cadencebus.store.memory import Memories
from cadencebus.streams.feed import Feed
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home
    from cadencebus.store.runs import RunFolder

EXAMPLES = """  cadence logs 7f3k9q2m        the last run of a tick; 7f3k9q2m.1: its first
  cadence logs 7f3k9q2m -f     from its start to its end, which it waits for
  cadence logs brief -f        the last run of a cadence, as it grows
  cadence logs                 what runs now, or ran last
  cadence logs 7f3k --raw | jq .type"""
# How much of its standard error is shown where that is all there is.
_LAST_WORDS = 10
# Between two looks at a file that grows: quick while it does, gentle while it does not.
_FIRST, _SLOWEST = 0.05, 0.5
_JUDGED_WITHIN = 2.0


def main(words: list[str], context: Context) -> int:
    """Print a run's standard output, or its standard error; -f goes on until the run is over."""
    parser = Parser("logs", "A run's output; agents' streams are rendered readably.", EXAMPLES)
    parser.add_argument(
        "what", nargs="?", help="a tick, a run (TICK.2) or a cadence (default: the latest run)"
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run is over")
    parser.add_argument("--stderr", action="store_true", help="its standard error instead")
    parser.add_argument("--raw", action="store_true", help="as it was printed")
    asked = parser.parse_args(words)
    home, out = context.home, Output(context)
    run = _awaited(home, asked.what, out) if asked.follow and asked.what else _run(home, asked.what)
    name = "stderr" if asked.stderr else "stdout"
    stream = "plain" if asked.stderr else _stream(home, run)
    pieces = _pieces(home, run.file(f"{name}.log"), run, follow=asked.follow)
    if asked.raw and not out.json:
        _raw(pieces, out)
    else:
        _rendered(pieces, out, {"run": run.id, "stream": name}, "" if asked.raw else stream)
    if asked.follow:
        _await_verdict(home, run)
    _tell_end(run, out, name, follow=asked.follow)
    return 0


def _rendered(pieces: Iterator[bytes], out: Output, about: dict[str, str], stream: str) -> None:
    """Line by line, as they come; without a stream's name as they are."""
    before = ""
    for line in _lines(pieces):
        for shown in render(stream, line) if stream else [line.decode("utf-8", "replace")]:
            if out.json:
                out.line_of_json({**about, "line": shown})
            elif shown != before or not shown.startswith("! "):
                # An agent's last words of a failure come twice: as its message, and as its result.
                out.line(shown)
            before = shown


def _await_verdict(home: Home, run: RunFolder) -> None:
    """Until the run is judged, which its consumer does at once."""
    deadline = time.monotonic() + _JUDGED_WITHIN
    while not runs.record(run).get("class"):
        if time.monotonic() > deadline or not lock.is_held(home):
            return
        time.sleep(_FIRST)


def _tell_end(run: RunFolder, out: Output, name: str, *, follow: bool) -> None:
    """Say how it ended, where somebody waited for that or nothing was printed, and where else to look."""
    record, silent = runs.record(run), not _spoke(run, name)
    other = "stdout" if name == "stderr" else "stderr"
    elsewhere = silent and _spoke(run, other)
    told = []
    if silent:
        told.append(f"printed nothing to {name}" + (f", but something to {other}" if elsewhere else ""))
    if record.get("class") and (silent or follow):
        why = record.get("reason")
        told.append(f"ended: {record['class']}" + (f" ({why})" if why else ""))
    if told:
        out.hint(f"{run.id} {'; '.join(told)}" + (f": cadence show {run.tick_id[-8:]}" if silent else ""))
    if elsewhere and other == "stderr":
        # Who asks why it failed has his answer, and a pipe still gets standard output alone.
        for line in runs.tail(run.file("stderr.log")).splitlines()[-_LAST_WORDS:]:
            out.hint(f"  | {clean(line.decode('utf-8', 'replace'))}")


def _spoke(run: RunFolder, name: str) -> bool:
    return bool(piece_of(run.file(f"{name}.log"), 0))


def _raw(pieces: Iterator[bytes], out: Output) -> None:
    """Every byte as it came; a terminal is spared those that it would obey."""
    if out.terminal:
        for line in _lines(pieces):
            out.line(clean(line.decode("utf-8", "replace")))
        return
    for piece in pieces:
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    feed = Feed()
    for piece in pieces:
        yield from feed.push(piece)
    if rest := feed.rest():
        yield rest


def _pieces(home: Home, path: str, run: RunFolder, *, follow: bool) -> Iterator[bytes]:
    """The bytes of a log; those that are still to come as well, until the run is over."""
    offset, pause = 0, _FIRST
    while True:
        # Asked before the last look: what is printed up to the end is still read.
        alive = follow and (life.is_alive(run.path) or _about_to_start(home, run))
        grew = False
        while piece := piece_of(path, offset):
            offset, grew = offset + len(piece), True
            yield piece
        if not alive:
            return
        pause = _FIRST if grew else min(2 * pause, _SLOWEST)
        # What came is shown before anybody waits for more; a log of gigabytes is not flushed line by line.
        sys.stdout.flush()
        time.sleep(pause)


def _about_to_start(home: Home, run: RunFolder) -> bool:
    """Whether its folder is being made ready: the lock comes last."""
    return (
        not files.exists(run.file("alive"))
        and files.exists(run.path)
        and lock.is_held(home)
        and runs.latest(home, run.tick_id) == run
    )


def _stream(home: Home, run: RunFolder) -> str:
    """How the run's runner speaks."""
    settings, _ = settings_or_default(home)
    return settings.stream_of(runs.record(run).get("runner"))


def _awaited(home: Home, what: str, out: Output) -> RunFolder:
    """The run that is asked for; of a tick that still waits the one to come."""
    pause, told = _FIRST, False
    while True:
        try:
            return _run(home, what)
        except NoSuch as missing:
            found = _not_begun(home, what)
            if found is None:
                raise missing from None
        if not told:
            out.hint(f"{found.name.id} has not started yet: waiting (`cadence show {found.name.random}`)")
            told = True
        time.sleep(pause)
        pause = min(2 * pause, _SLOWEST)


def _not_begun(home: Home, what: str) -> Found | None:
    """A tick whose first run is still to come."""
    try:
        found = find(home, what)
    except NoSuch:
        return None
    return found if found.state in {*WAITING, "claimed"} else None


def _run(home: Home, what: str | None) -> RunFolder:
    if what is None:
        return _latest(home) or _never("nothing ever ran here", "cadence enqueue NAME")
    if is_cadence(what) and (files.exists(home.prompt(what)) or files.exists(home.memory(what))):
        return _latest(home, what) or _never(f"{what} never ran", f"cadence enqueue {what}")
    part, dot, number = what.rpartition(".")
    # The stamp in an id has a dot of its own, but no run has a number of so many digits.
    if dot and number.isdigit() and len(number) <= len(str(runs.MAX_RUNS)) and part:
        run = runs.folder(home, find(home, part).name.id, int(number))
        if not os.path.isdir(run.path):
            raise NoSuch(f"{run.id}: there was no such run", next_step=f"cadence show {part}")
        return run
    found = find(home, what)
    return runs.latest(home, found.name.id) or _never(
        f"{found.name.id} never ran", f"cadence show {found.name.random}"
    )


def _never(what: str, next_step: str) -> NoReturn:
    raise NoSuch(what, next_step=next_step)


def _latest(home: Home, cadence: str | None = None) -> RunFolder | None:
    """What runs now, of this cadence or of any; else what ended last; None where nothing ever ran."""
    for found in listing(home, ("claimed",), cadence):
        run = runs.latest(home, found.name.id)
        if run is not None:
            return run
    # Not by the folders of runs/: they have the day on which a tick was made, which may be long ago.
    memory, now = Memories(home), time.time()
    names = memory.names() if cadence is None else [cadence]
    ended = [memory.cadence(name, now, mend=False).last_run for name in names]
    last = max(ended, key=lambda one: str(one.get("at") or ""), default={})
    return runs.named(home, last.get("run"))
