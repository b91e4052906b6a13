"""What time it is: the only module that asks, and the spellings of an instant."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Clock(Protocol):
        """Wall time for people and files; monotonic time for every time-out and decision."""

        def wall(self) -> float:
            """Seconds since the epoch; may jump."""

        def monotonic(self) -> float:
            """Seconds that never jump."""


# The first and the last second of the years that have four digits.
_FIRST, LAST = -62_135_596_800.0, 253_402_300_799.0


class SystemClock:
    """The machine's own clocks."""

    def wall(self) -> float:
        """Seconds since the epoch; may jump."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump; their zero means nothing."""
        return time.monotonic()


def _split(t: float) -> tuple[time.struct_time, int]:
    """Round to whole microseconds first, so that 59.9999999 never prints as 59.1000000."""
    micros = round(t * 1_000_000)
    return time.gmtime(micros // 1_000_000), micros % 1_000_000


def rfc3339(t: float) -> str:
    """Spell an instant for a file: `2026-11-21T02:30:00.123456Z`."""
    tm, micros = _split(t)
    return (
        f"{tm.tm_year:04d}-{tm.tm_mon:02d}-{tm.tm_mday:02d}"
        f"T{tm.tm_hour:02d}:{tm.tm_min:02d}:{tm.tm_sec:02d}.{micros:06d}Z"
    )


def spelled(t: float | None) -> str | None:
    """Spell an instant that may be none."""
    return None if t is None else rfc3339(t)


def time_of_day(t: float) -> str:
    """Spell an instant for a person who reads along, by the clock on his wall: `14:30:07`."""
    return time.strftime("%H:%M:%S", time.localtime(t))


def stamp(t: float) -> str:
    """Spell an instant for a file name: `20261121T023000.123456Z`."""
    tm, micros = _split(t)
    return (
        f"{tm.tm_year:04d}{tm.tm_mon:02d}{tm.tm_mday:02d}"
        f"T{tm.tm_hour:02d}{tm.tm_min:02d}{tm.tm_sec:02d}.{micros:06d}Z"
    )


def in_calendar(t: float) -> float:
    """The nearest instant that can be spelled: stamps of files reach beyond the years of four digits."""
    return min(max(t, _FIRST), LAST)


def day(t: float) -> str:
    """Name the UTC day of an instant, as folders do: `2026-11-21`."""
    tm, _ = _split(t)
    return f"{tm.tm_year:04d}-{tm.tm_mon:02d}-{tm.tm_mday:02d}"


def parse_stamp(text: str) -> float:
    """Read a stamp back; ValueError where it names no instant."""
    if len(text) != len("20261121T023000.123456Z"):
        raise ValueError(f"not a stamp: {text!r}")
    return parse_rfc3339(
        f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:11]}:{text[11:13]}:{text[13:15]}.{text[16:22]}Z"
    )


def parse_rfc3339(text: str) -> float:
    """Read an RFC 3339 instant with its zone; ValueError where it is none."""
    from datetime import datetime  # noqa: PLC0415 - `enqueue` writes times but seldom reads one

    # The standard library takes much that RFC 3339 does not: `2026-W47`, `20261121`, a missing zone.
    if len(text) < len("2026-11-21T02:30:00Z") or text[4] != "-" or text[7] != "-" or text[10] not in "Tt ":
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    # And not what RFC 3339 does take: small letters, and a leap second, which no clock here can show.
    leaps = text[16:19] == ":60"
    moment = datetime.fromisoformat((f"{text[:17]}59{text[19:]}" if leaps else text).upper())
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    seconds = moment.timestamp() + leaps
    if LAST < seconds <= LAST + 1 and not leaps:
        # Python's and others' "never", whose microseconds a float of that size can no longer tell.
        return LAST
    # A zone may carry an instant out of the years that have four digits: it could never be read again.
    if not _FIRST <= seconds <= LAST:
        raise ValueError(f"a time before the year 1 or after the year 9999: {text!r}")
    return seconds
