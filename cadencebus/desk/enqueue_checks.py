"""What must hold before a tick is put in: its cadence exists, the queue has room. On the fast path."""

from __future__ import annotations

import os

from cadencebus.model.naming import is_cadence
from cadencebus.store import inlet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home

# The default of `max_tick_bytes`.
_MOST = 1 << 20


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
    if _is_set(home, "max_inbox"):
        inlet.check_room(home, settings(home).max_inbox, wanted)


def most_bytes(home: Home) -> int:
    """How large a tick may be; costs one read where `max_tick_bytes` is not set."""
    return settings(home).max_tick_bytes if _is_set(home, "max_tick_bytes") else _MOST


def _is_set(home: Home, key: str) -> bool:
    """Whether cadence.yaml or the environment may say something of a key: to read all of it is dear."""
    if f"CADENCE_SET_{key.upper()}" in os.environ:
        return True
    try:
        # A pipe is not waited for.
        with open(os.open(home.settings, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return any(key.encode() in line and not line.lstrip().startswith(b"#") for line in file)
    except FileNotFoundError:
        return False
    except OSError:
        # Whoever reads it whole says what is wrong with it.
        return True


def settings(home: Home) -> Settings:
    """The settings that a tick is held to: a slip in cadence.yaml must not cost a producer its ticks."""
    from cadencebus.desk.stdio import to_stderr  # noqa: PLC0415 - only where settings matter
    from cadencebus.store.config import settings_or_default  # noqa: PLC0415 - likewise

    found, problem = settings_or_default(home)
    if problem is not None:
        to_stderr(f"warning: {problem}: accepted by the default limits; fix it, then `cadence check`")
    return found
