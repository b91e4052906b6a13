"""A cadence's own judge of a long silent run: a command that reads the end of its log."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from cadencebus.daemon.bounded_command import run_bounded
from cadencebus.policy.deadlines import EndRun
from cadencebus.session.environment import search_path
from cadencebus.store import runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.daemon.boarding import Boarded

_WITHIN = 30.0
_TAIL = 1 << 16
WEDGED = 1
# Where the idle watch is off, silence is still long after its default.
_PATIENCE = 1200.0


class Probe:
    """Asks beside the watch, so that a slow judge delays nothing."""

    def __init__(self, boarded: Boarded, home: str) -> None:
        self._boarded = boarded
        self._home = home
        patience = boarded.cadence.idle_timeout or _PATIENCE
        self._silence, self._pause = patience / 2, patience / 20
        self._next = 0.0
        self._asking: asyncio.Task[bool] | None = None

    def verdict(self, silent: float, now: float) -> EndRun | None:
        """What it says of a run that has been silent for so long; None while it says nothing against it."""
        if self._asking is not None and self._asking.done():
            wedged, self._asking = self._asking.result(), None
            self._next = now + self._pause
            # It has spoken since: the judge looked at what is not true any more.
            if wedged and silent >= self._silence:
                return EndRun("wedged", "its probe says so")
        command = self._boarded.cadence.probe
        if command and self._asking is None and silent >= self._silence and now >= self._next:
            self._asking = asyncio.ensure_future(self._ask(command))
        return None

    @property
    def asking(self) -> tuple[asyncio.Task[bool], ...]:
        """The question that is under way, if one is: its answer is worth waking up for."""
        return (self._asking,) if self._asking is not None else ()

    async def close(self) -> None:
        """End a judge who is still at it."""
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _ask(self, command: tuple[str, ...]) -> bool:
        """Anything but a clear 1 lets the run live."""
        tail = await asyncio.to_thread(runs.tail, self._boarded.run.file("stdout.log"), _TAIL)
        env = self._environment(os.environ)
        answered = await run_bounded(command, within=_WITHIN, cwd=self._boarded.cwd, env=env, stdin=tail)
        return answered.code == WEDGED

    def _environment(self, base: Mapping[str, str]) -> dict[str, str]:
        run, tick = self._boarded.run, self._boarded.tick
        ours = {
            "PATH": search_path(base.get("PATH", ""), base.get("HOME", "/")),
            "CADENCE_HOME": self._home,
            "CADENCE_NAME": self._boarded.cadence.name,
            "CADENCE_TICK_ID": tick.id,
            "CADENCE_RUN_DIR": run.path,
        }
        return {**base, **ours}
