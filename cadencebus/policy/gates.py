"""What keeps new runs from starting although nothing of theirs is wrong: a plan, a person, the machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.model.duration import parse_duration, spell_duration

if TYPE_CHECKING:
    from cadencebus.model.settings import LoadGate, MemoryGate, PressureGate, UsageGate

# How long the command of a gate may take; then it is killed, and nothing is known.
ASKED_WITHIN = 10.0
# For how many failed questions the last good value stands in, and the least time that it does.
CARRIED_TIMES, CARRIED_AT_LEAST = 10, 600.0
# How often the cheap gates look, and how long a look at a person who works is good.
LOOK_EVERY = 10.0

_PERCENT = re.compile(r"(?<![\w.,+-])([0-9]{1,3}(?:\.[0-9]+)?)\s*%?(?![\w.])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a gate was last told, and how long ago; `fault` says why there is no newer value."""

    value: float | None = None
    age: float = 0.0
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a gate says: whether new runs wait, how many at a time still go, and what a person should know."""

    shut: bool
    detail: str
    at_most: int = 0
    failing: bool = False

    @property
    def extra(self) -> dict[str, Any]:
        """What the hold file says beside the usual."""
        return {"at_most": self.at_most} if self.at_most else {}


def utilisation(printed: str) -> float | None:
    """The per cent in what a usage command printed, on the last line that says anything; else None."""
    lines = [line for line in printed.splitlines() if line.strip()]
    found = _PERCENT.findall(lines[-1]) if lines else []
    # Two numbers on a line, and which one is meant is anybody's guess.
    return float(found[0]) if len(found) == 1 else None


def usage(gate: UsageGate, reading: Reading) -> Answer:
    """Hold near the end of the plan; what is unknown is never taken for zero."""
    failing = bool(reading.fault)
    known_for = max(CARRIED_TIMES * gate.every, CARRIED_AT_LEAST)
    if reading.value is not None and reading.age <= known_for:
        carried = f" ({spell_duration(reading.age)} ago; since then: {reading.fault})" if failing else ""
        detail = f"{reading.value:g} % of the plan is used, new runs wait from {gate.hold_at:g} %{carried}"
        return Answer(shut=reading.value >= gate.hold_at, detail=detail, failing=failing)
    why = f"how much of the plan is used is unknown: {reading.fault or 'nothing was told yet'}"
    if gate.on_error == "ignore":
        return Answer(shut=False, detail=f"{why} (on_error: ignore)", failing=failing)
    if gate.on_error == "hold":
        return Answer(shut=True, detail=f"{why} (on_error: hold)", failing=failing)
    return Answer(shut=True, detail=f"{why}; one session at a time", at_most=1, failing=failing)


def pressure(gate: PressureGate, who: str | None, reading: Reading, waited: float) -> Answer:
    """Let new starts wait while somebody works, but none for longer than `at_most` in all."""
    if reading.fault:
        return _failing("whether somebody works", reading.fault, gate.on_error)
    if who is None:
        return Answer(shut=False, detail="nobody is at work")
    if waited >= gate.at_most:
        said = f"{who} is at work, but {spell_duration(gate.at_most)} is the longest that starts wait for it"
        return Answer(shut=False, detail=said)
    return Answer(shut=True, detail=f"{who} is at work")


def present(age: float, said: str, ttl: float) -> bool:
    """Whether a presence file of this age counts; its first line may name its own time to live."""
    try:
        lasts = parse_duration(said.partition("\n")[0])
    except ValueError:
        lasts = ttl
    # One from the future is a clock that was set back: it counts no longer than one from now.
    return -lasts < age < lasts


def load(gate: LoadGate, reading: Reading) -> Answer:
    """Wait while the machine is busy."""
    if reading.value is None:
        return _failing("the machine's load", reading.fault, gate.on_error)
    detail = f"load {reading.value:.2f} per core, new runs wait above {gate.max_per_core:g}"
    return Answer(shut=reading.value > gate.max_per_core, detail=detail)


def memory(gate: MemoryGate, reading: Reading) -> Answer:
    """Wait while memory is short."""
    if reading.value is None:
        return _failing("how much memory is free", reading.fault, gate.on_error)
    detail = f"{reading.value:.0f} MB of memory are free, new runs wait below {gate.min_free_mb:.0f}"
    return Answer(shut=reading.value < gate.min_free_mb, detail=detail)


def _failing(what: str, fault: str, on_error: str) -> Answer:
    detail = f"{what} is unknown: {fault} (on_error: {on_error})"
    return Answer(shut=on_error == "hold", detail=detail, failing=True)
