"""Cadences: files that don't parse, prompts that are missing, runners nobody knows, programs not found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.checkup import programs
from cadencebus.checkup.finding import found
from cadencebus.errors import CadenceError
from cadencebus.model.naming import is_cadence
from cadencebus.model.wording import count, some
from cadencebus.store.config import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient
    from cadencebus.model.cadence import Cadence


def settings(patient: Patient) -> Iterator[Finding]:
    """cadence.yaml, and what the environment lays over it."""
    try:
        load_settings(patient.home)
    except CadenceError as error:
        yield found("settings.broken", error.message, error.next_step)
    except OSError as error:
        yield found("settings.broken", f"cadence.yaml: {error.strerror}")


def notices(patient: Patient) -> Iterator[Finding]:
    """Notices in cadence.yaml whose program is missing."""
    for problem in programs.mute_notices(patient.settings, patient.home):
        yield found("notice.missing", f"cadence.yaml: {problem}")


def prompts(patient: Patient) -> Iterator[Finding]:
    """Every file in prompts/, and every name that waits for one."""
    names = patient.prompts.names()
    for name in names:
        try:
            patient.prompts.load(name)
        except CadenceError as error:
            yield found("cadence.broken", error.message, error.next_step)
        except OSError as error:
            yield found(
                "cadence.broken", f"prompts/{name}.md: {error.strerror}", f"ls -l {patient.home.prompt(name)}"
            )
    if os.path.isdir(patient.home.prompts):
        for file in sorted(os.listdir(patient.home.prompts)):
            if file.endswith(".md") and file[0] not in "._" and not is_cadence(file.removesuffix(".md")):
                yield found("prompt.odd_name", f"prompts/{file} has no name that a cadence may have")
        if not names:
            yield found("cadence.none", "there is no cadence")
        for name, number in sorted(patient.waiting.items()):
            if name not in names:
                what = f"{_waits(number, name)}, and prompts/{name}.md does not exist"
                yield found(
                    "cadence.unknown", what, f"put prompts/{name}.md back, or: cadence rm --cadence {name}"
                )


def tasks(patient: Patient) -> Iterator[Finding]:
    """Tasks of HEARTBEAT.md that make no sense: they never fire."""
    for problem in patient.prompts.heartbeat.problems():
        yield found("cadence.broken", str(problem), "fix HEARTBEAT.md, then cadence check")


def _waits(number: int, name: str) -> str:
    return f"{count(number, 'tick')} of {name} {'waits' if number == 1 else 'wait'}"


def contents(patient: Patient) -> Iterator[Finding]:
    """What is no mistake in the file, but would go wrong in a run."""
    known = set(patient.prompts.names())
    for cadence in patient.cadences.values():
        for name in (*cadence.then, *((cadence.on_dead,) if cadence.on_dead else ())):
            if name not in known:
                yield found(
                    "follow_up.unknown", f"prompts/{cadence.name}.md names {name}, which does not exist"
                )
        waiting = patient.waiting[cadence.name]
        if not cadence.enabled and waiting:
            yield found(
                "cadence.disabled",
                f"{_waits(waiting, cadence.name)}, and it is disabled",
                f"say enabled: true in prompts/{cadence.name}.md",
            )
        yield from _run_of(patient, cadence)


def _run_of(patient: Patient, cadence: Cadence) -> Iterator[Finding]:
    runner = patient.settings.runners.get(cadence.runner)
    if runner is None:
        known = some(sorted(patient.settings.runners), 8)
        yield found(
            "runner.unknown", f"prompts/{cadence.name}.md: no runner {cadence.runner!r}; known are {known}"
        )
        return
    program = programs.resolve(cadence, runner, patient.home)
    if program.problem:
        found_ = found("program.missing", f"{cadence.name}: {program.problem}")
        yield found_ if cadence.enabled else found_.at("note")
    if runner.agent and not cadence.prompt.strip():
        yield found("prompt.empty", f"the prompt of {cadence.name} is empty")
