"""Settings of the whole bus. Their keys are read by `model/settings_keys`."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from cadencebus.model.runner import RUNNERS, Runner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Auth

MIB = 1 << 20
FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long things are kept."""

    done: float = 14 * 86400.0
    runs: float = 30 * 86400.0
    events: float = 90 * 86400.0
    dead: float = FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageGate:
    """Hold while a command says that the plan is nearly used up."""

    command: tuple[str, ...]
    hold_at: float = 90.0
    every: float = 60.0
    on_error: Literal["one_at_a_time", "hold", "ignore"] = "one_at_a_time"
    # Whose plan it is: only runs that use these credentials wait; None: every run.
    credentials: str | None = None


OnError = Literal["hold", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureGate:
    """Wait while somebody works interactively."""

    dir: str | None = None
    command: tuple[str, ...] | None = None
    delay: float = 30.0
    at_most: float = 600.0
    ttl: float = 300.0
    on_error: OnError = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGate:
    """Wait while the machine is busy."""

    max_per_core: float = 0.85
    on_error: OnError = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryGate:
    """Wait while memory is short."""

    min_free_mb: float = 500.0
    on_error: OnError = "ignore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What must be open for new runs to start."""

    usage: UsageGate | None = None
    pressure: PressureGate | None = None
    load: LoadGate | None = None
    memory: MemoryGate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Who hears of which events, by a command of one's own or one of the presets."""

    events: tuple[str, ...]
    command: tuple[str, ...] | None = None
    preset: str | None = None
    url: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Bus-wide settings."""

    max_sessions: int = 2
    max_inline: int = 4
    settle: float = 2.0
    unknown_grace: float = 30.0
    max_tick_bytes: int = MIB
    max_inbox: int = 0
    max_log_bytes: int = 64 * MIB
    retention: Retention = field(default_factory=Retention)
    auth: Auth = "auto"
    max_usd_per_day: float | None = None
    runners: Mapping[str, Runner] = field(default_factory=lambda: MappingProxyType(RUNNERS))
    gates: Gates = field(default_factory=Gates)
    notify: tuple[Notice, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def credentials_of(self, runner: str) -> str:
        """The credentials that a runner uses; an unknown runner's are called like itself."""
        known = self.runners.get(runner)
        return known.credentials if known else runner

    def stream_of(self, runner: object) -> str:
        """How the output of a runner is read, named as run.json does; `plain` where nobody knows it."""
        known = self.runners.get(str(runner))
        return known.stream if known else "plain"
