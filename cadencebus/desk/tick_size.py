"""How large a tick may be, for verbs that rewrite one: the consumer would bury what is larger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.errors import BadData
from cadencebus.store.config import settings_or_default
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from cadencebus.model.tick import Tick
    from cadencebus.store.paths import Home


def spool_of(home: Home) -> Spool:
    """The spool as the consumer has it, with the same limit."""
    settings, _ = settings_or_default(home)
    return Spool(home, max_tick_bytes=settings.max_tick_bytes)


def check(spool: Spool, tick: Tick) -> None:
    """Refuse a tick that would be too large, before anything is written."""
    size, most = len(tick.bytes()), spool.max_tick_bytes
    if size > most and not spool.has_run(tick.name):
        raise BadData(
            f"{tick.id} would have {size} bytes, where {most} are allowed: nothing was changed",
            next_step="raise max_tick_bytes in cadence.yaml, or name a file in the payload instead",
        )
