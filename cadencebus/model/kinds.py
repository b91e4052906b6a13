"""The kinds of value that keys hold: texts, numbers, durations, moments, names."""

from __future__ import annotations

import json
import math
import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from cadencebus.model import duration
from cadencebus.model.cadence import Hours
from cadencebus.model.keys import Fault, Kind, Wrong, list_of, must, named
from cadencebus.model.naming import is_cadence
from cadencebus.model.settings import FOREVER
from cadencebus.model.wording import listed

_LABEL = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOMENT = re.compile(
    r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
    r"([Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])|24:00")
_BYTES = re.compile(r"([1-9][0-9]{0,11}) *(KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_VARIABLE = re.compile(r"[^=\0]+")


def _text(value: Any) -> str:
    must(isinstance(value, str) and "\0" not in value)
    # Half of a surrogate pair, which `"\ud800"` in a quoted text makes, can be written to no file.
    value.encode()
    return str(value)


def _flag(value: Any) -> bool:
    must(isinstance(value, bool))
    return bool(value)


def whole(low: int, high: int | None = None) -> Kind:
    """A whole number in a range."""

    def read(value: Any) -> int:
        must(isinstance(value, int) and not isinstance(value, bool))
        must(value >= low and (high is None or value <= high))
        return int(value)

    return Kind(
        read=read,
        allowed=f"a whole number, {low} or more" if high is None else f"a whole number from {low} to {high}",
        schema={"type": "integer", "minimum": low} | ({} if high is None else {"maximum": high}),
    )


def number(low: float, high: float | None = None, *, above: bool = False) -> Kind:
    """A finite number from a bound on, or `above` it."""

    def read(value: Any) -> float:
        must(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))
        must((value > low if above else value >= low) and (high is None or value <= high))
        return float(value)

    bound = f"above {low:g}" if above else f"from {low:g}"
    return Kind(
        read=read,
        allowed=f"a number {bound}" + ("" if high is None else f", {high:g} at most"),
        schema={"type": "number", "exclusiveMinimum" if above else "minimum": low}
        | ({} if high is None else {"maximum": high}),
    )


def one_of(*words: str) -> Kind:
    """One of some words."""

    def read(value: Any) -> str:
        must(isinstance(value, str) and value in words)
        return str(value)

    return Kind(read=read, allowed=listed(words, "or"), schema={"enum": list(words)}, words=words)


def shaped(pattern: re.Pattern[str], allowed: str) -> Kind:
    """A text of a certain form."""

    def read(value: Any) -> str:
        must(pattern.fullmatch(_text(value)))
        return str(value)

    return Kind(read=read, allowed=allowed, schema={"type": "string", "pattern": f"^({pattern.pattern})$"})


def _argument(value: Any) -> str:
    # `[sleep, 5]` and `[test, true]` are what people write: numbers and booleans go back to their text.
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _text(value)


def _command(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        # A line of a crontab: what to write instead, to be copied.
        raise Wrong(Fault(allowed=f"an argv list: [sh, -c, {json.dumps(value, ensure_ascii=False)}]"))
    must(isinstance(value, list) and value and value[0] != "")
    return tuple(_ARGUMENTS(value))


def _asked(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        must(value.strip())
        return ("sh", "-c", _text(value))
    return _command(value)


def _cadence_name(value: Any) -> str:
    must(is_cadence(value))
    return str(value)


def _word(value: Any) -> str:
    must(value)
    return _text(value)


def _path(value: Any) -> str:
    must(".." not in _word(value).split("/"))
    return str(value)


def _positive(value: Any) -> float:
    seconds = duration.parse_duration(value)
    must(seconds > 0)
    return seconds


def _kept(value: Any) -> float:
    return FOREVER if value == "forever" else duration.parse_duration(value)


def _bytes(value: Any) -> int:
    if isinstance(value, str) and (found := _BYTES.fullmatch(value)):
        return int(found[1]) * _UNITS[found[2]]
    must(isinstance(value, int) and not isinstance(value, bool) and value > 0)
    return int(value)


def _hours(value: Any) -> Hours:
    start, _, end = (part.strip() for part in _text(value).partition("-"))
    must(_CLOCK.fullmatch(start) and _CLOCK.fullmatch(end) and start != "24:00")
    opens, closes = (int(hour) * 60 + int(minute) for hour, minute in (start.split(":"), end.split(":")))
    return Hours(start=opens, end=closes)


def _moment(value: Any) -> datetime:
    must(_MOMENT.fullmatch(_text(value)))
    return datetime.fromisoformat(value.upper())


_NO_ZONES = "only local, until tzdata is installed: this machine has no time zones"


def _zone(value: Any) -> str | None:
    if value == "local":
        return None
    try:
        ZoneInfo(_word(value))
    # A folder's name, such as `Europe`, ends as an OSError.
    except (KeyError, OSError):
        # Looked up only for who mistyped one: there are six hundred files of them.
        known = tuple(sorted(available_timezones()))
        raise Wrong(Fault(allowed=ZONE.allowed if known else _NO_ZONES, known=known)) from None
    return str(value)


def _positive_pattern() -> str:
    # Some digit of it is not a zero.
    return duration.PATTERN.replace("^", r"^(?=.*[1-9])", 1)


def _span(pattern: str, bound: str) -> dict[str, Any]:
    numbers = {"type": "number", bound: 0, "maximum": duration.LONGEST}
    return {"anyOf": [numbers, {"type": "string", "pattern": pattern}]}


TEXT = Kind(read=_text, allowed="a text", schema={"type": "string"})
WORD = Kind(read=_word, allowed="a text that is not empty", schema={"type": "string", "minLength": 1})
FLAG = Kind(read=_flag, allowed="true or false", schema={"type": "boolean"}, words=("true", "false"))
LABEL = shaped(_LABEL, "a name of letters, digits, `.`, `_` and `-`")
CADENCE = Kind(
    read=_cadence_name,
    allowed="the name of a cadence: a-z, 0-9, `.`, `_` and `-`",
    schema={"type": "string", "pattern": r"^(?!.*\.\.)[a-z0-9][a-z0-9._-]{0,63}$"},
)
PATH = Kind(
    read=_path,
    allowed="a path without `..`",
    schema={"type": "string", "minLength": 1, "pattern": r"^(?!(.*/)?\.\.(/|$))"},
)
ARGUMENT = Kind(read=_argument, allowed="a text", schema={"type": ["string", "number", "boolean"]})
_ARGUMENTS = list_of(ARGUMENT)
COMMAND = Kind(
    read=_command,
    allowed='an argv list such as [sh, -c, "echo hello"]',
    schema={
        **_ARGUMENTS.schema,
        "minItems": 1,
        "prefixItems": [{**ARGUMENT.schema, "not": {"const": ""}}],
    },
)
# What answers by its exit code: often one line, that nobody wants to take apart.
QUESTION = Kind(
    read=_asked,
    allowed='an argv list such as [sh, -c, "exit 75"], or a line for sh',
    schema={"anyOf": [COMMAND.schema, {**ARGUMENT.schema, "type": "string", "pattern": r"\S"}]},
)
ENVIRONMENT = named(
    shaped(_VARIABLE, "a name without ="),
    ARGUMENT,
    allowed="a map of names to texts such as {LANG: C.UTF-8}",
    build=lambda variables: tuple(variables.items()),
)
DURATION = Kind(
    read=duration.parse_duration, allowed=duration.ALLOWED, schema=_span(duration.PATTERN, "minimum")
)
SPAN = Kind(
    read=_positive,
    allowed=f"{duration.ALLOWED}, more than 0",
    schema=_span(_positive_pattern(), "exclusiveMinimum"),
)
KEPT = Kind(
    read=_kept,
    allowed="a duration such as 14d, or forever",
    schema={"anyOf": [{"const": "forever"}, DURATION.schema]},
    words=("forever",),
)
BYTES = Kind(
    read=_bytes,
    allowed="bytes such as 1048576 or 64MiB",
    schema={
        "anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": f"^{_BYTES.pattern}$"}]
    },
)
HOURS = Kind(
    read=_hours,
    allowed="hours such as 08:00-19:00",
    schema={"type": "string", "pattern": rf"^\s*(?!24)({_CLOCK.pattern})\s*-\s*({_CLOCK.pattern})\s*$"},
)
MOMENT = Kind(
    read=_moment,
    allowed="a time such as 2026-12-01T09:00, with a zone or in the cadence's own",
    schema={"type": "string", "pattern": f"^({_MOMENT.pattern})$"},
)
ZONE = Kind(
    read=_zone,
    allowed="a time zone such as Europe/Berlin or UTC, or local",
    schema={"type": "string", "minLength": 1},
)
