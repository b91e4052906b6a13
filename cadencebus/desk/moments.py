"""`--in`, `--at`, `--ttl`: times as people type them."""

from __future__ import annotations

import time
from datetime import datetime

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.errors import Usage
from cadencebus.model.duration import parse_duration
from cadencebus.policy.local_time import next_time

_DATES = [
    f"%Y-%m-%d{clock}{zone}"
    for clock in (" %H:%M:%S", " %H:%M", "T%H:%M", "T%H:%M:%S")
    for zone in ("", "%z")
] + ["%Y-%m-%d"]


def moment(options: dict[str, list[str]]) -> float | None:
    """When the tick is due; None: now."""
    if "in" in options and "at" in options:
        raise Usage("--in and --at both say when: give one of them")
    if "in" in options:
        return time.time() + duration("--in", options["in"][-1])
    if "at" in options:
        return parse_moment(options["at"][-1])
    return None


def expiry(options: dict[str, list[str]]) -> str:
    """The member that makes a tick expire."""
    if "ttl" not in options:
        return ""
    return f', "expires_at": "{rfc3339(time.time() + duration("--ttl", options["ttl"][-1]))}"'


def parse_moment(text: str, now: float | None = None) -> float:
    """A time of day (the next such), a local date and time, or RFC 3339."""
    try:
        return parse_rfc3339(text)
    except ValueError:
        pass
    for form in _DATES:
        try:
            there = datetime.strptime(text, form).timestamp()  # noqa: DTZ007 - the machine's zone, if none is said
            return parse_rfc3339(rfc3339(there))
        except (ValueError, OverflowError):
            # Or it is none in UTC: the last evening of 9999, west of Greenwich.
            continue
    for form in ("%H:%M", "%H:%M:%S"):
        try:
            clock = datetime.strptime(text, form)  # noqa: DTZ007 - a time of day has no zone yet
        except ValueError:
            continue
        now = time.time() if now is None else now
        return next_time(now, hour=clock.hour, minute=clock.minute, second=clock.second)
    raise Usage(f"{text!r} is not a time: 14:30, 2026-12-01 09:00, or 2026-12-01T09:00:00Z")


def duration(option: str, text: str) -> float:
    """What an option says, in seconds."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Usage(f"{option} {text}: not {error}") from None
