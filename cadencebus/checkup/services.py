"""Installed units: whether they are here, and still start what would be started now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.checkup.finding import found
from cadencebus.store.fired_outside import fired_outside
from cadencebus.store.stale_units import stale_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient


def units(patient: Patient) -> Iterator[Finding]:
    """Every unit that is stale, edited or gone."""
    for unit in stale_units(patient.home):
        yield found("unit.stale", unit.what, unit.cure)


def lost(patient: Patient) -> Iterator[Finding]:
    """Cadences that a service manager was to fire, and has no unit for: a home that was moved."""
    fired = fired_outside(patient.home)
    if fired.lost:
        yield found("producers.lost", fired.remark, fired.cure)
