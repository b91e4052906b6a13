"""`cadence wait`: until ticks are finished."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.cli import output
from cadencebus.cli.finding import find
from cadencebus.cli.options import Parser
from cadencebus.errors import NoSuch, Usage
from cadencebus.model.duration import parse_duration
from cadencebus.model.naming import parse_deferred, parse_name
from cadencebus.store.corrupt import load_object
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from cadencebus.cli.context import Context
    from cadencebus.store.paths import Home

WELL = frozenset({"ok", "skipped", "absorbed", "duplicate"})
_FIRST, _SLOWEST = 0.02, 0.5


def main(words: list[str], context: Context) -> int:
    """Wait; 0 if all ended well, 1 if not, 75 at the time-out."""
    parser = Parser(
        "wait",
        "Until ticks are finished.",
        "  cadence wait 7f3k9q2m --timeout 10m\n  cadence wait $(cadence enqueue brief) && publish",
    )
    parser.add_argument("tick", nargs="+", help="ids, or unique parts of them")
    parser.add_argument("--timeout", metavar="D", help="give up after that time, exit 75")
    asked = parser.parse_args(words)
    ids = [find(context.home, part).name.id for part in asked.tick]
    return until_finished(context.home, ids, context, timeout=asked.timeout)


def until_finished(home: Home, ids: list[str], context: Context, *, timeout: str | None) -> int:
    """Wait for all of these ticks and tell of each as it ends."""
    deadline = None if timeout is None else time.monotonic() + _seconds(timeout)
    waiting, worst, pause = dict.fromkeys(ids), 0, _FIRST
    spool = Spool(home)
    while waiting:
        for tick_id in list(waiting):
            ended = _ended(spool, tick_id)
            if ended is not None:
                del waiting[tick_id]
                worst = max(worst, _tell(ended, context))
                pause = _FIRST
        if not waiting:
            break
        if deadline is not None and time.monotonic() >= deadline:
            output.hint(f"still waiting for {', '.join(waiting)}", quiet=context.quiet)
            return 75
        left = pause if deadline is None else min(pause, max(0.0, deadline - time.monotonic()))
        # A look is a few directory entries; it gets rarer the longer nothing happens.
        time.sleep(left)
        pause = min(pause * 1.3, _SLOWEST)
    return worst


def _ended(spool: Spool, tick_id: str) -> dict[str, Any] | None:
    """The outcome of a tick that has ended; None while it has not; NoSuch where it is nowhere."""
    for _ in range(3):
        # It may move from a folder not yet looked at to one already looked at: look again before despairing.
        for folder in ("inbox", "claimed", "deferred"):
            if any(_is(file, tick_id) for file in spool.names(folder)):
                return None
        for folder in ("dead", *(f"done/{day}" for day in reversed(spool.done_days()))):
            for file in spool.names(folder):
                if _is(file, tick_id):
                    return load_object(f"{spool.home.state}/{folder}/{file}")
    raise NoSuch(f"no tick {tick_id!r} any more")


def _is(file: str, tick_id: str) -> bool:
    if not file.endswith(f"{tick_id[-8:]}.json"):
        return False
    parsed = parse_deferred(file)
    name = parsed[1] if parsed else parse_name(file)
    return name is not None and name.id == tick_id


def _tell(members: dict[str, Any], context: Context) -> int:
    outcome = members.get("outcome") or {}
    status = str(outcome.get("status"))
    if context.json:
        output.emit_json({"id": members.get("id"), "cadence": members.get("cadence"), "outcome": outcome})
    else:
        sys.stdout.write(f"{members.get('id')} {output.paint(status, status)}\n")
    if status in WELL:
        return 0
    output.hint(f"{members.get('cadence')}: {output.safe(outcome.get('reason'))}", quiet=context.quiet)
    return 1


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Usage(f"--timeout {text}: {error}") from None
