"""circuit-open.json: drawn from the holds and the memories, at every transition; absent when none is open."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.model.hold import cadence_held, parse_hold_name
from cadencebus.model.naming import is_cadence
from cadencebus.policy import circuit as breaker
from cadencebus.store import files
from cadencebus.store.json_file import save_object

if TYPE_CHECKING:
    from cadencebus.store.memory import Memories
    from cadencebus.store.paths import Home


def draw(home: Home, memory: Memories, now: float) -> None:
    """Draw it anew; OSError where the disk refuses, and then nothing but the picture is old."""
    open_now = {}
    for file in os.listdir(home.holds):
        scope, reason = parse_hold_name(file) or ("", "")
        name = cadence_held(scope)
        if reason == "circuit_open" and name and is_cadence(name):
            circuit = memory.cadence(name, now).circuit
            open_now.update({name: circuit} if circuit else {})
    picture = breaker.snapshot(open_now, now)
    if picture is None:
        files.discard(home.open_circuits)
    else:
        save_object(home, home.open_circuits, picture, durable=False)
