"""The state folder's file system: when it refuses, the bus holds, looks again, and goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from cadencebus.model.hold import BUS, Hold, hold_file
from cadencebus.store import files

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.daemon.gear import Gear

PROBE_EVERY = 1.0
_TOLD_AGAIN = 600.0
_HOLD = hold_file(BUS, "disk_full")


class Disk:
    """Knows whether the state folder takes files, and lets everybody wait until it does."""

    def __init__(self, gear: Gear, spawn: Callable[[Any], object], back: Callable[[], None]) -> None:
        self._gear = gear
        self._spawn = spawn
        self._back = back
        self._well = asyncio.Event()
        self._well.set()
        # What was said of the trouble last, when, and whether the present one was worth saying.
        self._told, self._told_at, self._news = "", 0.0, False

    @property
    def well(self) -> bool:
        """Whether no trouble with it is known."""
        return self._well.is_set()

    def forget_former(self) -> None:
        """Release the hold of a consumer that died in trouble: this one sees whether the trouble lasts."""
        if self._well.is_set():
            self._gear.holds.release(_HOLD)

    async def trouble(self, error: OSError) -> None:
        """Hold everything until the state folder takes a file again, then let whoever waits try again."""
        if self._well.is_set():
            self._well.clear()
            detail = f"{self._where(error)}: {error.strerror or error}"
            hold = Hold(scope=BUS, reason="disk_full", since=self._gear.clock.wall(), detail=detail)
            # In memory whatever happens; its file is best effort, on a disk that takes none.
            self._gear.holds.remember(hold)
            # In another home's place it would hold a consumer that is well.
            if not self._gear.lost():
                with contextlib.suppress(OSError):
                    self._gear.holds.set(hold, durable=False)
            self._tell(detail)
            self._spawn(self._probe())
        await self._well.wait()

    def _where(self, error: OSError) -> str:
        inside = f"{self._gear.home.root}/"
        names = [str(name) for name in (error.filename, error.filename2, self._gear.home.state) if name]
        # Of a link the first name is what it says. Nothing in state/ names the home, which may be moved.
        return next((name for name in names if name.startswith(inside)), names[0]).removeprefix(inside)

    def _tell(self, detail: str) -> None:
        """Report it once, however often it recurs: a folder may take files and still not be readable."""
        now = self._gear.clock.monotonic()
        self._news = detail != self._told or now >= self._told_at + _TOLD_AGAIN
        if self._news:
            self._told, self._told_at = detail, now
            self._gear.say(
                f"the state folder refuses: {detail}; holding, probing again each {PROBE_EVERY:g} s"
            )

    async def _probe(self) -> None:
        while not self._well.is_set():
            await asyncio.sleep(PROBE_EVERY)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(_try_writing, self._gear.home.tmp)
                self._gear.holds.release(_HOLD)
                self._gear.holds.forget(_HOLD)
                if self._news:
                    self._gear.say("the state folder takes files again")
                self._well.set()
                self._back()


def _try_writing(folder: str) -> None:
    path = f"{folder}/.probe"
    files.discard(path)
    files.write_new(path, b"0" * 4096)
    files.discard(path)
