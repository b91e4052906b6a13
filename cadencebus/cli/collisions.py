"""`cadence collisions`: the week in five-minute buckets, where it is too full, and what to move."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.desk import collisions
from cadencebus.desk.columns import Column
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, Painted
from cadencebus.desk.snapshot import Snapshot
from cadencebus.errors import Usage
from cadencebus.model.wording import some
from cadencebus.policy.collisions import Suggestion, Week, picture

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context

EXAMPLES = """  cadence collisions
  cadence collisions --limit 1               as if there were one slot
  cadence collisions --weigh money           where the week costs most
  cadence collisions --json | jq -c '.suggestions[] | [.cadence, .schedule]'"""
COLUMNS = (
    Column("WHEN"),
    Column("FROM"),
    Column("TO"),
    Column("AT ONCE", right=True),
    Column("CADENCES", wide=True),
)
ADVICE = (
    Column("CADENCE"),
    Column("WRITE"),
    Column("LATER", right=True),
    Column("SESSION-MINUTES A WEEK OVER THE LIMIT"),
)
_SHOWN = 12
_NAMED = 6


def main(words: list[str], context: Context) -> int:
    """Show this week, its pile-ups, and cron lines that would spread them."""
    asked = _parse(words)
    out, snapshot = Output(context), Snapshot(context.home, time.time())
    loads, unmeasured = collisions.loads_of(snapshot, asked.weigh)
    limit = _limit(asked, snapshot)
    week = collisions.look(snapshot, loads, limit=limit)
    crowds = collisions.crowds(week) if limit is not None else []
    if out.json:
        out.document(_document(week, crowds, unmeasured, asked.weigh))
        return 0
    if not loads:
        out.hint("nothing is scheduled: write `schedule:` or `every:` in a cadence's file")
        return 0
    if not week.limit:
        out.hint(f"of {asked.weigh} nothing was measured yet: look again when some have run")
        return 0
    for line in picture(week, _width()):
        out.line(line)
    if crowds:
        _tell(out, week, crowds)
    elif limit is not None:
        out.line("")
        out.line(Painted("no pile-ups", "green"), f": never more than {week.limit:g} at once")
    _advise(out, week)
    if unmeasured:
        out.hint(f"not measured yet, taken for five minutes a run: {some(unmeasured, _NAMED)}")
    return 0


def _parse(words: list[str]) -> Namespace:
    parser = Parser(
        "collisions", "This week in five-minute buckets: where schedules pile up, what to move.", EXAMPLES
    )
    parser.add_argument(
        "--weigh",
        choices=sorted(collisions.WEIGHTS),
        default="duration",
        help="what of a run counts: how long it takes a slot (default), its turns, its money",
    )
    parser.add_argument("--limit", metavar="N", help="what is too much at once (default: max_sessions)")
    return parser.parse_args(words)


def _limit(asked: Namespace, snapshot: Snapshot) -> float | None:
    if asked.limit is None:
        return float(snapshot.settings.max_sessions) if asked.weigh == "duration" else None
    try:
        limit = float(asked.limit)
    except ValueError:
        limit = -1.0
    if not 0 < limit < float("inf"):
        raise Usage(f"--limit {asked.limit}: wants a number above 0")
    return limit


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() else shutil.get_terminal_size().columns


def _tell(out: Output, week: Week, crowds: list[collisions.Crowd]) -> None:
    out.heading(f"more than {week.limit:g} at once")
    rows = [
        [
            collisions.spell_days(crowd.days),
            crowd.since,
            crowd.until,
            f"{crowd.peak:.1f}",
            crowd.who,
        ]
        for crowd in crowds[:_SHOWN]
    ]
    out.table(COLUMNS, rows)
    if len(crowds) > _SHOWN:
        out.hint(f"and {len(crowds) - _SHOWN} more: --json has them all")


def _advise(out: Output, week: Week) -> None:
    if not week.suggestions:
        return
    out.heading("would spread it, in this order")
    rows = [
        [
            one.name,
            f'schedule: "{one.line}"',
            f"{one.minutes}m",
            f"{one.excess_before:.0f} -> {one.excess_after:.0f}",
        ]
        for one in week.suggestions
    ]
    out.table(ADVICE, rows)


def _document(
    week: Week, crowds: list[collisions.Crowd], unmeasured: list[str], weigh: str
) -> dict[str, Any]:
    return {
        "weigh": weigh,
        "limit": round(week.limit, 6),
        "zone": str(week.zone),
        "buckets": [
            {
                "at": rfc3339(bucket.at),
                "weight": round(bucket.weight, 6),
                "shares": {name: round(share, 6) for name, share in bucket.shares},
            }
            for bucket in week.buckets
            if bucket.weight
        ],
        "pileups": [collisions.dump(crowd) for crowd in crowds],
        "suggestions": [_suggestion(one) for one in week.suggestions],
        "unmeasured": unmeasured,
    }


def _suggestion(one: Suggestion) -> dict[str, Any]:
    return {
        "cadence": one.name,
        "schedule": one.line,
        "minutes": one.minutes,
        "excess_before": round(one.excess_before, 3),
        "excess_after": round(one.excess_after, 3),
    }
