"""What a mistyped cadence may have meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from cadencebus.errors import NoSuch
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from cadencebus.store.paths import Home


def no_such_cadence(home: Home, name: str) -> NoSuch | None:
    """The error for a cadence that has no prompt file; None where HEARTBEAT.md defines it."""
    prompts = Prompts(home)
    if prompts.defined(name):
        return None
    known = prompts.names()
    near = difflib.get_close_matches(name, known, 1)
    hint = f": did you mean {near[0]!r}?" if near else ""
    return NoSuch(
        f"no cadence {name!r} in {home.prompts}{hint}",
        next_step="cadence cadences" if known else f"write {home.prompt(name)}",
    )
