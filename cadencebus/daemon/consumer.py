"""The consumer: one turn is a function of what is on disk and of the time."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from cadencebus.daemon.checkin import Rejected
from cadencebus.daemon.chores import Chores, chores_of
from cadencebus.daemon.crew import Crew
from cadencebus.daemon.disk import Disk
from cadencebus.daemon.flight import Flight
from cadencebus.daemon.gates import gates_of, prime
from cadencebus.daemon.hold_causes import HoldCauses
from cadencebus.daemon.hold_keeper import HoldKeeper
from cadencebus.daemon.index import Calendar, Index
from cadencebus.daemon.intake import Intake
from cadencebus.daemon.lineup import Lineup
from cadencebus.daemon.lookout import Lookout
from cadencebus.daemon.notifier import Notifier
from cadencebus.daemon.presence import Presence
from cadencebus.daemon.recovery import Adoptee, Recovery
from cadencebus.daemon.retelling import Retelling
from cadencebus.daemon.sideline import Sideline
from cadencebus.daemon.starvation import Starvation
from cadencebus.model.naming import same_id
from cadencebus.policy.admit import Admission, Caps, Waiting, admit
from cadencebus.store import files

if TYPE_CHECKING:
    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.hold import Hold


class Consumer:
    """Takes ticks through their life."""

    def __init__(self, gear: Gear) -> None:
        self.gear = gear
        self.index = Index()
        self.calendar = Calendar()
        self.flights: dict[str, Flight] = {}
        # What waits for one of them to be over, since it has the same id under another name.
        self._behind: dict[str, list[str]] = {}
        self.presence = Presence(gear)
        self.hold_keeper = HoldKeeper(gear, self._told, self.presence.snapshot_circuits)
        self.lineup = Lineup(gear, self.index, self.hold_keeper)
        self.intake = Intake(
            gear.spool,
            self.index,
            self.calendar,
            gear.clock,
            own_priority=self.lineup.own_priority,
            running_as=self._running_as,
            look_after=self._look_after,
            tell=self._told,
        )
        self.lookout = Lookout(gear, self.index, self.calendar, self.intake, self._told)
        self.sideline = Sideline(gear, self.index)
        self.admission = Admission(())
        self.stopping = False
        # `run --once`: only what its first starts led to may still start.
        self.last_orders = False
        self.bell = asyncio.Event()
        self.failure: BaseException | None = None
        self._events: list[dict[str, Any]] = []
        self.crew = Crew(self._failed)
        self.retelling = Retelling(gear, lambda: self.stopping)
        self.gates = gates_of(gear)
        self.starvation = Starvation(gear)
        self.notifier = Notifier(gear)
        self._chores = Chores(gear, self.crew, [*self.gates, self.notifier, *chores_of(gear)])
        self._disk = Disk(gear, self.crew.take_on, self.lookout.look_anew)
        gear.trouble = self._disk.trouble
        gear.wake = self.bell.set
        gear.running_count = lambda: sum(not f.running.landing for f in list(self.flights.values()))
        gear.crowded = lambda: self.admission.crowded

    async def begin(self) -> None:
        """Mend what a former consumer left, adopt what still runs, then be ready for the first turn."""
        self._disk.forget_former()
        recovery = Recovery(self.gear, self.index, self.calendar)
        adoptees = await asyncio.to_thread(recovery.run)
        self.intake.settle = self.gear.settings.current.settle
        await asyncio.to_thread(self.intake.priorities.begin)
        self._flush()
        self._adopt(adoptees)
        self.lookout.all_seen(recovery.strangers, recovery.misplaced)
        await prime(self.gear, self.gates)
        # `run --once` has one turn: holds whose cause is gone since the last consumer are released before it.
        await HoldCauses(self.gear).catch_up()
        self.presence.snapshot_circuits()
        running = (tick.name.file for tick, _, _ in adoptees)
        unfinished = chain(self.index.names(), self.calendar.names(), list(running))
        self.crew.take_on(self.retelling.do(unfinished))

    def _adopt(self, adoptees: list[Adoptee]) -> None:
        for tick, cadence, run in adoptees:
            if run is not None:
                flight = Flight(self.gear, tick.name.file, cadence, self.lineup.running(cadence))
                if cadence.overlap == "skip":
                    # What waits already did not come during this run.
                    self.index.pass_over(cadence.name)
                self._launch(flight, flight.adopt(tick, run))

    def turn(self) -> None:
        """Look, decide, begin: everything that may start now is started."""
        now = self.gear.clock.wall()
        if problem := self.gear.settings.refresh():
            self.gear.say(problem)
        self.gear.spool.max_tick_bytes = self.gear.settings.current.max_tick_bytes
        self.intake.settle = self.gear.settings.current.settle
        if not self._disk.well:
            # Any look would be refused again now; once the disk is well, all is looked at anew.
            return
        try:
            # Who absorbs reads files beside the loop: their names stay as they are for so long.
            self.lookout.take_up(now, rename=not self.sideline.busy)
            self.lookout.rescan(self._recover_strays)
            if not self.stopping:
                self._start_what_may(now)
                # After the look at the holds: some chores are only due while there is one.
                self._chores.begin()
            self._flush()
        except OSError as error:
            self.disk_refused(error)

    def _recover_strays(self) -> None:
        """Recover ticks in claimed/ without a flight: put there by hand, or left by a disk that refused."""
        if not self.stopping and not self.sideline.busy:
            self._adopt(Recovery(self.gear, self.index, self.calendar).strays(self.flights))

    def _start_what_may(self, now: float) -> None:
        if files.exists(self.gear.home.stop):
            self.admission = Admission((), self.lineup.stopped())
            return
        settings = self.gear.settings.current
        caps = Caps(sessions=settings.max_sessions, inline=settings.max_inline)
        self._skip_what_came()
        holds = self.hold_keeper.in_force(now)
        while True:
            waiting = self.lineup.heads(self.flights, holds, now)
            if self.hold_keeper.changed():
                holds = self.hold_keeper.in_force(now)
                continue
            self.admission = self._admit(waiting, holds, caps, now)
            if self.lineup.urgent(self.admission.waits):
                self.admission = self._admit(self.lineup.line(), holds, caps, now)
            for file, fault in self.lineup.doomed():
                self.intake.bury_unknown(file, fault)
                # What is left, or turned out to be another cadence's, is looked at without waiting for more.
                self.bell.set()
            self.admission = Admission(self.admission.starts, {**self.admission.waits, **self.lineup.waits})
            begun = [self._begin(head) for head in self.admission.starts]
            # Ask again at once where one more of the same cadence may start; for others nothing has changed.
            if all(begun) and not any(head.force or head.concurrency > 1 for head in self.admission.starts):
                self.starvation.look(self.admission.waits)
                return

    def _admit(self, waiting: list[Waiting], holds: list[Hold], caps: Caps, now: float) -> Admission:
        if self.last_orders:
            waiting = [head for head in waiting if self.lineup.expected(head)]
        running = [flight.running for flight in self.flights.values()]
        return admit(waiting, running, holds, caps, now=now)

    def _begin(self, head: Waiting) -> bool:
        """Start a tick; False where its cadence has just changed, so that all is to be looked at anew."""
        cadence = self.lineup.cadence(head.cadence)
        if cadence is None:
            return False
        self.index.discard(head.file)
        if (running_as := self._running_as(head.file)) is not None:
            self._look_after(running_as, head.file)
            return False
        guard = cadence.guard is not None and not self.lineup.guard_passed(head.file)
        running = replace(self.lineup.running(cadence), inline=head.inline)
        flight = Flight(self.gear, head.file, cadence, running)
        self.lineup.started(head.cadence)
        self.starvation.started(head.cadence)
        if cadence.overlap != "coalesce":
            # What waits now waited before this run; what comes from here on comes during it.
            self.index.pass_over(cadence.name)
        self._launch(
            flight,
            flight.fly(
                stopped=lambda: self.stopping or files.exists(self.gear.home.stop),
                probe=head.half_open,
                guard=guard,
                alone=lambda: not self.index.count(cadence.name),
                absorb=self._absorb,
            ),
        )
        return True

    def _running_as(self, file: str) -> str | None:
        """The name of the running tick that has the same id; None where none has."""
        return next((running for running in self.flights if same_id(file, running)), None)

    def _look_after(self, running: str, file: str) -> None:
        """Look at a file when the run of its id is over: only then it shows whether it is the same tick."""
        if file != running:
            self._behind.setdefault(running, []).append(file)

    def _absorb(self, boarded: Boarded) -> asyncio.Task[None]:
        """Let a run that has just started stand for the equal ticks that wait now."""
        fresh = self.index.take_fresh(boarded.cadence.name)
        return self.crew.take_on(self.sideline.absorb(boarded, fresh))

    def _skip_what_came(self) -> None:
        """`overlap: skip`: what came during a run is finished without one."""
        for flight in list(self.flights.values()):
            name = flight.cadence.name
            if flight.cadence.overlap != "skip" or not flight.airborne:
                continue
            came = [file for file in self.index.take_fresh(name) if self.index.discard(file)]
            if came:
                self.crew.take_on(self.sideline.skip(name, came))

    def disk_refused(self, error: OSError) -> None:
        """Hold until the disk is well again; nothing is lost, all is looked at anew."""
        self.crew.take_on(self._disk.trouble(error))

    def _launch(self, flight: Flight, flying: Any) -> None:  # noqa: ANN401 - a coroutine
        self.flights[flight.file] = flight
        self.crew.take_on(self._follow(flight, flying))

    async def _follow(self, flight: Flight, flying: Any) -> None:  # noqa: ANN401
        try:
            await flying
        except Rejected as rejected:
            self.intake.bury(flight.file, rejected.fault)
        except OSError as error:
            self.disk_refused(error)
            await asyncio.to_thread(self.gear.settling.forget, flight.cadence.name, flight.file)
            # Where not even that can be seen, the rescan after the trouble finds it.
            with contextlib.suppress(OSError):
                flight.returned |= files.exists(f"{self.gear.home.inbox}/{flight.file}")
        finally:
            del self.flights[flight.file]
            self._landed(flight)
            self.bell.set()

    def _landed(self, flight: Flight) -> None:
        self.lineup.landed(flight.cadence.name, flight.file, turned_away=flight.turned_away)
        for file in self._behind.pop(flight.file, ()):
            self.index.add(file)
        if flight.turned_away and not self.stopping:
            self.crew.take_on(self.sideline.turn_away(flight.cadence))
        if flight.guard_passed:
            self.lineup.let_pass(flight.file)
        settlement = flight.settlement
        back = flight.returned or (settlement is not None and settlement.target == "inbox")
        if back and not self.stopping:
            self.index.add(flight.file)
        if settlement is not None and (settlement.releases or settlement.holds):
            self.presence.snapshot_circuits()
        if settlement is not None:
            self.presence.noticed(flight, settlement)

    def _failed(self, error: BaseException) -> None:
        self.gear.say(f"a fault of cadencebus itself, the rest goes on: {error!r}")
        self._told({"event": "consumer.fault", "reason": repr(error)[:500]})
        self.failure = error
        self.bell.set()

    def _told(self, event: Any) -> None:  # noqa: ANN401
        self._events.append({**event})

    def _flush(self) -> None:
        if self._events:
            self.gear.journal.write(self.gear.clock.wall(), self._events)
            self._events = []

    def next_look(self) -> float:
        """Seconds until something is due by itself, at most until the next rescan."""
        if not self._disk.well:
            return max(0.01, self.presence.due_in())
        now = self.gear.clock.wall()
        times = [self.lookout.due_in(), self.presence.due_in()]
        if not self.stopping:
            times.append(self._chores.due_in())
        if (first := self.calendar.first()) is not None:
            times.append(self.lineup.seconds_until(first[:23], now))
        times += [wait.until - now for wait in self.admission.waits.values() if wait.until is not None]
        # A hold ends in time even where nothing waits for that: its file goes, and circuit-open.json changes.
        times += [end - now for hold in self.gear.holds.known if (end := hold.until) and end > now]
        return max(0.01, min(*times, self.lineup.grace_ends_in()))

    def idle(self) -> bool:
        """Whether no part of the consumer is busy with a tick."""
        aside = self.sideline.busy or self._chores.busy
        return not self.flights and not aside and not self.lookout.pending and self._disk.well

    def busy(self) -> bool:
        """Whether some thread is in the middle of moving a tick."""
        return self.sideline.busy > 0 or any(flight.critical for flight in self.flights.values())
