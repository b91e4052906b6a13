"""`cadence resume`: release what is held."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import enqueue_checks, holding, reasons
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.errors import CadenceError, Usage
from cadencebus.model.hold import BUS, on_cadence, on_credentials

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence resume                        the whole bus
  cadence resume brief                  what holds it alone: a pause, a back-off
  cadence resume --credentials claude   after `claude /login`
  cadence resume --all                  everything"""


def main(words: list[str], context: Context) -> int:
    """Release holds; a hold that the bus set itself is not set again for five minutes."""
    parser = holding.with_scope(Parser("resume", "Release what is held.", EXAMPLES))
    parser.add_argument("--all", action="store_true", help="every hold")
    asked = parser.parse_args(words)
    if sum(bool(given) for given in (asked.name, asked.credentials, asked.all)) > 1:
        raise Usage("resume: one of NAME, --credentials, --all")
    home, out, now = context.home, Output(context), time.time()
    held = holding.held(home, now)
    wanted = [hold for hold in held if asked.all or hold.scope in _scopes(home, asked)]
    if asked.name and not wanted:
        enqueue_checks.check_cadence(home, asked.name)
    released = holding.release(home, wanted)
    if out.json:
        out.document([holding.dump(hold, now) for hold in released])
        return 0
    for hold in released:
        out.line(f"released {hold.scope} {hold.reason}")
    if not released:
        out.hint(f"nothing was held{_why_none(home, asked) or ('; what is: cadence holds' if held else '')}")
    if asked.name:
        _still_held(context, asked.name, {hold.reason for hold in released}, out)
    return 0


def _why_none(home: Home, asked: Namespace) -> str:
    nobody = asked.credentials and holding.credentials_named(home, asked.credentials) is None
    return f": no runner uses credentials {asked.credentials!r}" if nobody else ""


def _scopes(home: Home, asked: Namespace) -> set[str]:
    if asked.name:
        return {on_cadence(asked.name)}
    if not asked.credentials:
        return {BUS}
    # As it stands, too: what is held may be of a runner that is no more.
    shared = holding.credentials_named(home, asked.credentials)
    return {on_credentials(asked.credentials), on_credentials(str(shared))}


def _still_held(context: Context, name: str, spared: set[str], out: Output) -> None:
    """Say what still keeps it waiting; a brake that was released is not set again at once."""
    now = time.time()
    snapshot = reasons.Reasons(context.home, now)
    try:
        cadence = snapshot.prompts.load(name)
    except (CadenceError, OSError):
        return
    wait = snapshot.would_start(cadence, spared=spared)
    # What runs by now may well be what was released.
    if wait is not None and wait.reason != "running":
        out.hint(f"{name} still waits: {reasons.spell(wait, now)}")
