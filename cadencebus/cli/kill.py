"""`cadence kill`: end a running session, the whole tree of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk import killing
from cadencebus.desk.lookup import WAITING, Found, find, listing
from cadencebus.desk.options import Parser, a_duration
from cadencebus.desk.output import Output
from cadencebus.errors import NoSuch, TryLater, Usage
from cadencebus.model.naming import is_cadence
from cadencebus.store import files, lock

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence kill 7f3k9q2m
  cadence kill brief             the run of a cadence, where it has just one
  cadence kill 7f3k --requeue    it runs again later, and nothing is counted"""


def main(words: list[str], context: Context) -> int:
    """End a run (gentle signal, TERM, grace, KILL) and wait until nothing of it is left."""
    parser = Parser("kill", "End a running session: TERM, grace, KILL of the whole tree.", EXAMPLES)
    parser.add_argument("tick", help="its id, any unique part of it, or its cadence")
    parser.add_argument("--requeue", action="store_true", help="its tick goes back to the queue, uncounted")
    parser.add_argument(
        "--timeout",
        type=a_duration,
        default=killing.WITHIN,
        metavar="D",
        help="how long to wait (60s) before exit 75",
    )
    asked = parser.parse_args(words)
    home, out = context.home, Output(context)
    found = _running(home, asked.tick)
    run = killing.live_run(home, found)
    if run is None:
        raise TryLater(
            f"{found.name.id}: no run of it is alive now: it is being started or settled",
            next_step=f"cadence show {found.name.random}",
        )
    first = killing.end(run, requeue=asked.requeue, detail="cadence kill")
    if not first:
        out.warn(f"{run.id} was being ended already, for another reason, which stays")
    if not killing.until_over(home, found, run, asked.timeout):
        raise TryLater(f"{run.id} is not over yet", next_step=f"cadence show {found.name.random}")
    if out.json:
        out.document({"tick": found.name.id, "run": run.id, "requeue": asked.requeue, "first": first})
        return 0
    out.line(
        f"{found.name.id} {'was killed' if not asked.requeue else 'was stopped and goes back to the queue'}"
    )
    if not lock.is_held(home):
        out.hint("no consumer is up: the next one settles the tick")
    return 0


def _running(home: Home, part: str) -> Found:
    if is_cadence(part) and files.exists(home.prompt(part)):
        return _only_one(home, part)
    found = find(home, part)
    if found.state == "claimed":
        return found
    verb = "rm" if found.state in WAITING else "show"
    raise NoSuch(
        f"{found.name.id} does not run: it is {'waiting' if found.state in WAITING else found.state}",
        next_step=f"cadence {verb} {found.name.random}",
    )


def _only_one(home: Home, cadence: str) -> Found:
    running = list(listing(home, ("claimed",), cadence))
    if not running:
        raise NoSuch(f"{cadence} does not run", next_step=f"cadence ls --cadence {cadence}")
    if len(running) > 1:
        ids = ", ".join(found.name.random for found in running)
        raise Usage(f"{cadence} runs {len(running)} times: {ids}", next_step="say which")
    return running[0]
