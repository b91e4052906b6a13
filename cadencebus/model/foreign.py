"""Fields of JSON that others wrote: the value where it has the right type, else nothing."""

from __future__ import annotations

import math
from typing import Any

from cadencebus.clock import LAST, parse_rfc3339
from cadencebus.model.legible import clean, clip

# Larger than anything that is counted here, small enough for every arithmetic.
_MOST = 1e18


def mapping(value: object) -> dict[str, Any]:
    """An object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """An array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def text(value: object, limit: int = 200) -> str | None:
    """A string, clean and bounded; None for anything else."""
    return clip(clean(value[: 4 * limit]), limit) if isinstance(value, str) else None


def whole(value: object) -> int | None:
    """A whole number that isn't negative; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST else None


def amount(value: object) -> float | None:
    """A finite number that isn't negative; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST:
        return None
    return float(value) if math.isfinite(value) else None


def instant(value: object) -> float | None:
    """A time as files spell it; None for anything else."""
    try:
        return parse_rfc3339(value) if isinstance(value, str) else None
    except ValueError:
        return None


def epoch(value: object) -> float | None:
    """A time in epoch seconds that a calendar has a day for; None for anything else."""
    number = amount(value)
    return number if number is not None and 0 < number <= LAST else None
