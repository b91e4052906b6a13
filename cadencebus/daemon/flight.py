"""One tick's run, from the claim to its settlement."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from cadencebus.daemon import boarding, checkin, landing
from cadencebus.daemon.boarding import Boarded, Doomed, NeverRan, StillAlive
from cadencebus.daemon.run_watch import RunWatch
from cadencebus.session import life
from cadencebus.store import files, runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.settlement import Settlement
    from cadencebus.model.tick import Tick
    from cadencebus.policy.admit import Running
    from cadencebus.session.life import ExitRecord

# A run that ends within this time is settled by the thread that started it, and wakes the loop only once.
_BRIEF = 0.05


class Flight:
    """A tick on its way: claimed, running, or waiting for a disk that takes its end."""

    def __init__(self, gear: Gear, file: str, cadence: Cadence, running: Running) -> None:
        self._gear = gear
        self.file = file
        self.cadence = cadence
        self.running = running
        self.boarded: Boarded | None = None
        self.settlement: Settlement | None = None
        # What became of the tick where no run was settled: the index wants to know.
        self.returned = False
        self.guard_passed = False
        # Whether it ended before anything could come to wait behind it.
        self._over = False
        # Whether its end may have been settled before, and an error or another consumer's death came between.
        self._tried = False
        # Its end must name all that it stands for: absorbing many ticks may take longer than the run.
        self._absorbing: asyncio.Task[None] | None = None
        # Whether a worker thread is between two of its renames: leaving waits for that.
        self.critical = True

    @property
    def airborne(self) -> bool:
        """Whether a session runs for it."""
        return self.boarded is not None and self.settlement is None

    @property
    def turned_away(self) -> bool:
        """Whether its tick, once it was read, was none to run."""
        return self.boarded is None and self.settlement is None and not self.returned

    async def fly(
        self,
        *,
        stopped: Callable[[], bool],
        probe: bool,
        guard: bool,
        alone: Callable[[], bool],
        absorb: Callable[[Boarded], asyncio.Task[None]],
    ) -> None:
        """Claim, start, watch, settle; raises OSError where the state folder refuses, the tick being safe.

        `alone` says, from any thread, whether no other tick of the cadence waits.
        """
        loop = asyncio.get_running_loop()
        room = partial(loop.call_soon_threadsafe, self._make_room)
        depart = partial(self._depart, stopped, alone, room, probe=probe, guard=guard)
        try:
            # In one go: each hop between the loop and a thread costs two context switches.
            await loop.run_in_executor(None, depart)
        except StillAlive as former:
            await self.adopt(former.tick, former.run)
            return
        if self.boarded is None or self.settlement is not None or self.returned:
            return
        if self.cadence.overlap == "coalesce" and not guard and not self._over:
            self._absorbing = absorb(self.boarded)
        # So that it is shown; and under `overlap: skip` what came between claim and start must not run.
        self._gear.wake()
        await self._watch(self.boarded)

    def _depart(
        self,
        stopped: Callable[[], bool],
        alone: Callable[[], bool],
        room: Callable[[], object],
        *,
        probe: bool,
        guard: bool,
    ) -> None:
        """In a worker thread: claim the tick, start its run, and see a brief one to its end."""
        gear = self._gear
        tick = checkin.take(gear, self.file, self.cadence)
        if tick is None:
            return
        if stopped():
            self._return(tick)
            return
        try:
            self.boarded = self._start(tick, probe=probe, guard=guard)
        except Doomed as doom:
            gear.closing.entomb(tick, doom.klass, doom.reason, gear.clock.wall())
        except NeverRan as error:
            self.settlement = landing.ground(gear, tick, self.cadence, str(error))
        except OSError:
            self._return(tick)
            raise
        if self.boarded is not None:
            self._settle_if_brief(self.boarded, alone, room)

    def _settle_if_brief(
        self, boarded: Boarded, alone: Callable[[], bool], room: Callable[[], object]
    ) -> None:
        """Settle a run that ends at once; leave every other one to the watch."""
        watch = RunWatch(self._gear, boarded, adopted=False)
        end = watch.over_within(_BRIEF if self._may_be_brief(boarded, alone) else 0.0)
        self._over = end is not None
        if self._over:
            room()
        with contextlib.suppress(OSError):
            # Not sooner: the fork would take the processor from the run that has just been started.
            self._gear.launcher.warm()
        if self._over:
            # A disk that refuses now is waited for beside the loop, by the watch.
            with contextlib.suppress(OSError):
                self._settle(boarded, watch.told(), end)

    def _may_be_brief(self, boarded: Boarded, alone: Callable[[], bool]) -> bool:
        """Whether nothing but the run's own end has to be waited for."""
        if boarded.runner.agent or self._gear.verbose:
            return False
        return self.cadence.overlap == "queue" or (self.cadence.overlap == "coalesce" and alone())

    def _start(self, tick: Tick, *, probe: bool, guard: bool) -> Boarded | None:
        """Everything durable, then the process."""
        gear = self._gear
        boarded = boarding.board(gear, tick, self.cadence, probe=probe, guard=guard)
        try:
            request, record = boarding.furnish(gear, boarded)
            self._tell_of(boarded)
            alive = life.open_alive(boarded.run.path)
        except OSError:
            _undo(boarded)
            raise
        try:
            # The emergency stop is checked once more, as late as possible.
            if files.exists(gear.home.stop):
                _undo(boarded)
                self._return(tick)
                return None
            shim = gear.launcher.start(request, alive)
        except OSError as error:
            # The fork itself failed: recorded like any other failed start.
            os.rename(boarded.run.file(runs.PENDING), boarded.run.file(f"exit.fork-{_errno_name(error)}"))
            shim = None
        finally:
            os.close(alive)
        return replace(boarded, shim=shim, record=record)

    def _tell_of(self, boarded: Boarded) -> None:
        """Write two lines of the journal, before the start that they tell of."""
        tick = boarded.tick
        facts = {
            "cadence": tick.cadence,
            "tick": tick.id,
            "attempt": len(tick.attempts) + 1,
            "run": boarded.run.id,
        }
        waited = round(max(0.0, boarded.started_at - tick.created_at), 3)
        runner = {"runner": boarded.runner.name, "force": tick.force or None}
        lines = [
            {"event": "tick.claimed", **facts, "waited": waited},
            {"event": "run.started", **facts, **runner},
        ]
        self._gear.journal.write(boarded.started_at, lines)

    def _return(self, tick: Tick) -> None:
        """Put a claimed tick back as if it had never been taken."""
        self._gear.spool.again([tick.name.file])
        self.returned = True

    async def adopt(self, tick: Tick, run: runs.RunFolder) -> None:
        """Go on watching a run that outlived its consumer, by the same deadlines."""
        self._tried = True
        self.boarded = await asyncio.to_thread(self._found, tick, run)
        self._gear.wake()
        await self._watch(self.boarded, adopted=True)

    def _found(self, tick: Tick, run: runs.RunFolder) -> Boarded:
        boarded = boarding.found(self._gear, tick, run, self.cadence)
        # Its consumer may have died between the folder and the journal; what is told twice is one fact.
        if not life.is_alive(run.path) and life.exit_record(run.path) is None:
            self._tell_of(boarded)
        return boarded

    async def _watch(self, boarded: Boarded, *, adopted: bool = False) -> None:
        watch = RunWatch(self._gear, boarded, adopted=adopted)
        self.critical = False
        report = await watch.until_it_ends(self._make_room)
        if not boarded.runner.agent:
            # An agent's end is judged first: the next one may share the account whose limit it has met.
            self._make_room()
        if self._absorbing is not None:
            await asyncio.wait([self._absorbing])
        self.critical = True
        while True:
            try:
                await asyncio.to_thread(self._settle, boarded, report)
            except OSError as error:
                self.critical = False
                self._make_room()
                await self._gear.trouble(error)
                self.critical = True
            else:
                return

    def _make_room(self) -> None:
        """Free the slot: no session should have to wait for a slow disk, or a process that won't die."""
        self.running = replace(self.running, landing=True)
        if self._gear.crowded():
            self._gear.wake()

    def _settle(self, boarded: Boarded, report: Any, end: ExitRecord | None = None) -> None:  # noqa: ANN401
        if boarded.guard and boarding.guard_says_go(boarded):
            self.guard_passed = True
            self._return(boarded.tick)
            return
        again, self._tried = self._tried, True
        if again and (settled := self._gear.settling.resumed(self.cadence.name, boarded.run.id)) is not None:
            # An earlier try got as far as the commit: what it decided stands.
            self.settlement = settled
            return
        if not files.exists(f"{self._gear.home.claimed}/{boarded.tick.name.file}"):
            # An earlier try moved it, and met an error only then.
            self.settlement = self._gear.closing.delivered(boarded.tick.name, boarded.run.id)
            # Or a hand put it back into the queue while it ran: its end is this run's all the same.
            if self.settlement is not None or not self._gear.spool.take_back(boarded.tick.name):
                return
        self.settlement = landing.land(self._gear, boarded, report=report, end=end)


def _undo(boarded: Boarded) -> None:
    """Remove a run folder from which nothing was started."""
    for name in ("tick.json", "prompt.md", "run.json", runs.PENDING, "alive"):
        files.discard(boarded.run.file(name))
    try:
        os.rmdir(boarded.run.path)
    except OSError:
        return


def _errno_name(error: OSError) -> str:
    import errno  # noqa: PLC0415 - only on this sad path

    return errno.errorcode.get(error.errno or 0, "EIO")
