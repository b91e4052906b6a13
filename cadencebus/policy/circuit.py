"""The breaker of one cadence: closed, open (a hold stands), half-open (the hold is over, one probe may go).

The hold file alone says *held until*; the memory keeps the streak and the length of the last opening.
So there is no state to get out of step: open in memory without a hold is half-open.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model.hold import Hold, on_cadence
from cadencebus.model.memory import Circuit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import CircuitRules
    from cadencebus.model.memory import CadenceMemory


def half_open(memory: CadenceMemory, *, held: bool) -> bool:
    """Whether exactly one run of the cadence may go, to prove it well again."""
    return memory.circuit is not None and not held


def after_failure(
    memory: CadenceMemory, rules: CircuitRules, failures: int, *, probe: bool, now: float, reason: str
) -> Circuit | None:
    """The circuit after one more counted failure: opened, opened longer, or left as it is (None: closed)."""
    open_now = memory.circuit
    if not rules.failures:
        return None
    if open_now and probe:
        return _opened(open_now.since, min(2 * open_now.length, rules.max_open), failures, now, reason)
    if open_now:
        # A run that had started before the circuit opened: it says nothing new.
        return replace(open_now, failures=failures)
    if failures >= rules.failures:
        return _opened(now, min(rules.open, rules.max_open), failures, now, reason)
    return None


def after_nothing_proved(circuit: Circuit, now: float) -> Circuit:
    """A probe that proved nothing gives its permit back after the last open length."""
    return replace(circuit, until=now + circuit.length)


def _opened(since: float, length: float, failures: int, now: float, reason: str) -> Circuit:
    return Circuit(since=since, until=now + length, length=length, failures=failures, reason=reason)


def hold_for(cadence: str, circuit: Circuit, now: float) -> Hold:
    """The hold that an open circuit stands for."""
    return Hold(
        scope=on_cadence(cadence),
        reason="circuit_open",
        since=now,
        until=circuit.until,
        detail=f"{circuit.failures} failed runs in a row, the last: {circuit.reason}",
    )


def snapshot(circuits: Mapping[str, Circuit], now: float) -> dict[str, Any] | None:
    """`circuit-open.json`: the circuits whose window has not passed; None when there is none."""
    rows = [
        {
            "cadence": name,
            "since": rfc3339(circuit.since),
            "until": rfc3339(circuit.until),
            "failures": circuit.failures,
            "reason": circuit.reason,
        }
        for name, circuit in sorted(circuits.items())
        if circuit.until > now
    ]
    return {"at": rfc3339(now), "open": rows} if rows else None
