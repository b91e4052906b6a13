"""What `cadence top` shows: rows that can be chosen, and a frame drawn of them."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cadencebus.desk import human_time, status_screen
from cadencebus.desk.columns import GAP, fit
from cadencebus.desk.output import Cell, Painted, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cadencebus.desk.columns import Column
    from cadencebus.desk.facts import Facts, Queue
    from cadencebus.desk.overview import Overview

SORTS = ("oldest", "name", "ready")
HELP = """
  ↑ ↓  j k   choose a row
  /          show only what has this text in its name
  escape     show everything again
  s          sort: oldest wait, name, most ready
  p          pause this cadence, or release its holds
  x          kill this run (asks)
  R          retry the dead letters of this cadence (asks)
  l  enter   the log of this run, or of the cadence's last
  space      look again now
  q  Ctrl-C  quit

  any key goes back
"""
# As many as there is room for; help and the way out are always there.
_KEYS = ("↑↓ choose", "/ filter", "s sort", "p pause", "x kill", "R retry", "l log")
_ALWAYS = ("? help", "q quit")
_COMPLAINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line that can be chosen, and what it shows at a moment."""

    kind: str
    cadence: str
    cells: Callable[[float], list[Cell]] = field(compare=False)
    tick: str | None = None
    run: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """By what it is known again in the next look."""
        return self.kind, self.tick or self.cadence


@dataclass(slots=True)
class View:
    """How a person looks at it."""

    sort: str = "oldest"
    filter: str = ""
    typing: bool = False
    question: str = ""
    message: str = ""
    mode: str = "bus"
    chosen: tuple[str, str] | None = None
    log: list[str] = field(default_factory=list)
    title: str = ""

    def rows(self, facts: Facts) -> list[Row]:
        """All that is shown of a home, in its order."""
        rows = [
            Row(
                kind="running",
                cadence=run.cadence,
                tick=run.tick,
                run=run.run,
                cells=partial(status_screen.running, run),
            )
            for run in facts.running
        ]
        rows += [
            Row(kind="queue", cadence=one.cadence, cells=partial(status_screen.waiting, one))
            for one in sorted(facts.queue, key=self._order)
        ]
        rows += [
            Row(kind="dead", cadence=name, cells=partial(_dead, name, count))
            for name, count in facts.dead.cadences.items()
        ]
        return [row for row in rows if self.filter in row.cadence]

    def _order(self, queue: Queue) -> tuple[float, str]:
        first = {"name": 0.0, "ready": -queue.ready}.get(self.sort)
        if first is None:
            first = math.inf if queue.oldest_at is None else queue.oldest_at
        return first, queue.cadence

    def selected(self, rows: Sequence[Row]) -> Row | None:
        """The chosen row, if it is there still; else the first one."""
        return next((row for row in rows if row.key == self.chosen), rows[0] if rows else None)

    def move(self, rows: Sequence[Row], by: int) -> None:
        """Choose another row."""
        now = self.selected(rows)
        if now is not None:
            at = min(max(0, rows.index(now) + by), len(rows) - 1)
            self.chosen = rows[at].key


class Drawing:
    """Turns an overview and a view into the text of a frame."""

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour

    def frame(self, seen: Overview, view: View, size: tuple[int, int], now: float) -> str:
        """As many lines as the terminal has."""
        width, height = size
        console = Console(
            file=io.StringIO(),
            width=width,
            height=height,
            force_terminal=True,
            color_system="standard" if self._colour else None,
            markup=False,
            highlight=False,
            emoji=False,
            legacy_windows=False,
        )
        if view.mode == "help":
            body: list[Any] = [Text("cadence top", style="bold"), Text(HELP)]
        elif view.mode == "log":
            shown = view.log[-max(1, height - 3) :]
            body = [Text(view.title, style="bold"), Text(""), *(_short(line) for line in shown)]
        else:
            body = self._bus(seen, view, (width, height), now)
        with console.capture() as said:
            console.print(Group(*body))
        lines = said.get().split("\n")[: height - 1]
        lines += [""] * (height - 1 - len(lines))
        with console.capture() as said:
            console.print(_footer(view, width), end="")
        return "\n".join([*lines, said.get().split("\n")[0]])

    def _bus(self, seen: Overview, view: View, size: tuple[int, int], now: float) -> list[Any]:
        width, height = size
        body = _head(seen, now)
        rows = view.rows(seen.facts)
        chosen = view.selected(rows)
        words = _words(chosen, now)
        # Each section has a head and an empty line; what has no room below the chosen row is cut at the end.
        room = max(3, height - len(body) - 8 - len(words.wrap(Console(width=width), width)))
        rows = _window(rows, chosen, room)
        for kind, columns in _SECTIONS.items():
            mine = [(row.cells(now), row == chosen) for row in rows if row.kind == kind]
            if mine:
                body += [Text(""), _table(columns, mine, width)]
        if words:
            body += [Text(""), words]
        if not rows:
            body += [
                Text(""),
                Text("nothing runs, waits or is dead" + (" under this name" if view.filter else "")),
            ]
        if view.sort != SORTS[0] or view.filter:
            said = f"sorted by {view.sort}" + (f", only {view.filter!r}" if view.filter else "")
            body += [Text(""), Text(said, style="dim")]
        if seen.facts.next_due and not view.filter:
            due = [(status_screen.due(one, now), False) for one in seen.facts.next_due]
            body += [Text(""), _table(status_screen.DUE, due, width)]
        return body


def _head(seen: Overview, now: float) -> list[Any]:
    facts, verdict = seen
    first = Text(no_wrap=True, overflow="ellipsis")
    first.append(verdict.health, status_screen.COLOURS[verdict.health])
    first.append(f"  {human_time.clock(now, now)}  {facts.home.root}")
    lines = [first]
    for name, cell in status_screen.consumer(facts, now):
        text, style = cell if isinstance(cell, Painted) else (cell, "")
        line = Text(f"{name:9} ", style="bold", no_wrap=True, overflow="ellipsis")
        lines.append(line.append(text, style or "not bold"))
    points = status_screen.points(verdict, "✗")
    for colour, sign, one in points[:_COMPLAINTS]:
        lines.append(_short(f"{sign} {safe(one.what)}", colour))
        if one.do:
            lines.append(_short(f"  → {safe(one.do).replace('`', '')}", "bold"))
    if len(points) > _COMPLAINTS:
        lines.append(_short(f"  and {len(points) - _COMPLAINTS} more: cadence status", "dim"))
    return lines


def _words(chosen: Row | None, now: float) -> Text:
    """What the chosen row's last column had to cut: why it waits, what it said last."""
    if chosen is None or chosen.kind == "dead":
        return Text()
    last = chosen.cells(now)[-1]
    said = last.text if isinstance(last, Painted) else last
    return Text(f"{chosen.cadence}: {said}", style="dim") if said else Text()


def _window(rows: list[Row], chosen: Row | None, room: int) -> list[Row]:
    """So many rows, the chosen one among them."""
    at = rows.index(chosen) if chosen else 0
    first = min(max(0, at - room // 2), max(0, len(rows) - room))
    return rows[first : first + room]


def _table(columns: Sequence[Column], rows: Sequence[tuple[list[Cell], bool]], width: int) -> Table:
    """Rows of cells, each with whether it is the chosen one."""
    plain = [[cell.text if isinstance(cell, Painted) else cell for cell in cells] for cells, _ in rows]
    fitted = fit(columns, plain, width - 1 - GAP)
    table = Table(
        box=None,
        pad_edge=False,
        padding=(0, GAP, 0, 0),
        header_style="bold",
        expand=any(column.elastic for column in columns),
    )
    table.add_column("", width=1)
    for at, wide in zip(fitted.kept, fitted.widths, strict=True):
        table.add_column(
            columns[at].title,
            no_wrap=True,
            overflow="ellipsis",
            justify="right" if columns[at].right else "left",
            width=None if columns[at].elastic else wide,
            ratio=1 if columns[at].elastic else None,
        )
    for cells, chosen in rows:
        texts = [
            Text(*cell) if isinstance(cell, Painted) else Text(cell)
            for cell in (cells[at] for at in fitted.kept)
        ]
        # A sign as well: where there are no colours, nothing else shows it.
        table.add_row("▸" if chosen else "", *texts, style="reverse" if chosen else "")
    return table


def _short(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _footer(view: View, width: int) -> Text:
    if view.typing:
        return _short(f"show only: {view.filter}_", "bold")
    if view.question:
        return _short(f"{view.question} (y/n)", "bold red")
    if view.message:
        return _short(view.message, "bold")
    return _short("any key goes back" if view.mode != "bus" else _keys(width), "dim")


def _keys(width: int) -> str:
    """The keys that there is room to name."""
    shown: list[str] = []
    for key in _KEYS:
        if len("  ".join([*shown, key, *_ALWAYS])) > width:
            break
        shown.append(key)
    return "  ".join([*shown, *_ALWAYS])


def _dead(cadence: str, count: int, _now: float) -> list[Cell]:
    return [cadence, Painted(str(count), "red"), f"cadence dead --cadence {cadence}"]


_SECTIONS: dict[str, Sequence[Column]] = {
    "running": status_screen.RUNNING + status_screen.SAYS,
    "queue": status_screen.QUEUE,
    "dead": status_screen.DEAD,
}
