"""Holds that end when their cause has changed: another key, another login, another version, an edit."""

from __future__ import annotations

import asyncio
import math
import os
from typing import TYPE_CHECKING, Any

from cadencebus.errors import CadenceError
from cadencebus.model.hold import hold_event
from cadencebus.session import environment, fingerprint
from cadencebus.store.prompts import UnknownCadence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.hold import Hold

LOOK_EVERY = 5.0
# What can be mended behind the bus's back, by the class of the run that failed of it.
MENDABLE = frozenset({"auth", "billing", "never_ran"})
_HOLDS = frozenset({"auth", "billing", "config"})


def fingerprints(gear: Gear, cadence: Cadence, klass: str, salt: str | None = None) -> dict[str, str]:
    """The fingerprints of all that may be to blame for such an end: once one changes, another try is due."""
    if klass not in MENDABLE:
        return {}
    # Nothing in state/ names the home: moved, it is held by the same causes.
    inside, marks = f"{gear.home.root}/", _marks(gear, cadence, klass, salt)
    return {name.replace(inside, ""): mark.replace(inside, "") for name, mark in marks.items()}


def _marks(gear: Gear, cadence: Cadence, klass: str, salt: str | None) -> dict[str, str]:
    salt = salt or fingerprint.new_salt()
    runner = gear.settings.current.runners.get(cadence.runner)
    given = dict(runner.env) if runner else {}
    env = environment.environment(environment.inherited(os.environ), {}, given, dict(cadence.env))
    cwd = gear.home.folder(cadence.cwd)
    guard, its_own = cadence.guard or (), (runner.argv if runner else ()) or cadence.command or ()
    # What could not start may have been either.
    programs = (guard, its_own) if klass == "never_ran" else (its_own,)
    found = {"salt": salt}
    for argv in filter(None, programs):
        found |= fingerprint.of_program(argv, env, cwd)
    if klass == "never_ran":
        there = "there" if os.path.isdir(cwd) else "missing"
        settings = fingerprint.of_file(gear.home.settings)
        found |= {cadence.path: cadence.digest, "cadence.yaml": settings, "cwd": there}
        if (cadence.auth or gear.settings.current.auth) != "api-key":
            return found
        # It may be the key that it demands, and nobody had set.
    return {**found, **fingerprint.of_credentials(runner.credentials if runner else "", env, salt)}


class HoldCauses:
    """Looks at the causes of holds every few seconds, and only while there is such a hold."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._next = 0.0

    def due_in(self) -> float:
        """Seconds until the next look; infinite while there is no such hold."""
        if not any(_mendable(hold) for hold in self._gear.holds.known):
            return math.inf
        return self._next - self._gear.clock.monotonic()

    async def catch_up(self) -> None:
        """Release the holds whose cause changed while no consumer was up."""
        self._gear.holds.all(self._gear.clock.wall())
        if self.due_in() <= 0:
            await self.do()

    async def do(self) -> None:
        """Release the holds whose cause has changed."""
        self._next = self._gear.clock.monotonic() + LOOK_EVERY
        await asyncio.to_thread(self._look)

    def _look(self) -> None:
        for hold in self._gear.holds.known:
            if _mendable(hold) and (detail := self._mended(hold)) and self._gear.holds.release(hold.file):
                event = hold_event("hold.released", hold.file)
                self._gear.tell({**event, "detail": detail, "by": "consumer"})
                self._gear.say(f"{hold.file} is released: {detail}")

    def _mended(self, hold: Hold) -> str | None:
        """What has changed since the hold was set, in words; None while nothing has."""
        extra: Mapping[str, Any] = hold.extra or {}
        before, name = extra["fingerprints"], str(extra.get("cadence"))
        try:
            cadence = self._gear.prompts.load(name)
        except UnknownCadence:
            # Its own hold would stand for ever. Others that share its login find out at the price of one run.
            return f"prompts/{name}.md is gone"
        except (CadenceError, OSError):
            # Broken: it would not start anyhow.
            return None
        klass = "never_ran" if hold.reason == "config" else hold.reason
        what = fingerprint.changed(before, fingerprints(self._gear, cadence, klass, str(before.get("salt"))))
        return f"{what} is not what it was" if what else None


def _mendable(hold: Hold) -> bool:
    before = (hold.extra or {}).get("fingerprints")
    return hold.reason in _HOLDS and hold.automatic and isinstance(before, dict) and bool(before)
