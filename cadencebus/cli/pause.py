"""`cadence pause`: hold a cadence, credentials, or the whole bus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import enqueue_checks, holding, human_time
from cadencebus.desk.moments import parse_moment
from cadencebus.desk.options import Parser, a_duration, a_text
from cadencebus.desk.output import Output
from cadencebus.errors import NoSuch, Usage
from cadencebus.model.hold import BUS, OPERATOR, Hold, on_cadence, on_credentials

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence pause                        the whole bus, until `cadence resume`
  cadence pause --until "2026-12-01 08:00"
  cadence pause brief --for 2h --reason "reviewing its prompt"
  cadence pause --credentials claude   whatever uses its credentials"""


def main(words: list[str], context: Context) -> int:
    """Set a hold: ticks stay in inbox/, what runs goes on."""
    parser = holding.with_scope(
        Parser("pause", "Start nothing new; ticks wait, what runs goes on to its end.", EXAMPLES)
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument("--for", dest="length", type=a_duration, metavar="D", help="resume by itself after that")
    end.add_argument(
        "--until", type=parse_moment, metavar="TIME", help="resume by itself then: 07:30, 2026-12-01, …"
    )
    parser.add_argument(
        "--reason", type=a_text, default="", metavar="T", help="why; `status` and `holds` show it"
    )
    asked = parser.parse_args(words)
    if asked.name and asked.credentials:
        raise Usage("pause: a cadence or credentials, not both", next_step="two pauses do both")
    scope = _scope(context.home, asked)
    now, out = time.time(), Output(context)
    until = asked.until if asked.length is None else now + asked.length
    if asked.until is not None and asked.until <= now:
        raise Usage("pause: --until lies in the past", next_step="date")
    hold = Hold(scope=scope, reason="paused", since=now, until=until, detail=asked.reason, by=OPERATOR)
    holding.put(context.home, hold)
    if out.json:
        out.document(holding.dump(hold, now))
        return 0
    shared = scope.removeprefix("credentials-")
    what, whom = asked.name or shared, f" {asked.name}" if asked.name else f" --credentials {shared}"
    if scope == BUS:
        what, whom = "the bus", ""
    released = f"`cadence resume{whom}`" if until is None else human_time.clock(until, now)
    out.line(f"{what} is paused until {released}")
    return 0


def _scope(home: Home, asked: Namespace) -> str:
    if asked.name:
        enqueue_checks.check_cadence(home, asked.name)
        return on_cadence(asked.name)
    if not asked.credentials:
        return BUS
    credentials = holding.credentials_named(home, asked.credentials)
    if credentials is None:
        raise NoSuch(f"no runner uses credentials {asked.credentials!r}", next_step="cadence cadences")
    return on_credentials(credentials)
