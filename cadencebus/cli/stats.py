"""`cadence stats`: how each cadence fares, in numbers."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from cadencebus.cli import chronicle
from cadencebus.cli.options import Parser, a_duration
from cadencebus.cli.output import Cell, Column, Output, Painted
from cadencebus.model.duration import spell_duration
from cadencebus.model.foreign import whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.cli.context import Context

EXAMPLES = """  cadence stats
  cadence stats --since 30d --json | jq '.[] | {cadence, p95: .seconds.p95}'"""
COLUMNS = (
    Column("CADENCE"),
    Column("RUNS", right=True),
    Column("OK", right=True),
    Column("P50", right=True),
    Column("P95", right=True),
    Column("MAX", right=True),
    Column("WAIT P95", right=True),
    Column("TURNS", right=True),
    Column("USD", right=True),
    Column("FAILED AS", wide=True),
)
_SINCE = 7 * 86400.0
# Below this share of good ends a cadence is shown in red.
_POOR = 0.8


def main(words: list[str], context: Context) -> int:
    """Sum up the journal by cadence."""
    parser = Parser("stats", "Success rate, durations, waits, turns, money, by cadence.", EXAMPLES)
    parser.add_argument("--cadence", metavar="C", help="only this cadence")
    parser.add_argument("--since", type=a_duration, default=_SINCE, metavar="D", help="so long ago (7d)")
    asked = parser.parse_args(words)
    out = Output(context)
    by_cadence: dict[str, list[chronicle.Told]] = {}
    for told in chronicle.runs(context.home, time.time() - asked.since, asked.cadence):
        by_cadence.setdefault(told.cadence, []).append(told)
    rows = [_summed(name, runs) for name, runs in sorted(by_cadence.items())]
    if out.json:
        out.document(rows)
    elif rows:
        out.table(COLUMNS, [_row(row) for row in rows])
    else:
        out.hint("no runs")
    return 0


def _summed(cadence: str, runs: Sequence[chronicle.Told]) -> dict[str, Any]:
    well = sum(1 for told in runs if told.klass == "ok")
    classes: dict[str, int] = {}
    for told in runs:
        if told.klass != "ok":
            classes[told.klass] = classes.get(told.klass, 0) + 1
    money = [told.usd for told in runs if told.usd is not None]
    turns = [count for told in runs if (count := whole(told.line.get("turns"))) is not None]
    return {
        "cadence": cadence,
        "runs": len(runs),
        "ok": well,
        "success_rate": round(well / len(runs), 4),
        "seconds": _percentiles([told.seconds for told in runs]),
        "waited": _percentiles([told.waited for told in runs if told.waited is not None]),
        "turns": sum(turns) if turns else None,
        "usd": round(sum(money), 6) if money else None,
        "classes": classes,
    }


def _percentiles(values: list[float]) -> dict[str, float] | None:
    """The middle, the bad end and the worst, by nearest rank."""
    if not values:
        return None
    values = sorted(values)

    def rank(share: float) -> float:
        return values[max(0, math.ceil(share * len(values)) - 1)]

    return {"p50": rank(0.5), "p95": rank(0.95), "max": values[-1]}


def _row(row: dict[str, Any]) -> list[Cell]:
    seconds, waited = row["seconds"] or {}, row["waited"] or {}
    rate = f"{100 * row['success_rate']:.0f}%"
    failed = ", ".join(f"{klass} {count}" for klass, count in sorted(row["classes"].items()))
    return [
        row["cadence"],
        str(row["runs"]),
        Painted(rate, "green" if row["success_rate"] >= _POOR else "red"),
        *(spell_duration(seconds.get(key, 0.0)) for key in ("p50", "p95", "max")),
        spell_duration(waited["p95"]) if waited else "",
        "" if row["turns"] is None else str(row["turns"]),
        "" if row["usd"] is None else f"{row['usd']:.2f}",
        failed,
    ]
