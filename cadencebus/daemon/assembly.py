"""Putting the consumer's gear together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.clock import SystemClock
from cadencebus.daemon.closing import Closing
from cadencebus.daemon.gear import Gear
from cadencebus.daemon.settling import Settling
from cadencebus.session.bell import Bell
from cadencebus.session.launch import Launcher
from cadencebus.store.config import LiveSettings
from cadencebus.store.holds import Holds
from cadencebus.store.journal import Journal
from cadencebus.store.memory import Memories
from cadencebus.store.prompts import Prompts
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cadencebus.store.paths import Home


def assemble(
    home: Home, *, flags: Mapping[str, Any], say: Callable[[str], None], verbose: bool = False
) -> Gear:
    """Everything a consumer of this home works with; settings that make no sense raise BadFile."""
    settings = LiveSettings(home, flags=flags)
    spool = Spool(home, max_tick_bytes=settings.current.max_tick_bytes)
    holds, journal = Holds(home), Journal(home)
    memory = Memories(home, say)
    closing = Closing(spool, holds, memory, journal)
    return Gear(
        home=home,
        clock=SystemClock(),
        spool=spool,
        holds=holds,
        memory=memory,
        journal=journal,
        prompts=Prompts(home, lambda: settings.current.defaults),
        settings=settings,
        closing=closing,
        settling=Settling(closing, memory, holds, settings),
        launcher=Launcher(),
        bell=Bell(),
        say=say,
        verbose=verbose,
    )
