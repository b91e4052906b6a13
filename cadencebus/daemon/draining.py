"""`run --drain`: whether all that could run has run, and what only an operator can release."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.model.naming import parse_name

if TYPE_CHECKING:
    from cadencebus.daemon.consumer import Consumer

# Why a cadence may wait for as long as nobody does something about it; a hold says so itself.
_LASTING = {"disabled", "broken", "unreadable", "stop", "drain"}


def left_over(consumer: Consumer) -> dict[str, str] | None:
    """What only an operator can release, with why, once nothing else is left; None while more may come."""
    if not consumer.idle():
        return None
    try:
        stuck = None if consumer.lookout.forget_gone() else _drained(consumer)
        return None if stuck is None or _unannounced(consumer) else stuck
    except OSError as error:
        # What can't be looked at may still wait: wait for the disk, as anywhere else.
        consumer.disk_refused(error)
        return None


def _drained(consumer: Consumer) -> dict[str, str] | None:
    """None while something waits that could still run; else what only an operator can release, with why."""
    if consumer.intake.look_again_at() is not None or len(consumer.calendar):
        return None
    stuck = {}
    for cadence, wait in consumer.admission.waits.items():
        lasting = wait.lasting or wait.reason in _LASTING
        # `pause --for` ends by itself.
        if not lasting or wait.until is not None:
            return None
        stuck[cadence] = f"{wait.reason}: {wait.detail}" if wait.detail else wait.reason
    return None if set(consumer.index.cadences()) - set(stuck) else stuck


def _unannounced(consumer: Consumer) -> bool:
    """Take up ready ticks whose events are still to come, as on a busy machine; whether there were any."""
    inbox = consumer.gear.home.inbox
    fresh = [file for file in os.listdir(inbox) if file not in consumer.index and parse_name(file)]
    for file in fresh:
        consumer.lookout.ring(inbox, file)
    return bool(fresh)
