"""When a limit ends, read from what a CLI says about it."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

# A time of day this long past is meant as it stands: the text has whole minutes, and reaches us late.
_LATE = timedelta(minutes=10)
# A date this long past, without a year, is of next year.
_LAST_YEAR = timedelta(days=30)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# What the CLIs' library still calls by its older name, which a machine's own database may have dropped.
_NOW_CALLED = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Catamarca": "America/Argentina/Catamarca",
    "America/Cordoba": "America/Argentina/Cordoba",
    "America/Godthab": "America/Nuuk",
    "America/Indianapolis": "America/Indiana/Indianapolis",
    "America/Jujuy": "America/Argentina/Jujuy",
    "America/Louisville": "America/Kentucky/Louisville",
    "America/Mendoza": "America/Argentina/Mendoza",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Asia/Saigon": "Asia/Ho_Chi_Minh",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Europe/Kiev": "Europe/Kyiv",
    "Pacific/Enderbury": "Pacific/Kanton",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}
# No limit lasts longer than this, even if a spend limit names a date years ahead.
_LONGEST_WAIT = 366 * 86400.0

_STAMP = re.compile(r"limit reached\|(\d{10})\b")
_DATED = re.compile(
    r"(?:regain access|resets?|try again|available again|until)\D{0,12}"
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:T| at |,? )(?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::\d\d(?:\.\d+)?)?\s*(?P<zone>UTC|GMT|Z\b|\([\w/+-]+\))?",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?:resets?|reset at|try again|regain access|available again|until)\s*(?:at|on|∙|·|:)?\s*"
    r"(?:(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?"
    r"(?:,? (?P<year>\d{4}))?(?:,| at)? )?"
    r"(?:at )?(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?(?::\d\d)?\s?(?P<half>[ap]\.?m\b\.?)?"
    r"\s*(?P<zone>UTC|GMT|\([\w/+-]+\))?",
    re.IGNORECASE,
)
_WAIT = re.compile(
    r"(?:retry|try again|resets?|available again|wait)\s+(?:in|after|for)\s+(?:about )?"
    r"(?P<span>(?:\d+(?:\.\d+)?\s*(?:milliseconds?|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|ms|[smhdw])"
    r"(?:,? (?:and )?|\b|(?=\d)))+)"
    r"|\"?retry_?delay\"?\s*[:=]\s*\"?(?P<delay>\d+(?:\.\d+)?s)",
    re.IGNORECASE,
)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|mil|[smhdw])", re.IGNORECASE)


def reset_time(said: str, *, now: float, tz: tzinfo | None = None) -> float | None:
    """Epoch seconds at which the limit that is spoken of ends; None where nothing is said.

    `tz` is the zone of clock times that name none (None: this machine's), `now` the time at which
    the words were said.
    """
    if stamp := _STAMP.search(said):
        return float(stamp[1])
    if wait := _WAIT.search(said):
        seconds = _seconds(wait["span"] or wait["delay"])
        return now + seconds if seconds <= _LONGEST_WAIT else None
    for pattern in (_DATED, _CLOCK):
        for match in pattern.finditer(said):
            moment = _moment(match, now, tz)
            if moment is not None:
                return moment
    return None


def _seconds(span: str) -> float:
    found = [(float(number), unit.lower()) for number, unit in _SPAN.findall(span)]
    return sum(number * _UNITS["ms" if unit == "mil" else unit] for number, unit in found)


def _moment(match: re.Match[str], now: float, tz: tzinfo | None) -> float | None:
    part = match.groupdict()
    half, hour = (part.get("half") or "").lower(), int(part["hour"])
    if not half and part["minute"] is None:
        # "resets 5 …" is no time of day.
        return None
    if half and hour <= 12:  # noqa: PLR2004 - the hours of half a day
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    zone = _zone(part["zone"], tz)
    # Without a zone it is the machine's: each time has the offset of its own day, not of today.
    today = datetime.fromtimestamp(now, zone)
    try:
        clock = today.replace(hour=hour, minute=int(part["minute"] or 0), second=0, microsecond=0)
        if part["day"]:
            moment = _dated(clock, part["day"], part["month"], part["year"], today)
        else:
            moment = clock if clock >= today - _LATE else clock + timedelta(days=1)
        return moment.timestamp()
    except ValueError:
        return None


def _dated(clock: datetime, day: str, month: str, year: str | None, today: datetime) -> datetime:
    """A time of day on the date that the words name; where they name no year, the next such date."""
    number = int(month) if month.isdigit() else _MONTHS.index(month.lower()) + 1
    moment = clock.replace(year=int(year or today.year), month=number, day=int(day))
    if year is None and moment < today - _LAST_YEAR:
        return moment.replace(year=today.year + 1)
    return moment


def _zone(named: str | None, tz: tzinfo | None) -> tzinfo | None:
    """The zone that the words name, else the one to assume; None is this machine's own."""
    name = (named or "").strip("()")
    if name.upper() in {"UTC", "GMT", "Z"}:
        return UTC
    for spelled in (_NOW_CALLED.get(name, name), name):
        # The empty name, a folder's and a path's: each is refused in its own way.
        with contextlib.suppress(KeyError, ValueError, OSError):
            return ZoneInfo(spelled)
    return tz
