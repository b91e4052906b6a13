"""The figures as a table, as JSON, as a page of the documents."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING

from benching.about import ROOT, about, in_a_line
from benching.ground import LEFT_OUT
from benching.plots import picture

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benching.ground import Figure

PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "plots"
_BEGIN, _END = "<!-- figures: scripts/bench --write-docs -->", "<!-- end of figures -->"


def table(figures: Sequence[Figure]) -> str:
    """For a terminal."""
    words = {True: "kept", False: "MISSED", None: ""}
    return "\n".join(
        f"{one.name:<22} {one.value:>10.2f} {one.unit:<16} {one.promise:<14} {words[one.kept]:<7} {one.says}"
        for one in figures
    )


def as_json(figures: Sequence[Figure]) -> str:
    """For programs."""
    told = {
        "about": about(),
        "figures": {one.name: round(one.value, 4) for one in figures},
        "promised": {one.name: one.promise for one in figures if one.promise},
        "missed": [one.name for one in figures if one.kept is False],
        "left_out": LEFT_OUT,
    }
    return json.dumps(told)


def write(name: str, figures: Sequence[Figure], told: dict[str, str]) -> None:
    """Put the newest table of a section into docs/performance.md, and draw its plot."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(_BEGIN)], text[text.index(_END) :]
    # A section that was not measured keeps its table, and says of itself when that was.
    _, *kept = text[text.index(_BEGIN) : text.index(_END)].split("### ")
    sections = {part.split("\n", 1)[0]: f"### {part.strip()}" for part in kept}
    sections[name] = _section(name, figures, told)
    PAGE.write_text(before + "\n\n".join([_BEGIN, *sections.values()]) + "\n\n" + after, encoding="utf-8")


def _section(name: str, figures: Sequence[Figure], told: dict[str, str]) -> str:
    rows = [
        f"| {one.says} | {_short(one.value)} {one.unit} | {_promise(one)} |".replace("  |", " |")
        for one in figures
    ]
    parts = [f"### {name}", "", in_a_line(told), "", "| what | measured | promised |", "| - | - | - |", *rows]
    if drawn := picture(name, figures):
        PLOTS.mkdir(exist_ok=True)
        (PLOTS / f"{name}.svg").write_text(drawn, encoding="utf-8")
        parts += ["", f"![{name}, as a picture](plots/{name}.svg)"]
    return "\n".join(parts)


def _promise(one: Figure) -> str:
    return f"{one.promise}: **missed**" if one.kept is False else one.promise


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - three digits say enough


def complain(figures: Sequence[Figure], far_off: Mapping[str, float]) -> list[str]:
    """Say which figures of a short run are so far off that no noise explains it."""
    broken = [one for one in figures if one.value > far_off.get(one.name, math.inf)]
    for one in broken:
        print(f"far off: {one.name} is {one.value:.2f}, over {far_off[one.name]}", file=sys.stderr)
    return [one.name for one in broken]
