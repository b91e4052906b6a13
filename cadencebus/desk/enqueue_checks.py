"""What must hold before a tick is put in: its cadence exists, the queue has room. On the fast path."""

from __future__ import annotations

import os

from cadencebus.model.naming import is_cadence
from cadencebus.store import inlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cadencebus.model.settings import Settings
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
            # A pipe is not waited for.
            with open(os.open(home.settings, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                if not any(b"max_inbox" in line and not line.lstrip().startswith(b"#") for line in file):
                    return
        except FileNotFoundError:
            return
        except OSError:
            # Whoever reads it whole says what is wrong with it.
            pass
    inlet.check_room(home, settings(home).max_inbox, wanted)


def settings(home: Home) -> Settings:
    """The settings that a tick is held to: a slip in cadence.yaml must not cost a producer its ticks."""
    from cadencebus.desk.stdio import to_stderr  # noqa: PLC0415 - only where settings matter
    from cadencebus.store.config import settings_or_default  # noqa: PLC0415 - likewise

    found, problem = settings_or_default(home)
    if problem is not None:
        to_stderr(f"warning: {problem}: accepted by the default limits; fix it, then `cadence check`")
    return found
