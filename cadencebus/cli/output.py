"""How answers look: aligned and coloured on a terminal, plain in a pipe, the files' own keys as JSON."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from cadencebus.model.legible import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COLOURS = {
    "ok": "32",
    "done": "32",
    "dead": "31",
    "ill": "31",
    "claimed": "36",
    "running": "36",
    "held": "33",
    "deferred": "34",
    "skipped": "2",
    "absorbed": "2",
    "duplicate": "2",
    "expired": "33",
    "killed": "33",
    "cancelled": "33",
}


def emit_json(value: Any) -> None:  # noqa: ANN401
    """Print one JSON document."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2 if fancy() else None) + "\n")


def fancy() -> bool:
    """Whether standard output is a person's terminal."""
    return sys.stdout.isatty()


def coloured() -> bool:
    """Whether colours are welcome."""
    return fancy() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, word: str) -> str:
    """Colour a text by what it says."""
    code = COLOURS.get(word.split(" ", maxsplit=1)[0])
    return f"\x1b[{code}m{text}\x1b[0m" if code and coloured() else text


def bold(text: str) -> str:
    """Make a heading stand out."""
    return f"\x1b[1m{text}\x1b[0m" if coloured() else text


def safe(value: object) -> str:
    """A text from the disk, without anything that a terminal would obey; one line."""
    return clean("" if value is None else str(value)).replace("\n", " ").replace("\t", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns; the last one may be cut at the edge of a terminal."""
    cells = [[safe(cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [list(head), *cells]) for at in range(len(head))]
    for number, row in enumerate([list(head), *cells]):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        line = _cut(line)
        if number == 0:
            line = bold(line)
        elif coloured():
            line = _painted(line, row)
        sys.stdout.write(line + "\n")


def _cut(line: str) -> str:
    if not fancy():
        return line
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() else os.get_terminal_size().columns
    return line if len(line) <= width else line[: width - 1] + "…"


def _painted(line: str, row: Sequence[str]) -> str:
    for cell in row:
        if cell in COLOURS and cell in line:
            return line.replace(cell, paint(cell, cell), 1)
    return line


def hint(text: str, *, quiet: bool) -> None:
    """Tell a person something that is no answer, on standard error."""
    if not quiet:
        sys.stderr.write(f"{text}\n")


def ago(seconds: float) -> str:
    """How long since, or until, in one word."""
    seconds = abs(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"
