"""Watching one run until its shim is gone; the shim itself enforces the time-out."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from cadencebus.daemon.probe import Probe
from cadencebus.daemon.tee import Tee
from cadencebus.model.ending import Stop
from cadencebus.model.hold import CONSUMER
from cadencebus.policy.deadlines import EndRun, Limits, LookAgain, Signs, judge
from cadencebus.session import life, process_tree, reap
from cadencebus.store import runs
from cadencebus.streams.parser import parser_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.ending import Report
    from cadencebus.store.runs import RunFolder

# How often a running session's logs are looked at; the bell reports its end at once.
GLANCE = 1.0
_SHORTEST = 0.1
_CHUNK = 1 << 20
_UNKILLABLE_AFTER, _BRIEFLY = 10.0, 1.0
_TRY_AGAIN = 5.0


def end_run(run: RunFolder, stop: Stop) -> bool:
    """Write down why a run is ended, then ask its shim to end it; the first writer's reason stands."""
    first = runs.write_ending(run, stop.dump())
    life.request_end(run.path)
    return first


class RunWatch:
    """The watch over one run."""

    def __init__(self, gear: Gear, boarded: Boarded, *, adopted: bool) -> None:
        self._gear = gear
        self._boarded = boarded
        self._run = boarded.run
        self._parser = parser_of(boarded.runner.stream)
        self._offset = 0
        self._tee = Tee(self._run.file("stderr.log"), boarded.cadence.name) if gear.verbose else None
        self._sizes = (0, 0)
        self._pace = 0.0
        self._looked_at = now = gear.clock.monotonic()
        # An adopted run is watched by the same hard deadline; its idle watch starts anew.
        self._last_output = now if adopted else boarded.monotonic
        self._ended = False
        self._probe = Probe(boarded, gear.home.root)
        self._unkillable: set[int] = set()

    async def until_it_ends(self, stuck: Callable[[], None]) -> Report | None:
        """Wait for the run's last process, or end the run where a limit says so; return what its stream told.

        `stuck` is called where a process of it survives even SIGKILL.
        """
        shim = self._boarded.shim.pid if self._boarded.shim else None
        bell = asyncio.ensure_future(self._gear.bell.ended(self._run.path, shim))
        try:
            while not bell.done():
                watched = [bell, *self._probe.asking]
                await asyncio.wait(watched, timeout=self._pause(), return_when=asyncio.FIRST_COMPLETED)
                if not bell.done():
                    await self._glance()
                    self._report_survivors(reap.survivors(self._run.path), stuck)
        finally:
            bell.cancel()
            await self._probe.close()
            with contextlib.suppress(asyncio.CancelledError):
                await bell
        await self._sweep(stuck)
        await self._catch_up()
        return self.told()

    def over_within(self, seconds: float) -> life.ExitRecord | None:
        """In a worker thread: how the run ended, if it does so soon, by itself, and leaves nothing behind."""
        shim, launcher = self._boarded.shim, self._gear.launcher
        if shim is not None and seconds:
            return launcher.over_within(shim, seconds)
        if shim is not None:
            launcher.let_go(shim)
        return None

    def told(self) -> Report | None:
        """What the stream of a run that is over has told."""
        if self._parser is None and self._tee is None:
            return None
        while self._read_on():
            pass
        if self._tee is not None:
            self._tee.finish()
        if self._parser is None:
            return None
        self._parser.finish()
        return self._parser.report

    def _pause(self) -> float:
        """Seconds until the next glance: fewer in a run's first second, and where its log is soon full."""
        most = self._gear.settings.current.max_log_bytes
        if self._ended or not most:
            return GLANCE
        age = self._looked_at - self._boarded.monotonic
        full_in = (most - max(self._sizes)) / self._pace if self._pace else GLANCE
        return min(max(min(full_in, age), _SHORTEST), GLANCE)

    async def _glance(self) -> None:
        before, looked_at = max(self._sizes), self._looked_at
        self._looked_at = self._gear.clock.monotonic()
        await self._catch_up()
        if self._ended:
            return
        self._pace = (max(self._sizes) - before) / max(self._looked_at - looked_at, _SHORTEST)
        decision = judge(self._limits(), self._signs(), self._gear.clock.monotonic())
        if isinstance(decision, LookAgain):
            now = self._gear.clock.monotonic()
            decision = self._probe.verdict(now - self._last_output, now) or decision
        if isinstance(decision, EndRun):
            await asyncio.to_thread(self.end, decision.klass, decision.detail)

    async def _catch_up(self) -> None:
        """Read the logs to their end, letting other runs go first between the pieces."""
        more = self._read_on()
        while more:
            await asyncio.sleep(0)
            more = self._read_on()

    def end(self, klass: str, detail: str) -> None:
        """Write down why, then ask the shim to end the run; the first writer's reason stands."""
        self._ended = True
        end_run(self._run, Stop(klass=klass, by=CONSUMER, at=self._gear.clock.wall(), detail=detail))

    def _limits(self) -> Limits:
        cadence = self._boarded.cadence
        return Limits(
            timeout=cadence.timeout,
            idle_timeout=cadence.idle_timeout,
            result_grace=cadence.result_grace,
            max_log_bytes=self._gear.settings.current.max_log_bytes,
        )

    def _signs(self) -> Signs:
        report = self._parser.report if self._parser else None
        return Signs(
            started=self._boarded.monotonic,
            last_output=self._last_output,
            log_bytes=max(self._sizes),
            believed_until=report.believed_until if report else None,
            result_at=report.result_seen_at if report else None,
        )

    def _read_on(self) -> bool:
        """Take in what the logs have grown by; True while there is more."""
        sizes = (_size(self._run.file("stdout.log")), _size(self._run.file("stderr.log")))
        now = self._gear.clock.monotonic()
        if sizes != self._sizes:
            self._sizes, self._last_output = sizes, now
        if self._tee is not None:
            self._tee.read_on(sizes[1])
        if self._parser is None or self._offset >= sizes[0]:
            return False
        data = runs.read_at(self._run.file("stdout.log"), self._offset, _CHUNK)
        self._offset += len(data)
        self._parser.feed(data, now)
        return bool(data) and self._offset < sizes[0]

    async def _sweep(self, stuck: Callable[[], None]) -> None:
        """Kill what is left of the run, unless its shim did: it can't if it was killed, or outside Linux."""
        note = life.read_alive(self._run.path)
        if note is not None and note.swept:
            return
        known = reap.outlived(self._run.path)
        # Where its shim has named survivors, it has tried for this long already.
        within = _BRIEFLY if known else _UNKILLABLE_AFTER
        known += reap.led_by(note) if note is not None else []
        while True:
            result = await asyncio.to_thread(reap.sweep, self._run.id, within, known)
            self._name_leftovers(result)
            if not result.survivors:
                return
            self._report_survivors([left.pid for left in result.survivors], stuck)
            within, known = _BRIEFLY, [left.identity for left in result.survivors]
            await asyncio.sleep(_TRY_AGAIN)

    def _report_survivors(self, survivors: list[int], stuck: Callable[[], None]) -> None:
        """Report that the run can't be ended: it keeps its tick while it lives, but no slot."""
        if set(survivors) <= self._unkillable:
            return
        self._unkillable |= set(survivors)
        names = ", ".join(f"{pid} ({process_tree.describe(pid)['name']})" for pid in survivors)
        self._gear.say(f"{self._run.id}: unkillable: {names} survived SIGKILL")
        stuck()

    def _name_leftovers(self, result: reap.SweepResult) -> None:
        """Name in `leaked.json` what outlived the session; where a run has no end, that is the session."""
        leaked = result.killed and life.exit_record(self._run.path) is not None
        if not (leaked or result.survivors or reap.survivors(self._run.path)):
            return
        with contextlib.suppress(OSError, ValueError):
            reap.tell(self._run.path, result)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
