"""How a table is fitted into a terminal: ids are shortened first, then dispensable columns are left off."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Between columns, and how narrow even the most patient column becomes.
GAP = 2
_NARROWEST = 3
# With less room than this a reason tells nothing: first something else has to give way.
_READABLE = 16


class Column(NamedTuple):
    """A column of a table; where a terminal has no more room a wide one is cut, a folding one wrapped."""

    title: str
    wide: bool = False
    right: bool = False
    folds: bool = False
    # So much of it is always shown; the rest is cut where it must be.
    least: int | None = None
    # What does as well where there is no room for the whole.
    brief: Callable[[str], str] | None = None
    # The order in which it is left off where there is still no room; 0: never.
    goes: int = 0

    @property
    def elastic(self) -> bool:
        """Whether it takes what the others leave."""
        return self.wide or self.folds

    def said(self, text: str, *, brief: bool) -> str:
        """A text of it, whole or in brief."""
        return self.brief(text) if brief and self.brief else text


class Fit(NamedTuple):
    """Which columns are shown, how wide each is, and whether what can be said in brief is."""

    kept: tuple[int, ...]
    widths: tuple[int, ...]
    brief: bool


def last_part(tick: str) -> str:
    """The random end of an id, by which every verb finds its tick, too."""
    return tick.rpartition("-")[2]


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> Fit:
    """Fit it into so many characters; what is neither wide nor folding is never cut: half an id is none."""
    kept = list(range(len(columns)))
    needs = _needs(columns, rows, brief=False)
    brief = _tight(columns, needs, kept, room)
    if brief:
        needs = _needs(columns, rows, brief=True)
    for at in sorted(kept, key=lambda at: columns[at].goes):
        if not columns[at].goes and any(row[at] for row in rows):
            continue
        if _tight(columns, needs, kept, room):
            kept.remove(at)
    widths = _widths([columns[at] for at in kept], [needs[at] for at in kept], room)
    return Fit(tuple(kept), tuple(widths), brief)


def _needs(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, brief: bool) -> list[int]:
    from rich.cells import cell_len  # noqa: PLC0415 - dear, and only a terminal needs it

    return [
        max([len(column.title), *(cell_len(column.said(row[at], brief=brief)) for row in rows)])
        for at, column in enumerate(columns)
    ]


def _tight(columns: Sequence[Column], needs: Sequence[int], kept: Sequence[int], room: int) -> bool:
    """Whether something is cut, or too little is left to the columns that take the rest."""
    wanted = [min(needs[at], _READABLE) if columns[at].elastic else needs[at] for at in kept]
    return sum(wanted) + GAP * (len(kept) - 1) > room


def _widths(columns: Sequence[Column], needs: Sequence[int], room: int) -> list[int]:
    widths = list(needs)
    left = room - GAP * (len(widths) - 1)
    for at, column in enumerate(columns):
        if column.least is not None and sum(widths) > left:
            widths[at] = max(min(needs[at], column.least), needs[at] - (sum(widths) - left))
    elastic = sorted((at for at, column in enumerate(columns) if column.elastic), key=widths.__getitem__)
    left -= sum(width for at, width in enumerate(widths) if at not in elastic)
    # Narrow columns get what they need, and leave the rest to the others.
    for count, at in enumerate(elastic):
        widths[at] = max(min(widths[at], left // (len(elastic) - count)), min(_NARROWEST, widths[at]))
        left -= widths[at]
    return widths
