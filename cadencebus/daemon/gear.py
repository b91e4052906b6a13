"""What every part of the daemon is given: the stores, the clock, the launcher, and ways to wake and tell."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.session.environment import inherited

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from cadencebus.clock import Clock
    from cadencebus.daemon.closing import Closing
    from cadencebus.daemon.settling import Settling
    from cadencebus.session.bell import Bell
    from cadencebus.session.launch import Launcher
    from cadencebus.store.config import LiveSettings
    from cadencebus.store.holds import Holds
    from cadencebus.store.journal import Journal
    from cadencebus.store.memory import Memories
    from cadencebus.store.paths import Home
    from cadencebus.store.prompts import Prompts
    from cadencebus.store.spool import Spool


async def _raise(error: OSError) -> None:
    raise error


@dataclass(slots=True, kw_only=True)
class Gear:
    """The stores, the clock, the launcher: handed down, never global."""

    home: Home
    clock: Clock
    spool: Spool
    holds: Holds
    memory: Memories
    journal: Journal
    prompts: Prompts
    settings: LiveSettings
    closing: Closing
    settling: Settling
    launcher: Launcher
    bell: Bell
    say: Callable[[str], None]
    verbose: bool = False
    # Taken once: reading os.environ decodes every variable anew.
    environ: Mapping[str, str] = field(default_factory=lambda: inherited(os.environ))
    # Whether it is to live on: `run --once` and `--drain` bring to an end what is there, and fire nothing.
    lasting: bool = True
    # How often cadences, settings or the home's own files were touched.
    edits: int = 0
    # How many runs are going on; threads that start one ask, while others begin and land.
    running_count: Callable[[], int] = field(default=lambda: 0)
    # Whether somebody waits for a slot, and not only for the end of a run of his own cadence.
    crowded: Callable[[], bool] = field(default=lambda: True)
    # Whether state/ is no longer the folder that this consumer locked.
    lost: Callable[[], bool] = field(default=lambda: False)
    # Rings for another turn.
    wake: Callable[[], None] = field(default=lambda: None)
    # Where an I/O error of the state folder goes; returns when it is worth trying again.
    trouble: Callable[[OSError], Awaitable[None]] = field(default=_raise)

    def tell(self, event: Mapping[str, Any], *, durable: bool = False) -> None:
        """Write one line of the journal."""
        self.journal.write(self.clock.wall(), [event], durable=durable)
