"""What must hold before a tick is put in: its cadence exists, the queue has room. On the fast path."""

from __future__ import annotations

import os

from cadencebus.model.naming import is_cadence
from cadencebus.store import inlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cadencebus.store.paths import Home


def check_cadence(home: Home, name: str) -> None:
    """Refuse a cadence that nobody defined, with the nearest that somebody did."""
    if not is_cadence(name):
        from cadencebus.desk.nearest import misnamed  # noqa: PLC0415 - only for a mistake

        raise misnamed(home, name)
    try:
        os.stat(home.prompt(name))
    except FileNotFoundError:
        from cadencebus.desk.nearest import no_such_cadence  # noqa: PLC0415 - only for a mistake

        error = no_such_cadence(home, name)
        if error is not None:
            raise error from None


def check_room(home: Home, wanted: int) -> None:
    """Refuse when the queue is as long as `max_inbox` allows; costs one read where it is not set."""
    if "CADENCE_SET_MAX_INBOX" not in os.environ:
        try:
            with open(home.settings, "rb") as file:
                if not any(line.startswith(b"max_inbox") for line in file):
                    return
        except FileNotFoundError:
            return
    from cadencebus.store.config import load_settings  # noqa: PLC0415 - only where a limit is set

    inlet.check_room(home, load_settings(home, flags={}, environ=os.environ).max_inbox, wanted)
