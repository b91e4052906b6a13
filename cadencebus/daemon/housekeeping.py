"""The consumer's own daily `gc`, and what the verb shares: whether the clock is right, what to keep."""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.daemon.tidying import Tidying
from cadencebus.errors import CadenceError
from cadencebus.model import strictjson
from cadencebus.model.cadence import Cadence
from cadencebus.policy.retention import DAY, Keep, Reading, Trust, trust
from cadencebus.session import identity
from cadencebus.store import archive, files
from cadencebus.store.corrupt import load_object
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home

# A consumer that has just come up has better things to do.
_SETTLED_IN = 60.0
# Between two steps: tidying takes a tenth of the time, not all of it.
_PAUSE = 0.02


def read_clocks() -> Reading:
    """Look at both clocks."""
    # On Linux CLOCK_MONOTONIC stands still while the machine sleeps; on macOS it does not.
    steady = time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return Reading(wall=time.time(), steady=steady, boot=identity.boot_id())


def load(home: Home) -> Trust | None:
    """What the last tidying knew of the clock; None where there was none, or nobody can tell."""
    try:
        said = load_object(path_of(home))
        return Trust(
            reading=Reading(
                wall=parse_rfc3339(said["at"]), steady=float(said["steady"]), boot=str(said["boot_id"])
            ),
            doubted_at=None if said["doubted_at"] is None else parse_rfc3339(said["doubted_at"]),
            doubt=str(said["doubt"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save(home: Home, known: Trust) -> None:
    """Remember the clock for the next time."""
    members = {
        "at": rfc3339(known.reading.wall),
        "steady": round(known.reading.steady, 3),
        "boot_id": known.reading.boot,
        "doubted_at": None if known.doubted_at is None else rfc3339(known.doubted_at),
        "doubt": known.doubt,
    }
    temporary = f"{home.tmp}/{archive.LEAVING}json.{os.getpid()}.{os.urandom(4).hex()}"
    files.replace(temporary, path_of(home), strictjson.dumps(members))


def path_of(home: Home) -> str:
    """Where the clock of the last tidying is remembered."""
    return f"{home.state}/gc.json"


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


class Housekeeping:
    """Tidies once a day, beside the turns."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        last = load(gear.home)
        passed = DAY if last is None else gear.clock.wall() - last.reading.wall
        wait = min(DAY, DAY - passed) if passed >= 0 else DAY
        self._next = gear.clock.monotonic() + max(_SETTLED_IN, wait)

    def due_in(self) -> float:
        """Seconds until the next tidying."""
        return max(0.0, self._next - self._gear.clock.monotonic())

    async def do(self) -> None:
        """Tidy, unless the clock is in doubt or an operator does it at this moment."""
        gear = self._gear
        self._next = gear.clock.monotonic() + DAY
        # A folder, locked: nobody's crash leaves it behind.
        with archive.alone(gear.home.tmp, wait=False) as free:
            if not free:
                return
            last, now = load(gear.home), read_clocks()
            known = trust(last, now)
            await asyncio.to_thread(save, gear.home, known)
            if last is None:
                # The first time only the clock is taken down: what it says means something tomorrow.
                return
            if known.doubted_at is not None:
                gear.say(f"gc waits for a day: {known.doubt}")
                gear.tell({"event": "gc.refused", "reason": known.doubt})
                return
            await self._tidy(known)

    async def _tidy(self, known: Trust) -> None:
        gear = self._gear
        keep = await asyncio.to_thread(keep_of, gear.settings.current, gear.home)
        tidying = Tidying(gear.home, keep, known.reading.wall)
        steps = tidying.steps()
        # Ended in the middle of a step, the thread sees it through: a step is short.
        while await asyncio.to_thread(next, steps, _OVER) is not _OVER:  # noqa: ASYNC110 - nobody is waited for
            await asyncio.sleep(_PAUSE)
        gear.tell(told(tidying), durable=False)
        for problem in tidying.tally.problems:
            gear.say(f"gc: {problem}")


_OVER = object()


def told(tidying: Tidying) -> dict[str, Any]:
    """The line of the journal."""
    return {"event": "gc.done", **tidying.tally.dump()}
