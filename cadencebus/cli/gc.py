"""`cadence gc`: what retention lets go is archived, then removed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from cadencebus.daemon import gc_daily
from cadencebus.daemon.gc_pass import GcPass
from cadencebus.desk.journaling import tell
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import TryLater
from cadencebus.policy.clock_trust import Trust, judge
from cadencebus.store import archive, gc_state
from cadencebus.store.config import load_settings
from cadencebus.store.paths import FOLDERS

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence gc --dry-run       what would go
  cadence gc                 archives and removes it; the consumer does so daily
  cadence gc --trust-clock   after the clock has jumped, and `date` is right"""
_SAID = {
    "done": "finished ticks, archived",
    "dead": "dead letters, archived",
    "runs": "run folders, with their logs",
    "events": "days of the journal, archived",
    "keys": "idempotency keys whose window is over",
    "tmp": "leftovers in tmp/",
}


def main(words: list[str], context: Context) -> int:
    """Run gc once, by `retention` in cadence.yaml."""
    parser = Parser(
        "gc", "Archive, then remove, what is older than `retention`; never what is still needed.", EXAMPLES
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and leave it")
    parser.add_argument("--trust-clock", action="store_true", help="believe the clock although it jumped")
    asked = parser.parse_args(words)
    out, home = Output(context), context.home
    keep = gc_daily.keep_of(load_settings(home), home)
    known = _trusted(home, by_word=asked.trust_clock)
    gc = GcPass(home, keep, known.clocks.wall, dry_run=asked.dry_run)
    if asked.dry_run:
        _go(gc)
    else:
        with archive.alone(home.tmp, wait=False) as free:
            if not free:
                raise TryLater(
                    "the home is being tidied at this moment", next_step="cadence gc, a little later"
                )
            gc_state.save(home, known)
            _refuse(known)
            _go(gc)
        tell(home, gc.event())
    _say(out, gc, known, home)
    return 1 if gc.tally.problems else 0


def _trusted(home: Home, *, by_word: bool) -> Trust:
    now = gc_daily.read_clocks()
    if by_word:
        return Trust(clocks=now)
    return judge(gc_state.load(home), now, _newest(home))


def _newest(home: Home) -> float:
    """The youngest trace of anything that happened here."""
    at = 0.0
    for place in (home.state, home.format, *(f"{home.state}/{folder}" for folder in FOLDERS)):
        if os.path.lexists(place):
            at = max(at, os.lstat(place).st_mtime)
    return min(at, time.time())


def _refuse(known: Trust) -> None:
    if known.doubted_at is not None:
        raise TryLater(
            f"nothing is removed for now: {known.doubt}; by a wrong clock everything looks old",
            next_step="date; if it is right: cadence gc --trust-clock (by itself it is believed after a day)",
        )


def _go(gc: GcPass) -> None:
    for _ in gc.steps():
        pass


def _say(out: Output, gc: GcPass, known: Trust, home: Home) -> None:
    tally = gc.tally
    if out.json:
        out.document({"home": home.root, "dry_run": gc.dry_run, "doubt": known.doubt or None, **tally.dump()})
        return
    counts = tally.dump()
    for key, said in _SAID.items():
        if counts[key]:
            out.line(f"{counts[key]:>9,}  {said}")
    if not tally.any:
        out.line("nothing is old enough to go")
    elif gc.dry_run:
        out.hint("nothing was removed: cadence gc does it")
    elif tally.done or tally.events:
        out.hint(f"archives: {archive.folder_of(home)}")
    if known.doubt:
        out.warn(f"{known.doubt}: `cadence gc` would refuse to remove anything")
    for problem in tally.problems:
        out.warn(f"not removed: {problem}")
