"""The figures as a table, as JSON, as a page of the documents, and as a plot."""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benching.ground import Figure

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "plots" / "flat.svg"
_BEGIN, _END = "<!-- figures: scripts/bench --write-docs -->", "<!-- end of figures -->"
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 560, 260, 60, 40


def table(figures: Sequence[Figure]) -> str:
    """For a terminal."""
    words = {True: "kept", False: "MISSED", None: ""}
    return "\n".join(
        f"{one.name:<22} {one.value:>10.2f} {one.unit:<16} {one.promise:<14} {words[one.kept]:<7} {one.says}"
        for one in figures
    )


def as_json(figures: Sequence[Figure]) -> str:
    """For programs."""
    return json.dumps({one.name: round(one.value, 4) for one in figures})


def write(sections: Mapping[str, Sequence[Figure]]) -> None:
    """Put the newest tables into docs/performance.md, and draw the plot."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(_BEGIN)], text[text.index(_END) :]
    # A mode that was not measured keeps its table.
    _, *kept = text[text.index(_BEGIN) : text.index(_END)].split("### ")
    tables = {part.split("\n", 1)[0]: f"### {part.strip()}" for part in kept}
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    parts = [_BEGIN, f"Measured on {machine}, Python {platform.python_version()}."]
    for name, figures in sections.items():
        rows = [
            f"| {one.says} | {_short(one.value)} {one.unit} | {one.promise} |".replace("  |", " |")
            for one in figures
        ]
        tables[name] = "\n".join(
            [f"### {name}", "", "| what | measured | promised |", "| - | - | - |", *rows]
        )
    PAGE.write_text(before + "\n\n".join([*parts, *tables.values()]) + "\n\n" + after, encoding="utf-8")
    points = [
        (int(one.name.removeprefix("tick_ms_")), one.value)
        for one in sections.get("flat", ())
        if one.name.startswith("tick_ms_")
    ]
    if points:
        PLOT.parent.mkdir(exist_ok=True)
        PLOT.write_text(plot(points), encoding="utf-8")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three digits say enough


def plot(points: Sequence[tuple[int, float]]) -> str:
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
        f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="#3a6ea5"/>'
        f'<text x="{x:.0f}" y="{y - 10:.0f}" text-anchor="middle">{cost:.1f} ms</text>'
        f'<text x="{x:.0f}" y="{_HEIGHT - 20}" text-anchor="middle">{waiting:,}</text>\n'
        for (x, y), (waiting, cost) in zip(places, points, strict=True)
    )
    ground = _HEIGHT - _BOTTOM
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>\n'
        f'<line x1="{_LEFT}" y1="{ground}" x2="{_WIDTH - _LEFT}" y2="{ground}" stroke="#999"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#3a6ea5" stroke-width="2"/>\n{marks}'
        f'<text x="{_WIDTH / 2:.0f}" y="18" text-anchor="middle">from tick to tick, by how many wait</text>\n'
        "</svg>\n"
    )


def complain(figures: Sequence[Figure], far_off: Mapping[str, float]) -> list[str]:
    """Say which figures of a short run are so far off that no noise explains it."""
    broken = [one for one in figures if one.value > far_off.get(one.name, math.inf)]
    for one in broken:
        print(f"far off: {one.name} is {one.value:.2f}, over {far_off[one.name]}", file=sys.stderr)
    return [one.name for one in broken]
