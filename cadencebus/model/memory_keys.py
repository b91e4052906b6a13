"""The keys of a memory (`cadences/*.json`) that rules compute with: what each may hold.

A memory that holds something else there is as unreadable as a torn one. Other keys may hold anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.model.legible import one_line
from cadencebus.model.shapes import (
    having,
    is_amount,
    is_count,
    is_object,
    is_text,
    is_time,
    list_of,
    map_of,
    or_null,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.shapes import Shape

_SHOWN = 60

KEYS: dict[str, Shape] = {
    "failures": or_null(is_count),
    "circuit": or_null(
        having(since=is_time, until=is_time, length=is_amount, failures=is_count, reason=is_text)
    ),
    "streaks": or_null(map_of(is_count)),
    "dead_in_a_row": or_null(is_count),
    "averages": or_null(map_of(is_amount)),
    "last_run": or_null(is_object),
    "last_ok_at": or_null(is_time),
    "session_id": or_null(is_text),
    "session_run": or_null(is_text),
    "recent": list_of(is_time),
    "applied": list_of(is_text),
    "limits": or_null(having(changed_at=or_null(is_time))),
    "spent": map_of(is_amount),
    # Of the bus as a whole, and of credentials.
    "network": or_null(having(since=is_time, tries=is_count, held=is_count, held_at=or_null(is_time))),
    "no_resources": or_null(is_count),
    "no_resources_at": is_time,
    "rate_limited": or_null(is_count),
    "rate_limited_at": is_time,
    "rate_limited_until": is_time,
}


def check_memory(members: Mapping[str, object]) -> None:
    """Refuse a memory that no rule could work with: ValueError names its first fault."""
    for key, right in KEYS.items():
        if key in members and not right(members[key]):
            raise ValueError(f"{key}: {one_line(repr(members[key]), _SHOWN)} makes no sense")
