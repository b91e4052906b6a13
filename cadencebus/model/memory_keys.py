"""The keys of a memory (`cadences/*.json`) that rules compute with: what each may hold.

A memory that holds something else there is as unreadable as a torn one. Other keys may hold anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.clock import parse_rfc3339
from cadencebus.model.foreign import amount, whole
from cadencebus.model.legible import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Check = Callable[[object], bool]

_SHOWN = 60


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_count(value: object) -> bool:
    return whole(value) is not None


def _is_amount(value: object) -> bool:
    return amount(value) is not None


def _is_time(value: object) -> bool:
    try:
        return isinstance(value, str) and parse_rfc3339(value) is not None
    except ValueError:
        return False


def _or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _map_of(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _with(**members: Check) -> Check:
    """An object in which all of these are right; what must not be missing can't be null."""
    return lambda value: isinstance(value, dict) and all(right(value.get(k)) for k, right in members.items())


KEYS: dict[str, Check] = {
    "failures": _or_null(_is_count),
    "circuit": _or_null(
        _with(since=_is_time, until=_is_time, length=_is_amount, failures=_is_count, reason=_is_text)
    ),
    "streaks": _or_null(_map_of(_is_count)),
    "dead_in_a_row": _or_null(_is_count),
    "averages": _or_null(_map_of(_is_amount)),
    "last_run": _or_null(_is_object),
    "last_ok_at": _or_null(_is_time),
    "session_id": _or_null(_is_text),
    "session_run": _or_null(_is_text),
    "recent": _list_of(_is_time),
    "applied": _list_of(_is_text),
    "limits": _or_null(_with(changed_at=_or_null(_is_time))),
    "spent": _map_of(_is_amount),
    # Of the bus as a whole, and of credentials.
    "network": _or_null(_with(since=_is_time, tries=_is_count, held=_is_count)),
    "no_resources": _or_null(_is_count),
    "no_resources_at": _is_time,
    "rate_limited": _or_null(_is_count),
    "rate_limited_at": _is_time,
}


def check_memory(members: Mapping[str, object]) -> None:
    """Refuse a memory that no rule could work with: ValueError names its first fault."""
    for key, right in KEYS.items():
        if key in members and not right(members[key]):
            raise ValueError(f"{key}: {one_line(repr(members[key]), _SHOWN)} makes no sense")
