"""The line by which a generated file is known again: ours and current, stale, edited, or somebody's own."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "Made by `cadence install`: it will be overwritten, edit the cadence instead."
_MARK = "fingerprint: "
_DIGITS = 16


class Condition(StrEnum):
    """What an installed file is, compared with the one that would be written now."""

    MISSING = "missing"
    CURRENT = "current"
    STALE = "stale"
    EDITED = "edited"
    FOREIGN = "foreign"


def seal(lines: Sequence[str], *, at: int = 0, opening: str = "# ", closing: str = "") -> str:
    """Join the lines of a file, with the header and a fingerprint of all the rest put in as comments."""
    header = f"{opening}{HEADER}{closing}"
    whole = [*lines[:at], header, *lines[at:]]
    mark = f"{opening}{_MARK}{_fingerprint(whole)}{closing}"
    return "\n".join([*whole[: at + 1], mark, *whole[at + 1 :]]) + "\n"


def condition(installed: str | None, wanted: str) -> Condition:
    """Tell what lies there; a foreign or edited file is never overwritten without a word."""
    if installed is None:
        return Condition.MISSING
    stated, body = _apart(installed)
    if stated is None:
        return Condition.FOREIGN
    if stated != _fingerprint(body):
        return Condition.EDITED
    return Condition.CURRENT if installed == wanted else Condition.STALE


def _fingerprint(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:_DIGITS]


def _apart(text: str) -> tuple[str | None, list[str]]:
    """The fingerprint that a file states, and its other lines."""
    lines = text.removesuffix("\n").split("\n")
    for n, line in enumerate(lines):
        before, mark, after = line.partition(_MARK)
        if mark and len(before) <= len("<!-- "):
            return after[:_DIGITS], [*lines[:n], *lines[n + 1 :]]
    return None, lines
