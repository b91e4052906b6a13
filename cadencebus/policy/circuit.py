"""The breaker of one cadence: closed, open (a hold stands), half-open (the hold is over, one probe may go).

The hold file alone says *held until*; the memory keeps the streak and the length of the last opening.
So there is no state to get out of step: open in memory without a hold is half-open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model.hold import Hold, on_cadence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import CircuitRules


def half_open(memory: Mapping[str, Any], *, held: bool) -> bool:
    """Whether exactly one run of the cadence may go, to prove it well again."""
    return bool(memory.get("circuit")) and not held


def after_failure(
    memory: Mapping[str, Any], rules: CircuitRules, failures: int, *, probe: bool, now: float, reason: str
) -> dict[str, Any] | None:
    """The circuit after one more counted failure: opened, opened longer, or left as it is (None: closed)."""
    open_now = memory.get("circuit")
    if not rules.failures:
        return None
    if open_now and probe:
        return _opened(open_now["since"], min(2 * open_now["length"], rules.max_open), failures, now, reason)
    if open_now:
        # A run that had started before the circuit opened: it says nothing new.
        return {**open_now, "failures": failures}
    if failures >= rules.failures:
        return _opened(rfc3339(now), min(rules.open, rules.max_open), failures, now, reason)
    return None


def after_nothing_proved(circuit: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A probe that proved nothing gives its permit back after the last open length."""
    return {**circuit, "until": rfc3339(now + circuit["length"])}


def _opened(since: str, length: float, failures: int, now: float, reason: str) -> dict[str, Any]:
    return {
        "state": "open",
        "since": since,
        "until": rfc3339(now + length),
        "length": length,
        "failures": failures,
        "reason": reason,
    }


def hold_for(cadence: str, circuit: Mapping[str, Any], now: float) -> Hold:
    """The hold that an open circuit stands for."""
    return Hold(
        scope=on_cadence(cadence),
        reason="circuit_open",
        since=now,
        until=parse_rfc3339(circuit["until"]),
        detail=f"{circuit['failures']} failed runs in a row, the last: {circuit['reason']}",
    )


def snapshot(circuits: Mapping[str, Mapping[str, Any]], now: float) -> dict[str, Any] | None:
    """`circuit-open.json`: the circuits whose window has not passed; None when there is none."""
    rows = [
        {
            "cadence": name,
            "since": circuit["since"],
            "until": circuit["until"],
            "failures": circuit["failures"],
            "reason": circuit["reason"],
        }
        for name, circuit in sorted(circuits.items())
        if parse_rfc3339(circuit["until"]) > now
    ]
    return {"at": rfc3339(now), "open": rows} if rows else None
