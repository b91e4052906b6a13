"""`cadence stats`: how each cadence fares, in numbers."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from cadencebus.clock import day, parse_rfc3339
from cadencebus.desk import ended_runs, plot
from cadencebus.desk.columns import Column
from cadencebus.desk.nearest import why_none
from cadencebus.desk.options import Parser, a_duration, a_word
from cadencebus.desk.output import Cell, Output, Painted
from cadencebus.model.duration import spell_duration
from cadencebus.policy.figures import Figures, Histogram, sparkline, summed
from cadencebus.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence stats
  cadence stats --plot --since 30d
  cadence stats --since 30d --json | jq '.[] | {cadence, p95: .seconds.p95}'"""
COLUMNS = (
    # What a narrow terminal has no room for is left off; --json always has it.
    Column("CADENCE", least=14),
    Column("RUNS", right=True),
    Column("OK", right=True),
    Column("P50", right=True, goes=6),
    Column("P95", right=True),
    Column("MAX", right=True, goes=2),
    Column("WAIT P95", right=True, goes=5),
    Column("TURNS", right=True, goes=1),
    Column("TOKENS", right=True, goes=3),
    Column("USD", right=True),
    Column("STREAK", right=True, goes=4),
)
_DAY = 86400.0
_SINCE = 7 * _DAY
# Below this share of good ends a cadence is shown in red.
_POOR = 0.8
Days = dict[str, Figures]


def main(words: list[str], context: Context) -> int:
    """Sum up the journal by cadence."""
    what = "Success rate, durations, waits, turns, tokens, money, streaks, by cadence."
    parser = Parser("stats", what, EXAMPLES)
    parser.add_argument("--cadence", type=a_word, metavar="C", help="only this cadence")
    since = "since when (7d); a day or more: whole days, UTC"
    parser.add_argument("--since", type=a_duration, default=_SINCE, metavar="D", help=since)
    parser.add_argument("--plot", action="store_true", help="draw it, day by day")
    asked = parser.parse_args(words)
    out, now = Output(context), time.time()
    found = by_cadence(context.home, now - asked.since, now, os.environ)
    known = {name: days for name, days in sorted(found.items()) if asked.cadence in {None, name}}
    calendar = _calendar(now - asked.since, now)
    if out.json:
        out.document([about(name, days) for name, days in known.items()])
    elif not known:
        out.hint(f"no runs{why_none(context.home, asked.cadence)}")
    elif asked.plot:
        plot.draw(out, known, calendar)
    else:
        _table(out, known, calendar)
    return 0


def by_cadence(home: Home, since: float, now: float, environ: Mapping[str, str]) -> dict[str, Days]:
    """Of each cadence the figures of each UTC day; less than a day is counted run by run."""
    found: dict[str, Days] = {}
    if now - since < _DAY:
        for told in ended_runs.runs(home, since):
            figures = found.setdefault(told.cadence, {}).setdefault(day(told.at), Figures())
            rollups.count(figures, told.line)
        return found
    for rollup in rollups.daily(home, day(max(0.0, since)), environ):
        for name, figures in rollup.cadences.items():
            found.setdefault(name, {})[rollup.day] = figures
    return found


def about(name: str, days: Days) -> dict[str, Any]:
    """The object that --json prints of a cadence."""
    whole = summed(days.values())
    return {
        "cadence": name,
        **_figures(whole),
        "streak": {"now": whole.streaks.last, "best": whole.streaks.best, "worst": whole.streaks.worst},
        "days": [{"day": today, **_figures(figures)} for today, figures in sorted(days.items())],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "runs": figures.runs,
        "ok": figures.well,
        "success_rate": round(figures.well / figures.runs, 4) if figures.runs else None,
        "seconds": _percentiles(figures.seconds),
        "waited": _percentiles(figures.waited),
        "turns": figures.turns or None,
        "tokens": dict(figures.tokens) or None,
        "usd": round(figures.usd, 6) or None,
        "classes": {klass: number for klass, number in sorted(figures.classes.items()) if klass != "ok"},
    }


def _percentiles(spread: Histogram) -> dict[str, float] | None:
    """The middle, the bad end and the worst; true within 1 %."""
    if not spread.count:
        return None
    return {
        "p50": round(spread.rank(0.5), 3),
        "p95": round(spread.rank(0.95), 3),
        "max": spread.most,
        "mean": round(spread.total / spread.count, 3),
    }


def _calendar(since: float, now: float) -> list[str]:
    """Every UTC day from then to now."""
    first = parse_rfc3339(f"{day(max(0.0, since))}T00:00:00Z")
    return [day(first + n * _DAY) for n in range(int((now - first) // _DAY) + 1)]


def _table(out: Output, known: dict[str, Days], calendar: list[str]) -> None:
    """A line each; by day how many there were, and what they failed as."""
    columns = [*COLUMNS, Column("BY DAY", goes=7), Column("FAILED AS", wide=True)]
    rows = [_row(name, days, calendar[-_DAYS_SHOWN:]) for name, days in known.items()]
    out.table(columns, rows)
    if len(known) > 1:
        totals = [summed(days.values()) for days in known.values()]
        runs, well = sum(one.runs for one in totals), sum(one.well for one in totals)
        out.hint(f"in all {runs} runs, {well} of them ok, {sum(one.usd for one in totals):.2f} USD")


_DAYS_SHOWN = 14


def _row(name: str, days: Days, calendar: list[str]) -> list[Cell]:
    whole = summed(days.values())
    seconds, waited = whole.seconds, whole.waited
    rate = whole.well / whole.runs if whole.runs else 0.0
    failed = ", ".join(f"{klass} {count}" for klass, count in whole.classes.most_common() if klass != "ok")
    streak = whole.streaks.last
    return [
        name,
        str(whole.runs),
        Painted(f"{100 * rate:.0f}%", "green" if rate >= _POOR else "red"),
        *(spell_duration(seconds.rank(share)) for share in (0.5, 0.95)),
        spell_duration(seconds.most),
        spell_duration(waited.rank(0.95)) if waited.count else "",
        str(whole.turns or ""),
        _thousands(whole.tokens.total()),
        f"{whole.usd:.2f}" if whole.usd else "",
        Painted(f"{abs(streak)} {'ok' if streak > 0 else 'bad'}", "green" if streak > 0 else "red"),
        sparkline([days[today].runs if today in days else None for today in calendar]),
        failed,
    ]


def _thousands(number: int) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.1f}{unit}"
    return str(number or "")
