"""How answers look, decided once: aligned and coloured for a terminal, plain for a pipe, JSON for a program.

Whatever comes from the disk is cleaned on its way out, so that no payload, log line or file name can give
orders to a terminal.
"""

from __future__ import annotations

import functools
import json
import os
import re
import sys
import textwrap
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from cadencebus.desk.columns import GAP, fit
from cadencebus.desk.stdio import to_stderr
from cadencebus.model.legible import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rich.console import Console

    from cadencebus.desk.columns import Column
    from cadencebus.desk.context import Context

# What a word means, as a colour; words that mean nothing special have none.
COLOURS = {
    "ok": "green",
    "done": "green",
    "well": "green",
    "claimed": "cyan",
    "running": "cyan",
    "deferred": "blue",
    "skipped": "dim",
    "absorbed": "dim",
    "duplicate": "dim",
    "expired": "yellow",
    "killed": "yellow",
    "cancelled": "yellow",
    "held": "yellow",
    "disabled": "yellow",
    "dead": "red",
    "broken": "red",
    "ill": "red",
    "open": "red",
}
# Where a terminal is narrower still, a line is longer than it.
_LEAST_ROOM = 20
# How many rows of a plain table are held back to see how wide it is: there may be a million.
_MEASURED = 1000
# JSON leaves these as they are; a terminal obeys some of them.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Painted(NamedTuple):
    """A text with a style of rich: `bold red`."""

    text: str
    style: str


Cell = str | Painted


def painted(word: str) -> Cell:
    """A word in the colour of what it means."""
    colour = COLOURS.get(word)
    return Painted(word, colour) if colour else word


def safe(value: object) -> str:
    """A text from the disk as one line, without anything that a terminal would obey."""
    return " ".join(clean("" if value is None else str(value)).split())


class Output:
    """Where a verb's answer goes."""

    def __init__(self, context: Context) -> None:
        self.json = context.json
        self._quiet = context.quiet
        self.terminal = not context.json and sys.stdout.isatty()

    def document(self, value: object) -> None:
        """Print one JSON document."""
        self.line_of_json(value, indent=2 if sys.stdout.isatty() else None)

    def line_of_json(self, value: object, *, indent: int | None = None) -> None:
        """Print one line of JSON Lines."""
        # What the locale can't spell is escaped here, where everywhere else it is replaced.
        spells_all = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        text = json.dumps(value, ensure_ascii=not spells_all, indent=indent)
        sys.stdout.write(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")

    def line(self, *cells: Cell) -> None:
        """Print one line, its pieces side by side."""
        if self.terminal:
            from rich.text import Text  # noqa: PLC0415 - dear, and only a terminal needs it

            text = Text()
            for cell in cells:
                text.append(*_parts(cell))
            self._console.print(text, soft_wrap=True)
        else:
            sys.stdout.write("".join(_parts(cell)[0] for cell in cells) + "\n")

    def heading(self, text: str) -> None:
        """Print a heading with an empty line before it."""
        self.line("")
        self.line(Painted(text, "bold"))

    def point(self, sign: Painted, text: Cell) -> None:
        """Print a sign and a text beside it; on a terminal the text is wrapped in its own column."""
        if not self.terminal:
            self.line(sign, text)
            return
        from rich.padding import Padding  # noqa: PLC0415 - dear, and only a terminal needs it
        from rich.table import Table  # noqa: PLC0415 - likewise
        from rich.text import Text  # noqa: PLC0415 - likewise

        pair = Table.grid(padding=0)
        pair.add_column(no_wrap=True)
        pair.add_column(overflow="fold")
        pair.add_row(Text(*_parts(sign)), Text(*_parts(text)))
        self._console.print(Padding(pair, 0, expand=False))

    @property
    def width(self) -> int:
        """How many columns the terminal has; as many as anybody wants where there is none."""
        return self._console.width if self.terminal else 1000

    def facts(self, rows: Iterable[tuple[str, Cell]]) -> None:
        """Print names and values under each other; a value of several lines stays in its column."""
        known = [(name, cell) for name, cell in rows if _parts(cell)[0]]
        width = max((len(name) for name, _ in known), default=0)
        for name, cell in known:
            text, style = _parts(cell)
            first, *more = self._wrapped(text, width + GAP)
            self.line(Painted(name.ljust(width), "bold"), "  ", Painted(first, style))
            for line in more:
                self.line(" " * (width + 2), Painted(line, style))

    def _wrapped(self, text: str, indent: int) -> list[str]:
        """The lines of a value; on a terminal words stay in their column, what has no spaces stays whole."""
        if not self.terminal:
            return text.split("\n")
        fold = textwrap.TextWrapper(
            max(self.width - indent, _LEAST_ROOM), break_long_words=False, break_on_hyphens=False
        )
        lines = []
        for line in text.split("\n"):
            # What is set in goes on as far in as it began.
            fold.subsequent_indent = line[: len(line) - len(line.lstrip())]
            lines += fold.wrap(line) or [""]
        return lines

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
        """Print aligned columns with a head, if there are any rows; how many there were."""
        return self._rich_table(columns, rows) if self.terminal else _plain_table(columns, rows)

    def screen(self, draw: Callable[[int], None], sizes: Sequence[int]) -> None:
        """Draw in the first of these sizes that a terminal shows whole, or the last; in a pipe the first."""
        if not self.terminal:
            draw(sizes[0])
            return
        drawn = ""
        for size in sizes:
            with self._console.capture() as captured:
                draw(size)
            drawn = captured.get()
            # Below it stands the prompt.
            if drawn.count("\n") < self._console.height:
                break
        sys.stdout.write(drawn)

    def page(self, markdown: str) -> None:
        """Print a document: set for a terminal, as it is written for a pipe."""
        if not self.terminal:
            sys.stdout.write(markdown)
            return
        from rich.markdown import Markdown  # noqa: PLC0415 - dear, and only a terminal needs it
        from rich.theme import Theme  # noqa: PLC0415 - likewise

        # No background of ours: nobody knows whether the terminal's is light or dark.
        plain = re.sub(r"^```\w+", "```text", markdown, flags=re.MULTILINE)
        with self._console.use_theme(Theme({"markdown.code": "bold"})):
            self._console.print(Markdown(plain, hyperlinks=False, code_theme="ansi_light", justify="left"))

    def hint(self, text: str) -> None:
        """Tell a person something beside the answer, unless --quiet was given."""
        if not self._quiet:
            self.warn(text)

    def warn(self, text: str) -> None:
        """Tell a person something important, on standard error."""
        sys.stdout.flush()
        to_stderr(text)

    @functools.cached_property
    def _console(self) -> Console:
        from rich.console import Console  # noqa: PLC0415 - dear, and only a terminal needs it

        colours: Any = None if os.environ.get("NO_COLOR") else "auto"
        return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, color_system=colours)

    def _rich_table(self, columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
        from rich.table import Table  # noqa: PLC0415 - dear, and only a terminal needs it
        from rich.text import Text  # noqa: PLC0415 - likewise

        known = [[_parts(cell) for cell in row] for row in rows]
        if not known:
            return 0
        fitted = fit(columns, [[text for text, _ in row] for row in known], self._console.width)
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
        for at, width in zip(fitted.kept, fitted.widths, strict=True):
            column = columns[at]
            table.add_column(
                column.title,
                no_wrap=not column.folds,
                overflow="fold" if column.folds else "ellipsis",
                justify="right" if column.right else "left",
                width=width,
            )
        for row in known:
            shown = ((columns[at].said(row[at][0], brief=fitted.brief), row[at][1]) for at in fitted.kept)
            table.add_row(*(Text(*cell) for cell in shown))
        self._console.print(table)
        return len(known)


def _parts(cell: Cell) -> tuple[str, str]:
    if isinstance(cell, Painted):
        return clean(cell.text), cell.style
    return clean(cell), ""


def _plain_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> int:
    """Row by row as they come: the first ones say how wide columns are, a longer text shifts its row."""
    lines = ([safe(_parts(cell)[0]) for cell in row] for row in rows)
    measured = list(islice(lines, _MEASURED))
    if not measured:
        return 0
    titles = [column.title for column in columns]
    widths = [max(map(len, texts)) for texts in zip(titles, *measured, strict=True)]
    count = 0
    for count, line in enumerate(chain([titles], measured, lines)):  # noqa: B007 - the head is the 0th
        spaced = (
            text.rjust(width) if column.right else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        sys.stdout.write("  ".join(spaced).rstrip() + "\n")
    return count
