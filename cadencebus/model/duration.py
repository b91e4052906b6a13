"""Durations as people write them: `90s`, `0.5s`, `20m`, `2h`, `1d`, or plain seconds."""

from __future__ import annotations

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
# Below this, tenths matter to people.
_FINE = 10
LONGEST = 10 * 366 * 86400.0
ALLOWED = "a duration such as 90s, 20m, 2h, 1d or plain seconds"
PATTERN = r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(ms|s|m|h|d)?\s*$"


def parse_duration(value: object) -> float:
    """Seconds; ValueError says what is allowed."""
    if isinstance(value, str):
        seconds = _parse(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # Compared before it becomes a float: a whole number may be too long for one.
        seconds = float(value) if 0 <= value <= LONGEST else -1.0
    else:
        # To whoever reads a file, a wrong type is one more value that is not allowed.
        raise ValueError(ALLOWED)  # noqa: TRY004
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{ALLOWED}, not negative and at most ten years")
    return seconds


def _parse(text: str) -> float:
    unit = next((unit for unit in _UNITS if text.endswith(unit)), "")
    number = text.removesuffix(unit).rstrip()
    digits = number.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(ALLOWED)
    return float(number) * _UNITS[unit or "s"]


def in_digits(number: float) -> str:
    """A number that units and shells read as well as people do: `1296000`, never `1.296e+06`."""
    return f"{number:.6f}".rstrip("0").rstrip(".")


def spell_duration(seconds: float) -> str:
    """A duration for people, its two largest parts: `1m 30s`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms" if seconds else "0s"
    if seconds < _FINE and seconds != int(seconds):
        return f"{seconds:.1f}s"
    left, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return " ".join(parts[:2])
