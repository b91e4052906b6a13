"""`cadence stats --plot`: runs day by day, drawn with nothing but characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk.output import Cell, Painted
from cadencebus.model.duration import spell_duration
from cadencebus.policy.figures import Figures, sparkline, summed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cadencebus.desk.output import Output

_HEIGHT = 8
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MARGIN = 8
_WIDEST = 6
_PIPE = 100


def draw(out: Output, known: Mapping[str, Mapping[str, Figures]], calendar: Sequence[str]) -> None:
    """All runs of each day as a bar, bad ends red at its foot; then each cadence by itself."""
    room = max(1, (out.width if out.terminal else _PIPE) - _MARGIN - 2)
    calendar = calendar[-room:]
    days = [summed(days[today] for days in known.values() if today in days) for today in calendar]
    _bars(out, days, calendar, min(_WIDEST, max(1, room // len(calendar))))
    for name, own in known.items():
        _cadence(out, name, own, calendar)


def _bars(out: Output, days: Sequence[Figures], calendar: Sequence[str], width: int) -> None:
    most = max((one.runs for one in days), default=0) or 1
    # A pipe gets no box drawing.
    wall, corner, floor = "│└─" if out.terminal else "|+-"
    out.line(Painted("runs a day", "bold"), "  good ", Painted("█", "green"), "  bad ", Painted("░", "red"))
    for row in range(_HEIGHT, 0, -1):
        label = str(most) if row == _HEIGHT else ""
        cells: list[Cell] = [Painted(label.rjust(_MARGIN - 2), "dim"), Painted(f" {wall}", "dim")]
        cells += [_piece(one, row, most, width) for one in days]
        out.line(*cells)
    out.line(Painted("0".rjust(_MARGIN - 2) + f" {corner}" + floor * (width * len(days)), "dim"))
    first, last = calendar[0], calendar[-1]
    gap = max(1, width * len(days) - len(first) - len(last))
    names = first + " " * gap + last if len(calendar) > 1 else last
    out.line(Painted(" " * _MARGIN + names, "dim"))


def _piece(one: Figures, row: int, most: int, width: int) -> Cell:
    """What of a day's bar stands in a row."""
    height = one.runs * _HEIGHT / most
    bad = (one.runs - one.well) * _HEIGHT / most
    gap = " " if width > 1 else ""
    filled = min(1.0, max(0.0, height - (row - 1)))
    # A single bad end among thousands is seen, too.
    if bad > row - 1:
        return Painted("░" * (width - len(gap)) + gap, "red")
    eighth = int(filled * 8 + 0.999) if filled else 0
    return Painted(_EIGHTHS[eighth] * (width - len(gap)) + gap, "green")


def _cadence(out: Output, name: str, own: Mapping[str, Figures], calendar: Sequence[str]) -> None:
    whole = summed(own.values())
    rate = whole.well / whole.runs if whole.runs else 0.0
    out.line("")
    out.line(
        Painted(name, "bold"),
        f"  {100 * rate:.0f}% of {whole.runs} runs well",
        f", half within {spell_duration(whole.seconds.rank(0.5))}",
        f", 95% within {spell_duration(whole.seconds.rank(0.95))}",
    )
    _line(out, "runs", own, calendar, lambda one: one.runs, said=lambda most: f"{most:.0f} a day at most")
    if whole.well < whole.runs:
        failed = ", ".join(f"{klass} {n}" for klass, n in whole.classes.most_common() if klass != "ok")
        _line(out, "bad", own, calendar, lambda one: one.runs - one.well, said=lambda _: failed, style="red")
    _line(out, "p95", own, calendar, lambda one: one.seconds.rank(0.95), said=_at_most)
    if whole.waited.rank(0.95) >= 1:
        _line(out, "wait", own, calendar, lambda one: one.waited.rank(0.95), said=_at_most)
    if whole.usd:
        spent = f"{whole.usd:.2f} USD in all"
        _line(out, "usd", own, calendar, lambda one: one.usd, said=lambda _: spent)


def _at_most(seconds: float) -> str:
    return f"{spell_duration(seconds)} at most"


def _line(
    out: Output,
    title: str,
    own: Mapping[str, Figures],
    calendar: Sequence[str],
    value: Callable[[Figures], float],
    *,
    said: Callable[[float], str],
    style: str = "cyan",
) -> None:
    values = [value(own[today]) if today in own else None for today in calendar]
    most = max((one for one in values if one is not None), default=0.0)
    out.line(
        Painted(title.rjust(_MARGIN - 2) + "  ", "dim"), Painted(sparkline(values), style), f"  {said(most)}"
    )
