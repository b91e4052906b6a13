"""Turning until told to stop: the consumer's life from lock to exit."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cadencebus import __version__
from cadencebus.clock import rfc3339
from cadencebus.daemon import draining
from cadencebus.daemon.consumer import Consumer
from cadencebus.daemon.crew import ended
from cadencebus.daemon.lookout import RESCAN
from cadencebus.daemon.run_watch import end_run
from cadencebus.daemon.wakeups import Wakeups
from cadencebus.errors import IOTrouble, TryLater
from cadencebus.model import ending
from cadencebus.model.hold import OPERATOR
from cadencebus.session.identity import boot_id
from cadencebus.workers import Workers

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear

Mode = Literal["forever", "once", "drain"]
# SIGTERM is obeyed within two seconds, even on a busy machine: this much of it is for a commit in progress.
_LEAVE_WITHIN = 1.0
_A_MOMENT = 0.2
_LOOK_FOR_SIGNALS = 0.2
_TELL_WITHIN = 15.0
# Removing a file by hand causes no event; a drain may be waiting for just that.
_GONE_WITHIN = 1.0
# Threads that start and settle runs: as many as may do so at once without waiting for each other.
_WORKERS = 64


@dataclass(slots=True)
class Stop:
    """How the consumer is asked to go: leave the sessions, wait for them, or end them."""

    leave: bool = False
    wait: bool = False
    end: bool = False


async def run(
    gear: Gear, mode: Mode = "forever", *, duration: float | None = None, greeting: str = ""
) -> dict[str, str]:
    """Consume until told to stop or nothing is left; the answer is what only an operator can release."""
    gear.lasting = mode == "forever"
    consumer = Consumer(gear)
    started_at = gear.clock.wall()
    consumer.presence.picture = lambda: heartbeat(gear, consumer, started_at, __version__)
    stop = Stop()
    loop = asyncio.get_running_loop()
    workers = Workers(_WORKERS)
    loop.set_default_executor(workers)
    _obey_signals(loop, consumer, stop)
    # Not before the signal handlers are set: whoever reads it may send one.
    if greeting:
        gear.say(greeting)
    wakeups = Wakeups(gear.home, loop, consumer.lookout.ring, consumer.lookout.lost)
    # Watch first, look second: what arrives between is seen twice rather than never.
    wakeups.start()
    if wakeups.unwatched:
        gear.say(f"the system watches no more folders (inotify): a tick may wait {RESCAN:g} s to be seen")
    try:
        await asyncio.to_thread(gear.launcher.warm)
        until = None if duration is None else gear.clock.monotonic() + duration
        await _begin(consumer, stop, mode, until)
        consumer.presence.beat()
        stuck = await _turn_until(consumer, stop, mode, until)
        if not stop.leave:
            await _tell_all(consumer)
        await _leave(consumer)
        return stuck
    finally:
        wakeups.stop()
        gear.launcher.close()
        consumer.presence.leave()
        with contextlib.suppress(OSError):
            gear.tell({"event": "consumer.stopped", "pid": os.getpid()}, durable=True)
        gear.journal.close()
        if stop.leave:
            _exit_now(workers, mode)


def _exit_now(workers: Workers, mode: Mode) -> None:
    """Exit even if a thread hangs on a lock or a disk: being killed is safe anywhere, being late is not.

    A service has nothing more to say, and shutting the interpreter down takes seconds on a busy machine.
    """
    if not workers.wait_until_idle(_A_MOMENT) or mode == "forever":
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(os.EX_OK)


async def _begin(consumer: Consumer, stop: Stop, mode: Mode, until: float | None) -> None:
    """Recover, and try again for as long as the disk refuses: the bus must come back by itself afterwards."""
    while not stop.leave:
        try:
            consumer.gear.tell({"event": "consumer.started", "pid": os.getpid(), "version": __version__})
            await _recover(consumer, stop)
        except OSError as error:
            well = asyncio.ensure_future(consumer.gear.trouble(error))
            while not well.done() and not stop.leave:
                await asyncio.wait([well], timeout=_LOOK_FOR_SIGNALS)
                if mode == "once" and not well.done():
                    raise TryLater(
                        f"the state folder refuses: {error}", next_step="cadence doctor"
                    ) from error
                if stop.wait or (until is not None and consumer.gear.clock.monotonic() >= until):
                    stop.leave = True
            await ended([well])
        else:
            return


async def _recover(consumer: Consumer, stop: Stop) -> None:
    """Recover what a former consumer left, which may take long; a request to leave interrupts it."""
    recovery = asyncio.ensure_future(consumer.begin())
    while not stop.leave and not recovery.done():
        await asyncio.wait([recovery], timeout=_LOOK_FOR_SIGNALS)
    if recovery.done():
        recovery.result()
    else:
        await ended([recovery])


def _obey_signals(loop: asyncio.AbstractEventLoop, consumer: Consumer, stop: Stop) -> None:
    def term() -> None:
        stop.leave = consumer.stopping = True
        consumer.bell.set()

    def interrupt() -> None:
        if stop.wait:
            stop.end = True
        else:
            consumer.gear.say(
                "stopping: waiting for the sessions; once more to end them and requeue their ticks"
            )
        stop.wait = consumer.stopping = True
        consumer.bell.set()

    loop.add_signal_handler(signal.SIGTERM, term)
    # `nohup cadence run &`: what the parent has ignored for us stays ignored.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGHUP, term)
    loop.add_signal_handler(signal.SIGINT, interrupt)


async def _turn_until(consumer: Consumer, stop: Stop, mode: Mode, until: float | None) -> dict[str, str]:
    while not stop.leave:
        consumer.bell.clear()
        if consumer.gear.lost():
            raise IOTrouble(
                f"{consumer.gear.home.state} was removed or replaced: nothing there is ours any more"
            )
        consumer.turn()
        consumer.presence.beat()
        if consumer.failure is not None and mode != "forever":
            # A caller that waits for the end wants to know; a service goes on with what is not broken.
            raise consumer.failure
        if stop.end:
            await _end_all(consumer)
            stop.end = False
        if stop.wait and not consumer.flights:
            return {}
        if until is not None and consumer.gear.clock.monotonic() >= until:
            stop.leave = consumer.stopping = True
            return {}
        if mode == "once":
            # Everything that may start has been started: from here on only see it to its end.
            consumer.last_orders = True
            # What is no tick yet has its time to become one, or to be buried.
            if consumer.idle() and not consumer.intake.undecided():
                return {}
        if mode == "drain" and (stuck := draining.left_over(consumer)) is not None:
            return stuck
        await _pause(consumer, until, _GONE_WITHIN if mode == "drain" else math.inf)
    return {}


async def _pause(consumer: Consumer, until: float | None, at_most: float = math.inf) -> None:
    # Where the bell has been rung already, waiting for it would not let signals and ends of runs be handled.
    await asyncio.sleep(0)
    seconds = min(at_most, consumer.next_look())
    if until is not None:
        seconds = min(seconds, max(0.0, until - consumer.gear.clock.monotonic()))
    # A timer that rings the bell is cheaper than an exception for each turn that times out.
    alarm = asyncio.get_running_loop().call_later(seconds, consumer.bell.set)
    await consumer.bell.wait()
    alarm.cancel()


async def _end_all(consumer: Consumer) -> None:
    for flight in list(consumer.flights.values()):
        if flight.boarded is not None:
            stop = ending.Stop(
                klass="killed",
                by=OPERATOR,
                at=consumer.gear.clock.wall(),
                requeue=True,
                detail="the consumer was interrupted twice",
            )
            await asyncio.to_thread(end_run, flight.boarded.run, stop)


async def _tell_all(consumer: Consumer) -> None:
    """Send the notices and complete the journal now: there may be no other consumer for a long time."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_TELL_WITHIN):
            while consumer.notifier.due_in() < math.inf:
                await consumer.notifier.do()
            await consumer.retelling.hurry()


async def _leave(consumer: Consumer) -> None:
    """Let commits in progress finish, leave the sessions to the next consumer."""
    consumer.stopping = True
    deadline = consumer.gear.clock.monotonic() + _LEAVE_WITHIN
    while consumer.busy() and (left := deadline - consumer.gear.clock.monotonic()) > 0:
        # Each run that is settled rings; until then nothing can have changed.
        consumer.bell.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left):
                await consumer.bell.wait()
    await consumer.crew.dismiss()


def heartbeat(gear: Gear, consumer: Consumer, started_at: float, version: str) -> dict[str, Any]:
    """consumer.json: who the live consumer is and what it runs."""
    return {
        "pid": os.getpid(),
        "started_at": rfc3339(started_at),
        "version": version,
        "heartbeat_at": rfc3339(gear.clock.wall()),
        "boot_id": boot_id(),
        "monotonic": gear.clock.monotonic(),
        "slots": gear.settings.current.max_sessions,
        "running": [
            {"tick": flight.boarded.tick.id, "cadence": flight.cadence.name, "run": flight.boarded.run.id}
            for flight in consumer.flights.values()
            if flight.boarded is not None
        ],
        "gates": {
            gate.name: {
                "shut": gate.answer.shut,
                "failing": gate.answer.failing,
                "detail": gate.answer.detail,
            }
            for gate in consumer.gates
            if gate.answer is not None
        },
        "starving": consumer.starvation.starving,
    }
