"""What is to be installed: where the bus lives on this machine, and what a service manager fires."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.model.duration import in_digits

if TYPE_CHECKING:
    from cadencebus.model.cronline import CronLine

_SLUG = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
_SLUG_MOST = 24


class Inexpressible(ValueError):
    """A schedule that a service manager has no words for; the bus's own clock keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A bus on this machine: its home, how its program is started, with which PATH, where logs go."""

    home: str
    program: tuple[str, ...]
    path: str
    logs: str

    def __post_init__(self) -> None:
        """Refuse what would be written into units that mean something else."""
        for what, text in (("home", self.home), ("program", self.program[0]), ("log folder", self.logs)):
            if not text.startswith("/"):
                raise ValueError(f"the {what} must be an absolute path, not {text!r}")
        for text in (self.home, self.path, self.logs, *self.program):
            # A line break would start a new line of the unit; no format here can escape it.
            if not text.isprintable():
                raise ValueError(f"control characters can't be written into a unit: {text!r}")

    @property
    def slug(self) -> str:
        """A short name that no other home on this machine has: `mail-3fa91c2b`."""
        last = self.home.rstrip("/").rpartition("/")[2].lower()
        words = "".join(c if c in _SLUG else " " for c in last).split()
        plain = "-".join(words)[:_SLUG_MOST].strip("-") or "bus"
        return f"{plain}-{hashlib.sha256(self.home.encode()).hexdigest()[:8]}"

    @property
    def environment(self) -> dict[str, str]:
        """What the consumer needs around it."""
        return {"CADENCE_HOME": self.home, "PATH": self.path}


@dataclass(frozen=True, slots=True, kw_only=True)
class Producer:
    """A cadence to be fired from outside: a cron line or an interval, and what is promised about it.

    `zone` is the one that the cadence names, None for the machine's own; `delay` its own share of the jitter.
    """

    name: str
    line: CronLine | None = None
    every: float | None = None
    zone: str | None = None
    catch_up: str = "one"
    jitter: float = 0.0
    delay: float = 0.0

    def argv(self, site: Site, source: str, *, delayed: bool = True) -> tuple[str, ...]:
        """The command that puts its tick in; a delay waits in deferred/, not in a sleeping process."""
        wait = ("--in", f"{in_digits(self.delay)}s") if delayed and self.delay else ()
        return (*site.program, "enqueue", self.name, "--source", source, *wait)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A file to install, and the promises of the cadence that it can't keep."""

    file: str
    text: str
    caveats: tuple[str, ...] = ()
