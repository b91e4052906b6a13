"""What a mistyped word may have meant."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import TYPE_CHECKING

from cadencebus.errors import NoSuch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.store.paths import Home

# Nearer than what two options have in common by their dashes and endings alone.
_NEAR = 0.66


def meant(word: str, known: Iterable[str]) -> str:
    """The end of an error's line: what is near to what was typed, or nothing."""
    near = get_close_matches(word, list(known), 1, _NEAR)
    return f": did you mean {near[0]!r}?" if near else ""


def why_none(home: Home, cadence: str | None) -> str:
    """The end of a hint that nothing was found: the cadence that was asked for may be mistyped."""
    error = None if cadence is None else no_such_cadence(home, cadence)
    return f": {error.message}" if error else ""


def cadence_names(home: Home) -> list[str]:
    """The cadences that somebody defined."""
    from cadencebus.store.prompts import Prompts  # noqa: PLC0415 - dear, and a verb may be meant

    return Prompts(home).names()


def misnamed(home: Home, name: str) -> NoSuch:
    """The error for a word that no cadence can have as its name, such as the path of its file."""
    likely = meant(os.path.basename(name).lower().removesuffix(".md"), cadence_names(home))
    return NoSuch(
        f"{name[:80]!r} can't name a cadence: a-z, 0-9, `.`, `_`, `-`, 64 at most{likely}",
        next_step="cadence cadences",
    )


def no_such_cadence(home: Home, name: str) -> NoSuch | None:
    """The error for a cadence that has no prompt file; None where HEARTBEAT.md defines it."""
    from cadencebus.store.prompts import Prompts  # noqa: PLC0415 - dear, and a verb may be meant

    prompts = Prompts(home)
    if prompts.defined(name):
        return None
    known = prompts.names()
    return NoSuch(
        f"no cadence {name!r} in {home.prompts}{meant(name, known)}",
        next_step="cadence cadences" if known else f"write {home.prompt(name)}",
    )
