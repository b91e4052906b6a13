"""Shapes of JSON that the bus has written itself: whether what is read back still has them, yes or no.

What people write is read by `model/keys`, which says what is wrong with it. Of a state that is out of shape
nothing is believed: there is no more to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.model.foreign import amount, instant, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    Shape = Callable[[object], bool]


def is_text(value: object) -> bool:
    """A string."""
    return isinstance(value, str)


def is_object(value: object) -> bool:
    """An object, whatever is in it."""
    return isinstance(value, dict)


def is_flag(value: object) -> bool:
    """True or false."""
    return isinstance(value, bool)


def is_number(value: object) -> bool:
    """A finite number."""
    return is_amount(value) or (isinstance(value, int | float) and is_amount(-value))


def is_priority(value: object) -> bool:
    """A whole number from 0 to 9."""
    return is_count(value) and value in range(10)


def is_count(value: object) -> bool:
    """A whole number that isn't negative."""
    return whole(value) is not None


def is_amount(value: object) -> bool:
    """A finite number that isn't negative."""
    return amount(value) is not None


def is_time(value: object) -> bool:
    """An instant as files spell it."""
    return instant(value) is not None


def or_null(shape: Shape) -> Shape:
    """The same, or null."""
    return lambda value: value is None or shape(value)


def list_of(shape: Shape) -> Shape:
    """An array of these."""
    return lambda value: isinstance(value, list) and all(map(shape, value))


def map_of(shape: Shape) -> Shape:
    """An object whose every member is one of these."""
    return lambda value: isinstance(value, dict) and all(map(shape, value.values()))


def having(**members: Shape) -> Shape:
    """An object in which all of these are right; a missing one is null."""
    return lambda value: isinstance(value, dict) and all(right(value.get(k)) for k, right in members.items())
