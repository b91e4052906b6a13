"""`cadence next`: what is due, across all cadences."""

from __future__ import annotations

import math
import time
from datetime import datetime
from typing import TYPE_CHECKING

from cadencebus.desk import human_time, reasons
from cadencebus.desk.columns import Column
from cadencebus.desk.forecast import MANY, Upcoming, schedules, upcoming
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Cell, Output, Painted
from cadencebus.desk.snapshot import Snapshot
from cadencebus.errors import Usage
from cadencebus.model.duration import parse_duration
from cadencebus.store import files, lock
from cadencebus.store.zone import local_zone

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence next
  cadence next --hours 168                   a week
  cadence next --hours 1 --json | jq -r '.[] | [.at, .cadence] | @tsv'"""
COLUMNS = (
    Column("DUE"),
    Column("IN", right=True),
    Column("CADENCE"),
    Column("BY", goes=1),
    Column("WHEN", folds=True, goes=2),
    Column("WAITS FOR", folds=True),
)
_HOUR = 3600.0


def main(words: list[str], context: Context) -> int:
    """List what is due in order, each with what will make it wait."""
    parser = Parser("next", "What is due in the next hours, in local time, and what holds it.", EXAMPLES)
    parser.add_argument(
        "--hours", metavar="N", default="24", help="hours to look ahead (24), or a duration such as 90m"
    )
    hours = _hours(parser.parse_args(words).hours)
    home, out, now = context.home, Output(context), time.time()
    found = upcoming(home, now, hours)
    if out.json:
        out.document([one.dump() for one in found])
        return 0
    if found:
        out.table(COLUMNS, [_row(one, now) for one in found])
    else:
        out.hint(f"nothing is due in the next {hours:g} hours{_later(home, now)}")
    if any(one.by == "clock" for one in found) and not lock.is_held(home):
        out.hint("no consumer: nothing fires until `cadence up` or `cadence run`")
    elif files.exists(home.stop):
        out.hint("stopped: nothing fires until `cadence start`; what is missed is caught up with then")
    return 0


def _later(home: Home, now: float) -> str:
    """What comes when it is further off; where nothing ever does, how to make it."""
    fires = [(one.next_at(now), one.cadence) for one in schedules(Snapshot(home, now))]
    due = [(at, cadence) for at, cadence in fires if at is not None]
    if not due:
        return ": write `every: 5m` in a cadence's file"
    at, cadence = min(due)
    hours = math.ceil((at - now) / _HOUR) + 1
    return f"; then {cadence}, {human_time.clock(at, now)}: `cadence next --hours {hours}`"


def _hours(text: str) -> float:
    plain = text.replace(".", "", 1).isdigit() and text.isascii()
    try:
        return parse_duration(float(text) * _HOUR if plain else text) / _HOUR
    except ValueError as error:
        raise Usage(f"--hours {text}: not {error}") from None


def _row(one: Upcoming, now: float) -> list[Cell]:
    waits = "" if one.wait is None else reasons.spell(one.wait, now)
    when = one.when or one.tick or ""
    if one.missed:
        when = f"missed{f' {one.times} times' if one.times > 1 else ''}; fires as soon as a consumer is up"
    elif one.times > 1:
        count = f"more than {MANY}" if one.times > MANY else str(one.times)
        when += f"; {count} times until {_clock(one.last_at or one.at, now)}"
    return [
        _clock(one.at, now),
        "now" if one.at <= now else human_time.ago(one.at - now),
        one.cadence,
        one.by,
        when,
        Painted(waits, "yellow") if waits else "",
    ]


def _clock(at: float, now: float) -> str:
    """An instant in local time: the weekday stands in front unless it is today."""
    zone = local_zone()
    then, here = datetime.fromtimestamp(at, zone), datetime.fromtimestamp(now, zone)
    if then.date() == here.date():
        return f"{then:%H:%M:%S}" if then.second else f"{then:%H:%M}"
    return f"{then:%a %d %b %H:%M}"
