"""Reading on in the journal: nothing twice, nothing left out, over midnight and over what is no line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.store import tailing
from cadencebus.store.paths import Home
from cadencebus.store.tailing import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TODAY, TOMORROW = "2026-11-21", "2026-11-22"


@pytest.fixture
def write(home: Path) -> Callable[[str, bytes], None]:
    """Write to the end of a day's journal."""

    def append(day: str, data: bytes) -> None:
        with (home / "state" / "events" / f"{day}.jsonl").open("ab") as file:
            file.write(data)

    return append


def line(number: int) -> bytes:
    """Make a line."""
    return json.dumps({"event": "x", "n": number}).encode() + b"\n"


def rest(home: Path, place: Place, today: str = TOMORROW) -> tuple[list[Any], Place]:
    """Read on for as long as there is anything."""
    found: list[Any] = []
    for _ in range(20):
        if not tailing.grown(Home(str(home)), place, today):
            return found, place
        facts, place = tailing.read_on(Home(str(home)), place)
        found += [fact["n"] for fact in facts]
    pytest.fail("it reads on for ever")


def test_every_line_is_read_once_over_midnight(home: Path, write: Callable[[str, bytes], None]) -> None:
    """What was there before the first look is not read; a line that is being written waits."""
    write(TODAY, line(0))
    place = tailing.end(Home(str(home)))
    assert rest(home, place, TODAY) == ([], place)
    write(TODAY, line(1) + line(2)[:5])
    facts, place = tailing.read_on(Home(str(home)), place)
    assert [fact["n"] for fact in facts] == [1]
    assert tailing.read_on(Home(str(home)), place) == ([], place)
    write(TODAY, line(2)[5:])
    write(TOMORROW, line(3))
    found, place = rest(home, place)
    assert found == [2, 3]
    assert rest(home, place)[0] == []
    assert tailing.end(Home(str(home))) == place, "the newest day's"
    assert not tailing.grown(Home(str(home)), place, "2026-11-23"), "midnight alone is nothing to read"


def test_what_is_no_line_of_ours_is_passed_over(home: Path, write: Callable[[str, bytes], None]) -> None:
    """Not JSON, no object, and three megabytes without an end: what stands behind is read all the same."""
    place = tailing.end(Home(str(home)))
    assert place == Place()
    write(TODAY, b"{torn\n[1]\n" + b"x" * (3 << 20))
    write(TODAY, b"\n" + line(7))
    assert rest(home, place, TODAY)[0] == [7]


def test_a_torn_last_line_does_not_keep_the_next_day_unread(
    home: Path, write: Callable[[str, bytes], None]
) -> None:
    """The power went in the middle of it, and came back after midnight."""
    write(TODAY, line(1) + b'{"event": "run.st')
    write(TOMORROW, line(2))
    assert rest(home, Place(TODAY, 0))[0] == [1, 2]
