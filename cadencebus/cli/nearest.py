"""What a mistyped cadence may have meant."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

from cadencebus.errors import NoSuch

if TYPE_CHECKING:
    from cadencebus.store.paths import Home


def no_such_cadence(home: Home, name: str) -> NoSuch:
    """The error for a cadence that has no prompt file."""
    try:
        known = sorted(
            f.removesuffix(".md") for f in os.listdir(home.prompts) if f.endswith(".md") and f[0] not in "._"
        )
    except OSError:
        known = []
    near = difflib.get_close_matches(name, known, 1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    return NoSuch(
        f"no cadence {name!r} in {home.prompts}{hint}",
        next_step="cadence cadences" if known else f"write {home.prompt(name)}",
    )
