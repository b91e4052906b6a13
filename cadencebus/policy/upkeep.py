"""The consumer has ended; now what? Started again after a while, parked for a person, or let go.

Told how long it lived and how it ended; asks neither a clock nor a process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from cadencebus.errors import Misconfigured, TryLater

FIRST_WAIT = 2.0
LONGEST_WAIT = 120.0
# A consumer that dies this soon has not begun to work.
QUICK = 10.0
QUICK_DEATHS = 5
# One that lived this long had no lasting trouble: the next wait is the first one again.
LONG_LIFE = 300.0
# The consumer beats every 30 s; after this long without a beat it hangs.
SILENT = 180.0
# Before its first beat it recovers and adopts, which takes longer the more there is.
STARTING = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What is remembered from one death to the next."""

    first: float = FIRST_WAIT
    wait: float = FIRST_WAIT
    quick: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Start it again, after some seconds."""

    after: float
    upkeep: Upkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Leave it alone until a person has looked."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """It ended as somebody wished: nothing is left to keep up."""

    reason: str


def after_death(upkeep: Upkeep, *, lived: float, code: int | None) -> Restart | Park | LetGo:
    """Decide; a negative code is a signal, None an end that nobody saw."""
    if code == 0:
        return LetGo(reason="it ended well, as it was asked to")
    if code == TryLater.exit_code:
        return LetGo(reason="another consumer is at work on this home")
    if code == Misconfigured.exit_code:
        return Park(reason="exit 78: the configuration needs a person")
    quick = upkeep.quick + 1 if lived < QUICK else 0
    if quick >= QUICK_DEATHS:
        return Park(reason=f"it died {quick} times in a row within {QUICK:g} s of its start ({spell(code)})")
    wait = upkeep.first if lived >= LONG_LIFE else upkeep.wait
    return Restart(after=wait, upkeep=replace(upkeep, wait=min(wait * 2, LONGEST_WAIT), quick=quick))


def hangs(silent: float, *, within: float, has_beaten: bool) -> bool:
    """Whether a consumer that has been silent for so long hangs."""
    return silent > (within if has_beaten else within * STARTING)


def spell(code: int | None) -> str:
    """How it ended, for people."""
    if code is None:
        return "nobody saw how"
    return f"signal {-code}" if code < 0 else f"exit {code}"
