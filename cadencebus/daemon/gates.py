"""The gates at work: each asks now and then, and sets or releases one hold, for everybody to see."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cadencebus.daemon.bounded_command import run_bounded
from cadencebus.model.hold import BUS, Hold, hold_event, on_credentials
from cadencebus.model.legible import one_line
from cadencebus.model.settings import LoadGate, MemoryGate, PressureGate, UsageGate
from cadencebus.policy import gates
from cadencebus.policy.gates import Answer, Reading
from cadencebus.session import environment, machine
from cadencebus.store import files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cadencebus.daemon.gear import Gear

G = TypeVar("G")
# Equal to no settings, nor to None: so the hold of a former consumer's gate is looked at in any case.
_NEVER = object()
# How much longer a hold lasts than its gate's interval: a gate that is not asked again must not hold on.
_OUTLIVES = 30.0
# How long the first start waits for what commands say.
_AT_START = 2.0


class Gate(Generic[G]):
    """A chore: ask, then hold or let go; while no such gate is configured it is never due."""

    def __init__(
        self,
        gear: Gear,
        name: str,
        asks: Callable[[G], Awaitable[Answer]],
        every: Callable[[G], float] = lambda _: gates.LOOK_EVERY,
        scope: Callable[[G], str] = lambda _: BUS,
    ) -> None:
        self._gear = gear
        self.name = name
        self._asks = asks
        self._every = every
        self._scope = scope
        self._next = 0.0
        self._asked: G | object | None = _NEVER
        self._hold: Hold | None = None
        self.answer: Answer | None = None

    @property
    def settings(self) -> G | None:
        """How it is configured; None: there is no such gate."""
        return getattr(self._gear.settings.current.gates, self.name)  # type: ignore[no-any-return]

    def due_in(self) -> float:
        """Seconds until it is asked next; at once where its settings changed."""
        if self.settings != self._asked:
            return 0.0
        return math.inf if self.settings is None else self._next - self._gear.clock.monotonic()

    async def do(self) -> None:
        """Ask, and let the hold say what came of it."""
        gate = self._asked = self.settings
        if gate is None:
            self.answer = None
            await asyncio.to_thread(self._release)
            return
        self._next = self._gear.clock.monotonic() + self._every(gate)
        answer = await self._asks(gate)
        if answer.failing and not (self.answer and self.answer.failing):
            self._gear.say(f"gate {self.name}: {answer.detail}")
            self._gear.tell({"event": "gate.failing", "gate": self.name, "reason": answer.detail})
        elif not answer.failing and self.answer is not None and self.answer.failing:
            self._gear.say(f"gate {self.name} answers again: {answer.detail}")
            self._gear.tell({"event": "gate.well", "gate": self.name})
        self.answer = answer
        await asyncio.to_thread(self.apply, gate, answer)

    def ask_again(self) -> None:
        """Be due at once: it was asked, and nobody waited for the answer."""
        self._asked = _NEVER

    def apply(self, gate: G, answer: Answer) -> None:
        """Set the hold, lengthen it, or release it."""
        if not answer.shut:
            self._release()
            return
        now = self._gear.clock.wall()
        until = now + self._every(gate) + gates.ASKED_WITHIN + _OUTLIVES
        hold = Hold(
            scope=self._scope(gate),
            reason=self.name,
            since=now,
            until=until,
            detail=answer.detail,
            extra=answer.extra,
        )
        former = next((h for h in self._gear.holds.known if h.file == hold.file), None)
        if former is not None and now >= former.since:
            hold = replace(hold, since=former.since)
        if self._hold is not None and self._hold.file != hold.file:
            self._release()
        if self._gear.holds.spared(hold.file, now):
            return
        self._gear.holds.set(hold, durable=False)
        self._hold = hold
        if former is None or former.lets_through(now) != hold.lets_through(now):
            self._gear.tell({**hold_event("hold.set", hold.file), "detail": hold.detail})

    def _release(self) -> None:
        """Let go; a hold that a former consumer's gate left is released as well."""
        for hold in self._gear.holds.known:
            if hold.reason == self.name and hold.own and self._gear.holds.release(hold.file):
                self._gear.tell({**hold_event("hold.released", hold.file), "by": "consumer"})
        self._hold = None


def gates_of(gear: Gear) -> list[Gate[Any]]:
    """Every gate there is."""
    return [
        Gate(
            gear,
            "usage",
            _Usage(gear),
            lambda gate: gate.every,
            lambda gate: on_credentials(gate.credentials) if gate.credentials else BUS,
        ),
        Gate(gear, "pressure", _Pressure(gear), lambda gate: gate.delay),
        Gate(gear, "load", _load),
        Gate(gear, "memory", _memory),
    ]


async def prime(gear: Gear, all_gates: list[Gate[Any]]) -> None:
    """Ask before the first tick starts; for a command that takes its time, its policy stands in."""
    now = gear.clock.wall()
    standing = {hold.reason for hold in gear.holds.all(now) if not hold.over(now)}
    await asyncio.gather(*(_prime(gate, stands=gate.name in standing) for gate in all_gates))


async def _prime(gate: Gate[Any], *, stands: bool) -> None:
    """Ask one; if it hangs the bus starts without it, and what it has not said yet is not zero."""
    commanded = getattr(gate.settings, "command", None) is not None
    try:
        async with asyncio.timeout(_AT_START if commanded else None):
            await gate.do()
    except TimeoutError:
        gate.ask_again()
        # What a former consumer was told stands until it is asked again: a restart is no way around it.
        if isinstance(gate.settings, UsageGate) and not stands:
            await asyncio.to_thread(gate.apply, gate.settings, gates.usage(gate.settings, Reading()))


class _Usage:
    """Asks the command how much is used, and remembers the last good value."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._value: float | None = None
        self._at = 0.0

    async def __call__(self, gate: UsageGate) -> Answer:
        """The answer by the newest value, or by the last good one."""
        fault = ""
        answered = await run_bounded(gate.command, **_asking(self._gear))
        value = gates.utilisation(answered.said)
        if answered.fault:
            fault = answered.fault
        elif answered.code or value is None:
            said = one_line(answered.said.strip(), 120) or "nothing"
            fault = f"{gate.command[0]} said {said!r} (exit {answered.code}), which is not a percentage"
        else:
            self._value, self._at = value, self._gear.clock.monotonic()
        age = self._gear.clock.monotonic() - self._at
        return gates.usage(gate, Reading(value=self._value, age=age, fault=fault))


class _Pressure:
    """Looks who is at work, and for how long starts have waited for it."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._since: float | None = None

    async def __call__(self, gate: PressureGate) -> Answer:
        """The answer; starts that have waited long enough are let go, and then it begins anew."""
        who, fault = await self._who(gate)
        if self._since is None:
            self._since = self._began()
        answer = gates.pressure(gate, who, Reading(fault=fault), self._gear.clock.monotonic() - self._since)
        if not answer.shut:
            self._since = None
        return answer

    def _began(self) -> float:
        """When this waiting began: a restart does not make it begin again."""
        waited = 0.0
        for hold in self._gear.holds.known:
            if hold.reason == "pressure":
                waited = max(0.0, self._gear.clock.wall() - hold.since)
        return self._gear.clock.monotonic() - waited

    async def _who(self, gate: PressureGate) -> tuple[str | None, str]:
        if gate.dir is not None:
            now, root = self._gear.clock.wall(), self._gear.home.root
            try:
                return await asyncio.to_thread(_present, root, gate.dir, gate.ttl, now), ""
            except OSError as error:
                return None, f"{gate.dir}: {error.strerror}"
        command = gate.command or ()
        answered = await run_bounded(command, **_asking(self._gear))
        if answered.fault or answered.code not in {0, 1}:
            return None, answered.fault or f"{command[0]} ended with exit {answered.code}, neither 0 nor 1"
        return (one_line(answered.said.strip(), 60) or "somebody") if answered.code == 0 else None, ""


def _present(root: str, place: str, ttl: float, now: float) -> str | None:
    """The first whose presence file still counts; a folder that nobody made has nobody in it."""
    folder = os.path.join(root, os.path.expanduser(place))
    with contextlib.suppress(FileNotFoundError):
        for name in sorted(os.listdir(folder)):
            if not name.startswith(".") and _is_present(os.path.join(folder, name), ttl, now):
                return name
    return None


def _is_present(path: str, ttl: float, now: float) -> bool:
    """Whether this is a file that still counts; one that can't be read counts by its age."""
    said = b""
    try:
        at = os.stat(path)
        with contextlib.suppress(OSError, ValueError):
            said = files.read(path, 1 << 12)
    except OSError:
        # It is gone, or a link that leads nowhere: no reason not to look at the others.
        return False
    return stat.S_ISREG(at.st_mode) and gates.present(now - at.st_mtime, said.decode("utf-8", "replace"), ttl)


async def _load(gate: LoadGate) -> Answer:
    return gates.load(gate, await asyncio.to_thread(_measured, machine.load_per_core))


async def _memory(gate: MemoryGate) -> Answer:
    return gates.memory(gate, await asyncio.to_thread(_measured, machine.free_mb))


def _measured(measure: Callable[[], float]) -> Reading:
    try:
        return Reading(value=measure())
    except OSError as error:
        return Reading(fault=error.strerror or str(error))


def _asking(gear: Gear) -> dict[str, Any]:
    ours = {"CADENCE_HOME": gear.home.root}
    env = environment.environment(gear.environ, ours)
    return {"within": gates.ASKED_WITHIN, "cwd": gear.home.root, "env": env}
