"""Reading on in the journal from where one was, over midnight and over a restart."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cadencebus.model import strictjson
from cadencebus.store import journal

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

_AT_ONCE = 1 << 20


class Place(NamedTuple):
    """A day's journal, and how much of it was read."""

    day: str = ""
    offset: int = 0


def end(home: Home) -> Place:
    """The place behind the last line there is."""
    days = journal.days(home)
    return Place(days[-1], _size(home, days[-1])) if days else Place()


def grown(home: Home, place: Place, today: str) -> bool:
    """Whether there is something behind this place; cheap, for it is asked every turn."""
    return _size(home, place.day) > place.offset or (today > place.day and _size(home, today) > 0)


def read_on(home: Home, place: Place) -> tuple[list[dict[str, Any]], Place]:
    """The next lines, and the place behind them; a line that is still being written is left for next time."""
    day, offset = place
    data = b""
    with contextlib.suppress(FileNotFoundError), open(home.journal(day), "rb") as file:
        file.seek(offset)
        data = file.read(_AT_ONCE)
    whole = data.rfind(b"\n") + 1
    if not whole and len(data) == _AT_ONCE:
        # No line of ours is this long: skip it, for the lines behind it count.
        return [], Place(day, offset + len(data))
    if not whole:
        later = [other for other in journal.days(home) if other > day]
        return [], Place(later[0], 0) if later else place
    facts = []
    for line in data[:whole].splitlines():
        with contextlib.suppress(strictjson.BadJSON):
            fact = strictjson.loads(line)
            if isinstance(fact, dict):
                facts.append(fact)
    return facts, Place(day, offset + whole)


def _size(home: Home, day: str) -> int:
    try:
        return os.stat(home.journal(day)).st_size
    except FileNotFoundError:
        return 0
