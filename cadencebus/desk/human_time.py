"""Instants and durations as people read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from cadencebus.model.foreign import instant


def ago(seconds: float) -> str:
    """How long since, or until, in one word: `3m`."""
    seconds = abs(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def clock(at: float, now: float | None = None) -> str:
    """An instant in local time: the time of day, with the date unless it is today."""
    here, then = _local(time.time() if now is None else now), _local(at)
    return then.strftime("%H:%M:%S" if then.date() == here.date() else "%Y-%m-%d %H:%M")


def told(spelled: object) -> str:
    """An instant as a file spells it, in local time; `?` for anything else."""
    at = instant(spelled)
    return "?" if at is None else clock(at)


def ahead(at: float, now: float) -> str:
    """An instant to come, and how far off it is: `14:02:10 (in 9m)`."""
    return f"{clock(at, now)} (in {ago(at - now)})"


def _local(at: float) -> datetime:
    try:
        return datetime.fromtimestamp(at).astimezone()
    except (ValueError, OverflowError):
        # The last hours of 9999, by which people say "for ever", are the year 10000 east of Greenwich.
        return datetime.fromtimestamp(at, UTC)
