"""state/gc.json: what the last gc knew of the clock."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cadencebus.clock import parse_rfc3339, rfc3339, spelled
from cadencebus.model.shapes import having, is_amount, is_text, is_time, or_null
from cadencebus.policy.clock_trust import Clocks, Trust
from cadencebus.store.json_file import load_object, save_object

if TYPE_CHECKING:
    from cadencebus.store.paths import Home


_SOUND = having(at=is_time, steady=is_amount, boot_id=is_text, doubted_at=or_null(is_time), doubt=is_text)


def load(home: Home) -> Trust | None:
    """Read it; None where there is none, or where it can't be made out."""
    try:
        said = load_object(_path(home))
    except (OSError, ValueError):
        return None
    if not _SOUND(said):
        return None
    return Trust(
        clocks=Clocks(wall=parse_rfc3339(said["at"]), steady=said["steady"], boot=said["boot_id"]),
        doubted_at=None if said.get("doubted_at") is None else parse_rfc3339(said["doubted_at"]),
        doubt=said["doubt"],
    )


def save(home: Home, known: Trust) -> None:
    """Write it, for the next gc to compare with; where the disk is full it is gc that makes room."""
    members = {
        "at": rfc3339(known.clocks.wall),
        "steady": round(known.clocks.steady, 3),
        "boot_id": known.clocks.boot,
        "doubted_at": spelled(known.doubted_at),
        "doubt": known.doubt,
    }
    # The next gc then compares with the one before: a jump of the clock is still a jump.
    with contextlib.suppress(OSError):
        save_object(home, _path(home), members)


def _path(home: Home) -> str:
    return f"{home.state}/gc.json"
