"""Which cadences of a home a service manager could fire, and which only the bus's own clock can."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cadencebus.errors import CadenceError
from cadencebus.policy.timetable import timetable_of
from cadencebus.store.config import load_settings
from cadencebus.store.prompts import Prompts
from cadencebus.units.site import Producer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.store.paths import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Fireable:
    """The cadences that could be fired from outside, those left to the bus's clock with why, broken ones."""

    producers: tuple[Producer, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)


def fireable_cadences(home: Home) -> Fireable:
    """Look at every cadence of a home, and tell which a service manager could fire."""
    settings = load_settings(home)
    prompts = Prompts(home, lambda: settings.defaults)
    producers: list[Producer] = []
    left: dict[str, str] = {}
    broken: dict[str, str] = {}
    for name in prompts.in_folder():
        try:
            cadence = prompts.load(name)
            made, why = _producer(cadence)
        except (CadenceError, OSError, ValueError) as error:
            broken[name] = getattr(error, "message", str(error))
            continue
        if made is not None:
            producers.append(made)
        elif why:
            left[name] = why
    for name in set(prompts.names()) - set(prompts.in_folder()):
        # An agent rewrites its tasks as it goes: no unit would stay current for long.
        left[name] = "a task of HEARTBEAT.md"
    return Fireable(producers=tuple(producers), left=left, broken=broken)


def _producer(cadence: Cadence) -> tuple[Producer | None, str]:
    """The producer of a cadence, or why it has none; no word where nothing is scheduled at all."""
    timetable = timetable_of(cadence)
    if timetable is None:
        return None, ""
    if why := _only_ours(cadence):
        return None, why
    return (
        Producer(
            name=cadence.name,
            line=timetable.line,
            every=timetable.every,
            zone=cadence.timezone if timetable.line else None,
            catch_up=cadence.catch_up,
            jitter=cadence.jitter,
            delay=timetable.offset,
        ),
        "",
    )


def _only_ours(cadence: Cadence) -> str:
    if not cadence.enabled:
        return "it is not enabled"
    if cadence.once_at is not None:
        return "once_at: a single moment"
    if cadence.max_firings is not None:
        return "max_firings: only the bus counts"
    return "expires_at: only the bus knows when to end" if cadence.expires_at is not None else ""
