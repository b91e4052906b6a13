"""The consumer's daily gc; and what `cadence gc` shares with it: the clocks, and how long things are kept."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from cadencebus.daemon.gc_pass import GcPass
from cadencebus.errors import CadenceError
from cadencebus.model.cadence import Cadence
from cadencebus.policy.clock_trust import Clocks, Trust, judge
from cadencebus.policy.retention import DAY, Keep
from cadencebus.session import identity
from cadencebus.store import archive, gc_state
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home

# A consumer that has just come up has better things to do.
_SETTLED_IN = 60.0
# The pause between two steps: gc takes a tenth of the time, not all of it.
_PAUSE = 0.02
_OVER = object()


def read_clocks() -> Clocks:
    """Look at both clocks."""
    # On Linux CLOCK_MONOTONIC stands still while the machine sleeps; on macOS it does not.
    steady = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return Clocks(wall=time.time(), steady=steady, boot=identity.boot_id())


def keep_of(settings: Settings, home: Home) -> Keep:
    """How long things are kept; keys as long as any cadence may still ask for one."""
    prompts = Prompts(home, lambda: settings.defaults)
    windows: list[float] = [Cadence(name="any").dedupe_window]
    known = True
    for name in prompts.names():
        try:
            windows.append(prompts.load(name).dedupe_window)
        except (CadenceError, OSError):
            # A broken file does not say how long its keys count.
            known = False
    kept = settings.retention
    return Keep(
        done=kept.done,
        runs=kept.runs,
        events=kept.events,
        dead=kept.dead,
        keys=max(windows) if known else None,
    )


class DailyGc:
    """Runs gc once a day, beside the turns."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        last = gc_state.load(gear.home)
        passed = DAY if last is None else gear.clock.wall() - last.clocks.wall
        wait = min(DAY, DAY - passed) if passed >= 0 else DAY
        self._next = gear.clock.monotonic() + max(_SETTLED_IN, wait)

    def due_in(self) -> float:
        """Seconds until the next gc is due."""
        return max(0.0, self._next - self._gear.clock.monotonic())

    async def do(self) -> None:
        """Run gc, unless the clock is in doubt or an operator runs it at this moment."""
        gear = self._gear
        self._next = gear.clock.monotonic() + DAY
        # The lock is on a folder: no crash leaves it behind.
        with archive.alone(gear.home.tmp, wait=False) as free:
            if not free:
                return
            last, now = gc_state.load(gear.home), read_clocks()
            known = judge(last, now)
            await asyncio.to_thread(gc_state.save, gear.home, known)
            if last is None:
                # The first time only the clock is noted: tomorrow it can be compared.
                return
            if known.doubted_at is not None:
                gear.say(f"gc waits for a day: {known.doubt}")
                gear.tell({"event": "gc.refused", "reason": known.doubt})
                return
            await self._run(known)

    async def _run(self, known: Trust) -> None:
        gear = self._gear
        keep = await asyncio.to_thread(keep_of, gear.settings.current, gear.home)
        gc = GcPass(gear.home, keep, known.clocks.wall)
        steps = gc.steps()
        # Where this is cancelled in the middle of a step, the thread finishes that step: it is short.
        while await asyncio.to_thread(next, steps, _OVER) is not _OVER:  # noqa: ASYNC110 - nobody is waited for
            await asyncio.sleep(_PAUSE)
        gear.tell(gc.event(), durable=False)
        for problem in gc.tally.problems:
            gear.say(f"gc: {problem}")
