"""The table of modes, and what each may be told."""

from __future__ import annotations

from dataclasses import dataclass, field

# name: (module in torturing, what it does)
MODES: dict[str, tuple[str, str]] = {
    "kill": ("kill", "SIGKILL before every system call of producer, consumer, shim and recovery"),
    "errors": ("errors", "ENOSPC, EIO, EMFILE, EAGAIN at every call, once and held; a full disk, no inodes"),
    "power": ("power", "states that a power cut may leave when unsynced operations are lost in any order"),
    "hostile": ("hostile", "an inbox full of rubbish, with healthy ticks in between"),
    "adopt": ("adopt", "kill and replace the consumer while sessions run"),
    "soak": ("soak", "sessions that misbehave at random under a consumer that is killed at random"),
    "stop": ("stop", "SIGSTOP and SIGCONT of consumer and sessions"),
    "clock": ("clock", "a wall clock that jumps by a day in either direction"),
    "mutants": ("seeded", "each mode must catch the faults that are put in on purpose"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a mode is run."""

    long: bool = False
    points: list[str] = field(default_factory=list)
    jobs: int = 2
    mutant: str | None = None
    seconds: float = 10.0
    seed: int = 1
    # With `long`: as many points as fit into so many seconds, in an order that the seed gives.
    within: float | None = None
