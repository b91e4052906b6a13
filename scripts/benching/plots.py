"""Pictures of figures, as SVG by hand: they lie in the documents and change with them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benching.ground import Figure

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 560, 260, 60, 40
_BAR, _WORDS, _WIDE = 24, 400, 820
_COLOURS = ("#3a6ea5", "#c66")


def picture(name: str, figures: Sequence[Figure]) -> str:
    """The picture of a section; empty where a table says it all."""
    if name == "flat":
        return _line([(int(one.name[8:]), one.value) for one in figures if one.name.startswith("tick_ms_")])
    if name == "phases" and figures:
        return _steps("one tick's way, ms since the put began", figures)
    ratios = [one for one in figures if one.unit.startswith("x")]
    if name in {"runs", "latency"} and ratios:
        title = {
            "runs": "runs a second against others: more is better",
            "latency": "from a put to a process against others: less is better",
        }[name]
        return _bars(title, ratios)
    return ""


def _frame(width: int, height: int, title: str, inside: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12" fill="#333">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n'
        f'<text x="{width / 2:.0f}" y="18" text-anchor="middle">{title}</text>\n{inside}</svg>\n'
    )


def _line(points: Sequence[tuple[int, float]]) -> str:
    """Milliseconds a tick over how many wait, the latter by powers of ten."""
    most = 1.5 * max(cost for _, cost in points)
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])

    def at(waiting: int, cost: float) -> tuple[float, float]:
        along = (math.log10(waiting) - first) / (last - first or 1)
        return (
            _LEFT + along * (_WIDTH - 2 * _LEFT),
            (_HEIGHT - _BOTTOM) - cost / most * (_HEIGHT - 2 * _BOTTOM),
        )

    places = [at(*point) for point in points]
    line = " ".join(f"{x:.0f},{y:.0f}" for x, y in places)
    marks = "".join(
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{_COLOURS[0]}"/>'
        f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{cost:.1f} ms</text>'
        f'<text x="{x:.0f}" y="{_HEIGHT - 20}" text-anchor="middle">{waiting:,}</text>\n'
        for (x, y), (waiting, cost) in zip(places, points, strict=True)
    )
    ground = _HEIGHT - _BOTTOM
    inside = (
        f'<line x1="{_LEFT}" y1="{ground}" x2="{_WIDTH - _LEFT}" y2="{ground}" stroke="#999"/>\n'
        f'<polyline points="{line}" fill="none" stroke="{_COLOURS[0]}" stroke-width="2"/>\n{marks}'
    )
    return _frame(_WIDTH, _HEIGHT, "from tick to tick, by how many wait", inside)


def _bars(title: str, figures: Sequence[Figure]) -> str:
    """A bar a ratio, by powers of ten around 1; a mark where the promise lies."""
    reach = max(1.0, *(abs(math.log10(one.value)) for one in figures))
    middle, scale = _WORDS + (_WIDE - _WORDS) / 2, (_WIDE - _WORDS - 100) / 2 / reach

    def at(ratio: float) -> float:
        return middle + math.log10(ratio) * scale

    rows = []
    for number, one in enumerate(figures):
        y, x = 36 + number * _BAR, at(one.value)
        rows.append(
            f'<text x="{_WORDS - 8}" y="{y + 13}" text-anchor="end" font-size="11">{_words(one)}</text>'
            f'<rect x="{min(x, middle):.0f}" y="{y}" width="{abs(x - middle):.0f}" height="{_BAR - 8}" '
            f'fill="{_COLOURS[one.kept is False]}"/>'
            f'<text x="{x + (5 if x >= middle else -5):.0f}" y="{y + 13}" '
            f'text-anchor="{"start" if x >= middle else "end"}">{one.value:.2f}</text>'
        )
        if (promise := one.most or one.least) is not None:
            p = at(promise)
            rows.append(f'<line x1="{p:.0f}" y1="{y - 3}" x2="{p:.0f}" y2="{y + 19}" stroke="#000"/>')
    height = 44 + len(figures) * _BAR
    rows.append(f'<line x1="{middle:.0f}" y1="30" x2="{middle:.0f}" y2="{height - 8}" stroke="#999"/>')
    return _frame(_WIDE, height, title, "\n".join(rows) + "\n")


def _steps(title: str, figures: Sequence[Figure]) -> str:
    """Each step begins where the one before it ended."""
    scale, at, rows = (_WIDE - _WORDS - 60) / sum(one.value for one in figures), 0.0, []
    for number, one in enumerate(figures):
        y, x, width = 36 + number * _BAR, _WORDS + at * scale, max(1.0, one.value * scale)
        rows.append(
            f'<text x="{_WORDS - 8}" y="{y + 13}" text-anchor="end" font-size="11">{_words(one)}</text>'
            f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{_BAR - 8}" fill="{_COLOURS[0]}"/>'
            f'<text x="{x + width + 5:.0f}" y="{y + 13}">{one.value:.2f}</text>'
        )
        at += one.value
    return _frame(_WIDE, 44 + len(figures) * _BAR, title, "\n".join(rows) + "\n")


def _words(one: Figure) -> str:
    short = one.says.partition(" (")[0] if one.name.startswith("phase_") else one.says
    return short.replace("`", "").replace("&", "&amp;").replace("<", "&lt;")
