"""A cadence: how the ticks of one name are run. Its keys are read by `model/cadence_keys`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["session", "inline", "guarded"]
Auth = Literal["auto", "subscription", "api-key"]
CatchUp = Literal["none", "one", "all"]
Overlap = Literal["queue", "coalesce", "skip"]
PayloadWay = Literal["append", "file", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Waits before further attempts: a list whose last repeats, or an exponential."""

    delays: tuple[float, ...] = (30.0, 120.0)
    initial: float | None = None
    multiplier: float = 2.0
    max: float | None = None
    jitter: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRules:
    """When the breaker opens, for how long, and how long at most."""

    failures: int = 3
    open: float = 1800.0
    max_open: float = 14400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """What proves that the work was done."""

    result: Literal["success", "any"] = "success"
    file: tuple[str, ...] = ()
    proof: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A part of the day, in minutes since midnight; it may pass midnight."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """One prompt file, read and checked."""

    name: str
    prompt: str = ""
    digest: str = ""
    description: str = ""
    enabled: bool = True
    mode: Mode = "session"
    guard: tuple[str, ...] | None = None
    runner: str = "claude"
    command: tuple[str, ...] | None = None
    auth: Auth | None = None
    model: str | None = None
    args: tuple[str, ...] = ()
    permission_mode: str | None = None
    allowed_tools: tuple[str, ...] = ()
    skip_permissions: bool = False
    slash: bool = False
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    schedule: str | None = None
    every: float | None = None
    once_at: float | None = None
    max_firings: int | None = None
    expires_at: float | None = None
    timezone: str | None = None
    catch_up: CatchUp = "one"
    jitter: float = 0.0
    overlap: Overlap = "coalesce"
    concurrency: int = 1
    priority: int = 5
    group: int | None = None
    active_hours: Hours | None = None
    exclusive: bool = False
    ttl: float | None = None
    dedupe_window: float = 86400.0
    timeout: float = 1800.0
    idle_timeout: float = 1200.0
    result_grace: float = 90.0
    kill_grace: float = 30.0
    retries: int = 2
    backoff: Backoff = field(default_factory=Backoff)
    circuit: CircuitRules = field(default_factory=CircuitRules)
    max_runs_per_hour: int | None = None
    pause_after: int = 0
    max_turns: int | None = None
    max_usd: float | None = None
    max_usd_per_day: float | None = None
    expect: Expect = field(default_factory=Expect)
    resume: bool = False
    payload: PayloadWay = "append"
    then: tuple[str, ...] = ()
    steps: tuple[Any, ...] = ()
    on_dead: str | None = None
    investigate: bool = False
    probe: tuple[str, ...] | None = None
    notify: tuple[str, ...] | None = None

    @property
    def path(self) -> str:
        """Its file, as it is named to people."""
        return f"prompts/{self.name}.md"
