"""The whole examination: each check by itself, so that one that fails keeps no other from being made."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cadencebus.checkup import (
    agents,
    cadences,
    consumer,
    home,
    machine,
    recurring,
    services,
    state_files,
    strays,
)
from cadencebus.checkup.finding import ORDER, Finding, found
from cadencebus.errors import CadenceError
from cadencebus.model.legible import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cadencebus.checkup.patient import Patient


class Check(NamedTuple):
    """One thing to look at, and its name in a few words."""

    name: str
    look: Callable[[Patient], Iterator[Finding]]


MACHINE = (
    Check("Python and packages", machine.python),
    Check("the clock", machine.clock),
    Check("inotify and open files", machine.kernel),
)
HOME = (
    # The first three need no state/.
    Check("the home's layout", home.layout),
    Check("permissions", home.permissions),
    Check("disk and file system", home.file_system),
    Check("the clock and the journal", machine.clock_here),
    # Before the consumer, which it keeps away.
    Check("cadence.yaml", cadences.settings),
    Check("the consumer", consumer.consumer),
    Check("the supervisor", consumer.supervisor),
    Check("claims", strays.claims),
    Check("stray processes", strays.processes),
    Check("state files", state_files.state),
    Check("ticks", state_files.ticks),
    Check("folders", state_files.unreadable_folders),
    Check("leftovers", state_files.remains),
    Check("notices", cadences.notices),
    Check("prompts", cadences.prompts),
    Check("HEARTBEAT.md", cadences.tasks),
    Check("what cadences ask for", cadences.contents),
    Check("agents' programs", agents.versions),
    Check("credentials", agents.credentials),
    Check("units", services.units),
    Check("producers", services.lost),
    Check("time-outs", recurring.timeouts),
    Check("leaks", recurring.leaks),
    Check("failed notices", recurring.notices),
    Check("retention", recurring.tidiness),
)


def examine(patient: Patient, checks: Sequence[Check]) -> list[Finding]:
    """Everything that is found, the worst first."""
    findings: list[Finding] = []
    for check in checks:
        # What a check found before it failed counts.
        try:
            findings.extend(check.look(patient))
        except (CadenceError, OSError) as error:
            if patient.debug:
                raise
            said = error.message if isinstance(error, CadenceError) else f"{error.strerror}: {error.filename}"
            findings.append(found("check.cant_tell", f"can't tell about {check.name}: {said}"))
        except Exception as error:
            if patient.debug:
                raise
            said = one_line(f"{type(error).__name__}: {error}")
            findings.append(found("check.cant_tell", f"can't tell about {check.name}: {said}"))
    return sorted(dict.fromkeys(findings), key=lambda one: ORDER.index(one.level))


def mend(findings: Sequence[Finding]) -> tuple[list[Finding], list[str]]:
    """Do what is safe; what was mended, and what could not be."""
    mended, failed = [], []
    for one in findings:
        if one.mend is None:
            continue
        try:
            one.mend()
        except OSError as error:
            failed.append(f"{one.what}: {error.strerror}")
        else:
            mended.append(one)
    return mended, failed
