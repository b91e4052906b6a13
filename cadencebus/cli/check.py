"""`cadence check`: validate every cadence, cadence.yaml and HEARTBEAT.md, and say what would run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.checkup import programs
from cadencebus.desk import collisions
from cadencebus.desk.columns import Column
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, Painted
from cadencebus.desk.snapshot import Snapshot
from cadencebus.errors import CadenceError, Misconfigured, NoSuch
from cadencebus.model.cadence_keys import KEYS
from cadencebus.model.naming import is_cadence
from cadencebus.model.runner import RUNNERS
from cadencebus.model.settings import Settings
from cadencebus.model.wording import count
from cadencebus.store.badfile import BadFile
from cadencebus.store.config import load_settings
from cadencebus.store.heartbeat_md import FILE as HEARTBEAT
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.runner import Runner
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence check
  cadence check prompts/brief.md cadence.yaml
  cadence check --json | jq -r '.problems[].text'"""
SETTINGS = "cadence.yaml"
_CROWDS = 3
COLUMNS = (Column("FILE"), Column("RUNNER"), Column("PROGRAM", wide=True), Column("VERSION", wide=True))


@dataclass(slots=True)
class Findings:
    """What a check brought to light."""

    checked: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    # Whether the settings could be read: which runners there are is not known otherwise.
    settled: bool = False

    def wrong(self, error: CadenceError) -> None:
        """Note what makes a file useless."""
        if isinstance(error, BadFile):
            self.problems += [problem.dump() for problem in error.problems]
        else:
            self.problems.append({"text": error.message})


def main(words: list[str], context: Context) -> int:
    """Check all, or the named files; exit 78 where something is wrong."""
    parser = Parser(
        "check",
        "Validate every cadence, cadence.yaml and HEARTBEAT.md. Exit 78 where something is wrong.",
        EXAMPLES,
    )
    parser.add_argument(
        "file", nargs="*", help="prompt files, cadence names, cadence.yaml or HEARTBEAT.md (default: all)"
    )
    asked = parser.parse_args(words)
    out, findings = Output(context), Findings()
    settings = _settings(context.home, findings)
    prompts = Prompts(context.home, lambda: settings.defaults)
    names = _names(asked.file, prompts, context.home, findings)
    for name in names:
        try:
            cadence = prompts.load(name)
        except CadenceError as error:
            findings.wrong(error)
        except OSError as error:
            findings.wrong(Misconfigured(f"prompts/{name}.md: {error.strerror}"))
        else:
            _check_contents(cadence, settings, prompts, context.home, findings)
            _check_ends(cadence, findings)
    _check_collisions(names, context.home, findings)
    _answer(out, findings)
    return Misconfigured.exit_code if findings.problems else 0


def _settings(home: Home, findings: Findings) -> Settings:
    try:
        settings = load_settings(home)
    except CadenceError as error:
        findings.wrong(error)
    except OSError as error:
        findings.wrong(Misconfigured(f"{SETTINGS}: {error.strerror}"))
    else:
        findings.settled = True
        if os.path.lexists(home.settings):
            findings.checked.append({"file": SETTINGS, "runner": None, "program": None, "version": None})
        findings.warnings += [f"{SETTINGS}: {problem}" for problem in programs.mute_notices(settings, home)]
        return settings
    return Settings()


def _names(asked: list[str], prompts: Prompts, home: Home, findings: Findings) -> list[str]:
    """The cadences to look at; what is wrong with HEARTBEAT.md as a file is noted on the way."""
    if not asked:
        findings.warnings += [
            f"prompts/{file}: no cadence: a name is a-z, 0-9, `.`, `_`, `-`, 64 at most"
            for file in sorted(os.listdir(home.prompts))
            if file.endswith(".md") and file[0] not in "._" and not is_cadence(file.removesuffix(".md"))
        ]
        return [*prompts.in_folder(), *_heartbeat_tasks(prompts, findings)]
    names: list[str] = []
    for word in asked:
        base = os.path.basename(word)
        name = base.removesuffix(".md")
        if base == HEARTBEAT and os.path.lexists(f"{home.root}/{HEARTBEAT}"):
            names += _heartbeat_tasks(prompts, findings)
        elif name == SETTINGS:
            continue
        elif prompts.defined(name):
            names.append(name)
        else:
            raise NoSuch(f"{word}: no cadence in {home.prompts}", next_step="cadence check")
    return names


def _heartbeat_tasks(prompts: Prompts, findings: Findings) -> list[str]:
    """The tasks of HEARTBEAT.md that make sense and are not beaten by a file of their name."""
    findings.problems += [problem.dump() for problem in prompts.heartbeat.problems()]
    files = set(prompts.in_folder())
    tasks = prompts.heartbeat.read().tasks
    findings.warnings += [
        f"{HEARTBEAT}:{task.line}: prompts/{task.name}.md has the same name, and wins"
        for task in tasks
        if task.name in files
    ]
    return [task.name for task in tasks if task.name not in files]


def _check_contents(
    cadence: Cadence, settings: Settings, prompts: Prompts, home: Home, findings: Findings
) -> None:
    """Warn of what is no error in the file, but would go wrong, or surprise, in a run."""
    where, runner = _where(cadence, home), settings.runners.get(cadence.runner)
    if runner is None:
        if findings.settled:
            findings.wrong(BadFile(prompts.unknown_runner(cadence, sorted(settings.runners))))
        return
    found = programs.resolve(cadence, runner, home)
    version = programs.version(found) if found.path and runner.agent else None
    findings.checked.append(
        {"file": where, "runner": runner.name, "program": found.path or found.word, "version": version}
    )
    if found.problem:
        findings.warnings.append(f"{where}: {found.problem}")
    findings.warnings += [
        f"{where}: {key}: there is no cadence {name!r}"
        for key, names in (("then", cadence.then), ("on_dead", (cadence.on_dead,) if cadence.on_dead else ()))
        for name in names
        if not prompts.defined(name)
    ]
    if not cadence.prompt.strip() and runner.agent:
        findings.warnings.append(f"{where}: its prompt is empty")
    findings.warnings += [f"{where}: {surprise}" for surprise in _surprises(cadence, runner)]


def _surprises(cadence: Cadence, runner: Runner) -> Iterator[str]:
    """What is written there, and does not do what one would think."""
    for key in ("steps", "investigate"):
        if getattr(cadence, key):
            yield f"{key}: not built yet, it changes nothing"
    # A blank line before the first --- makes all of it the prompt.
    first = cadence.prompt.partition(":")[0].strip(" \n-")
    if first in KEYS:
        yield f"`{first}:` is part of its prompt: keys stand between two lines of ---, from line 1 on"
    permitted = cadence.permission_mode or cadence.allowed_tools or cadence.skip_permissions or cadence.args
    expected = cadence.expect.file or (["`cadence proof`"] if cadence.expect.proof else [])
    # A runner of one's own may permit it on its command line.
    if expected and not permitted and runner.agent and runner.argv == RUNNERS[runner.stream].argv:
        yield f"it expects {expected[0]}, and permits nothing: cadence help agents"


def _where(cadence: Cadence, home: Home) -> str:
    """Its file, as a person knows it."""
    own = os.path.lexists(home.prompt(cadence.name))
    return f"prompts/{cadence.name}.md" if own else f"{HEARTBEAT} ({cadence.name})"


def _check_ends(cadence: Cadence, findings: Findings) -> None:
    """Warn of ends that have passed: it would never fire again, and nobody would know why."""
    for key, at in (("once_at", cadence.once_at), ("expires_at", cadence.expires_at)):
        if at is not None and at <= time.time():
            findings.warnings.append(
                f"prompts/{cadence.name}.md: {key} lies in the past: it does not fire any more"
            )


def _check_collisions(names: list[str], home: Home, findings: Findings) -> None:
    """Warn where these cadences meet more others than may run."""
    snapshot = Snapshot(home, time.time())
    loads, _ = collisions.loads_of(snapshot)
    if not snapshot.settings.max_sessions or not any(load.name in names for load in loads):
        return
    week = collisions.look(snapshot, loads, limit=float(snapshot.settings.max_sessions), advise=False)
    crowds = [crowd for crowd in collisions.crowds(week) if set(names) & set(crowd.names)]
    findings.warnings += [
        f"pile-up {crowd}: {crowd.peak:.1f} at once where {week.limit:g} may run (cadence collisions)"
        for crowd in crowds[:_CROWDS]
    ]
    if len(crowds) > _CROWDS:
        findings.warnings.append(f"and {len(crowds) - _CROWDS} more pile-ups: cadence collisions")


def _answer(out: Output, findings: Findings) -> None:
    if out.json:
        out.document(
            {
                "checked": findings.checked,
                "problems": findings.problems,
                "warnings": findings.warnings,
            }
        )
        return
    rows = [[row[key] or "" for key in ("file", "runner", "program", "version")] for row in findings.checked]
    if rows:
        out.table(COLUMNS, rows)
    for problem in findings.problems:
        out.line(Painted(problem["text"], "red"))
    for warning in findings.warnings:
        out.hint(f"warning: {warning}")
    if findings.problems:
        out.hint(f"{count(len(findings.problems), 'problem')}: fix the file, then cadence check")
