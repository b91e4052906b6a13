"""What a service manager is to be given: the consumer, and a producer for each cadence that it can fire."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cadencebus.units import crontab, launchd, systemd
from cadencebus.units.site import Inexpressible, Unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cadencebus.units.site import Producer, Site

Manager = Literal["launchd", "systemd", "cron"]
MANAGERS: tuple[Manager, ...] = ("launchd", "systemd", "cron")
# The one file of cron; what stands in it for this home is the text between the markers.
CRONTAB = "crontab"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The files, which cadences they fire, and which are left to the bus's own clock, with why."""

    units: tuple[Unit, ...]
    fires: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)
    caveats: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def plan(manager: Manager, site: Site, producers: Sequence[Producer]) -> Plan:
    """Render everything; Inexpressible where not even the consumer's unit can be written."""
    units: list[Unit] = []
    fires: list[Producer] = []
    left: dict[str, str] = {}
    caveats: dict[str, tuple[str, ...]] = {}
    for wanted in producers:
        try:
            made = _producer(manager, site, wanted)
        except Inexpressible as error:
            left[wanted.name] = str(error)
            continue
        fires.append(wanted)
        units += made
        if found := tuple(caveat for unit in made for caveat in unit.caveats):
            caveats[wanted.name] = found
    return Plan(
        units=(consumer_of(manager, site, fires), *(units if manager != "cron" else ())),
        fires=tuple(wanted.name for wanted in fires),
        left=left,
        caveats=caveats,
    )


def consumer_of(manager: Manager, site: Site, fires: Sequence[Producer] = ()) -> Unit:
    """The unit that keeps the consumer up; for cron, which has but one file, with all that it fires."""
    if manager == "cron":
        return Unit(file=CRONTAB, text=crontab.crontab(site, fires))
    return launchd.consumer(site) if manager == "launchd" else systemd.consumer(site)


def is_ours(manager: Manager, site: Site, file: str) -> bool:
    """Whether a file bears a name that only this home's units have."""
    stem, _, kind = file.rpartition(".")
    if manager == "launchd":
        return kind == "plist" and (stem == launchd.label(site) or stem.startswith(f"{launchd.label(site)}."))
    whole = systemd.unit_name(site)
    return kind in {"service", "timer"} and (stem == whole or stem.startswith(f"{whole}-"))


def fired_by(manager: Manager, site: Site, file: str) -> str | None:
    """The cadence that a unit of ours fires; None for the consumer."""
    stem = file.rpartition(".")[0]
    if manager == "launchd":
        return stem.removeprefix(f"{launchd.label(site)}.") if stem != launchd.label(site) else None
    return stem.removeprefix(f"{systemd.unit_name(site)}-") if stem != systemd.unit_name(site) else None


def trigger(manager: Manager, site: Site, cadence: str) -> str:
    """The file by which the manager knows when a cadence is due."""
    if manager == "launchd":
        return f"{launchd.label(site, cadence)}.plist"
    return CRONTAB if manager == "cron" else f"{systemd.unit_name(site, cadence)}.timer"


def _producer(manager: Manager, site: Site, wanted: Producer) -> tuple[Unit, ...]:
    if manager == "launchd":
        return (launchd.producer(site, wanted),)
    if manager == "systemd":
        return systemd.producer(site, wanted)
    return (Unit(file=CRONTAB, text=crontab.producer_line(site, wanted), caveats=crontab.caveats(wanted)),)
