"""How the columns of a table are fitted into a terminal: what gives way first, and what never does."""

from __future__ import annotations

import pytest

from cadencebus.cli import circuit, dead, history, holds, ls
from cadencebus.desk import status_screen
from cadencebus.desk.columns import Column, fit, last_part

ID = "20261121T111200.000000Z-xz1cms3c"
LONG = "it failed: cannot create out/minute.txt: no such directory (exit 2)"
TABLES = {
    "ls": (ls.COLUMNS, ["inbox", "inbox-triage", "5", ID, "46s", "2", LONG]),
    "history": (
        history.COLUMNS,
        ["11:12:00", "inbox-triage", "timeout", "14ms", "1m 56s", "0.0123", ID, LONG],
    ),
    "dead": (dead.COLUMNS, [ID, "inbox-triage", "crash", "13s", "3", LONG]),
    "holds": (
        holds.COLUMNS,
        ["cadence-inbox-triage", "circuit_open", "11:13:24", "11:43:24", "consumer", LONG],
    ),
    "circuit": (circuit.COLUMNS, ["inbox-triage", "half-open", "11:13:24", "now, one probe", "3", LONG]),
    "failures": (status_screen.FAILURES, ["11:12:00", "inbox-triage", "xz1cms3c", "timeout", LONG]),
}


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", TABLES)
def test_no_head_and_no_name_is_cut(name: str, width: int) -> None:
    """On a phone, too: what is shown can be read and typed, and a reason has room."""
    columns, row = TABLES[name]
    fitted = fit(columns, [row], width)
    assert sum(fitted.widths) + 2 * (len(fitted.widths) - 1) <= width
    for at, room in zip(fitted.kept, fitted.widths, strict=True):
        column = columns[at]
        text = column.said(row[at], brief=fitted.brief)
        if column.wide or column.folds:
            assert room >= min(len(text), 12)
        else:
            assert room >= max(len(column.title), len(text))


def test_with_room_nothing_gives_way() -> None:
    """On a wide terminal every column is there, and an id is whole."""
    columns, row = TABLES["ls"]
    fitted = fit(columns, [row], 200)
    assert fitted.kept == tuple(range(len(columns)))
    assert not fitted.brief
    assert fitted.widths[3] == len(ID)


def test_an_id_gets_short_before_a_column_goes() -> None:
    """Its last eight characters find the tick as well."""
    columns = (Column("ID", brief=last_part), Column("P", goes=1), Column("NOTE", wide=True))
    fitted = fit(columns, [[ID, "5", LONG]], 40)
    assert fitted.kept == (0, 1, 2)
    assert fitted.widths[0] == 8
    assert fit(columns, [[ID, "5", LONG]], 21).kept == (0, 2)


def test_an_empty_column_goes_before_one_with_something_in_it() -> None:
    """Nobody's money is no reason to cut what went wrong."""
    columns = (Column("USD"), Column("P", goes=1), Column("NOTE", wide=True))
    assert fit(columns, [["", "5", LONG]], 22).kept == (1, 2)
    assert fit(columns, [["0.5", "5", LONG]], 22).kept == (0, 2)
