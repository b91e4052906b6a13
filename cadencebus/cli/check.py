"""`cadence check`: validate every cadence and cadence.yaml."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cadencebus.cli import output
from cadencebus.cli.options import Parser
from cadencebus.errors import CadenceError, NoSuch
from cadencebus.session.environment import search_path
from cadencebus.store.badfile import BadFile
from cadencebus.store.config import load_settings
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from cadencebus.cli.context import Context
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home


def main(words: list[str], context: Context) -> int:
    """Check all, or the named files; exit 78 where something is wrong."""
    parser = Parser(
        "check",
        "Validate every cadence and cadence.yaml.",
        "  cadence check\n  cadence check prompts/brief.md",
    )
    parser.add_argument("file", nargs="*", help="prompt files, cadence names or cadence.yaml (default: all)")
    asked = parser.parse_args(words)
    problems: list[BadFile | CadenceError] = []
    warnings: list[str] = []
    settings: Settings | None = None
    try:
        settings = load_settings(context.home, flags={}, environ=os.environ)
    except CadenceError as error:
        problems.append(error)
    prompts = Prompts(context.home, lambda: settings.defaults if settings else {})
    names = _names(asked.file, prompts, context.home)
    for name in names:
        try:
            warnings += _warnings(prompts.load(name), settings, prompts)
        except CadenceError as error:
            problems.append(error)
    if context.json:
        found = [p.problem.dump() if isinstance(p, BadFile) else {"text": p.message} for p in problems]
        output.emit_json({"checked": len(names), "problems": found, "warnings": warnings})
    else:
        for problem in problems:
            sys.stdout.write(f"{output.safe(problem.message)}\n")
        for warning in warnings:
            output.hint(f"warning: {output.safe(warning)}", quiet=context.quiet)
        if not problems:
            sys.stdout.write(f"{len(names)} cadence{'' if len(names) == 1 else 's'}, cadence.yaml: fine\n")
    return BadFile.exit_code if problems else 0


def _names(asked: list[str], prompts: Prompts, home: Home) -> list[str]:
    if not asked:
        return prompts.names()
    names = []
    for word in asked:
        base = os.path.basename(word)
        if base == "cadence.yaml":
            continue
        name = base.removesuffix(".md")
        if not os.path.exists(home.prompt(name)):
            raise NoSuch(f"{word}: no such cadence in {home.prompts}", next_step="cadence check")
        names.append(name)
    return names


def _warnings(cadence: Cadence, settings: Settings | None, prompts: Prompts) -> list[str]:
    where, said = f"prompts/{cadence.name}.md", []
    runner = settings.runners.get(cadence.runner) if settings else None
    if settings is not None and runner is None:
        said.append(f"{where}: runner {cadence.runner!r} is not defined")
    program = (runner.argv or cadence.command or ("",))[0] if runner else ""
    if program and not _found(program, cadence):
        said.append(f"{where}: {program} is not found in PATH: its runs can't start here")
    known = set(prompts.names())
    said += [
        f"{where}: {name} does not exist"
        for name in (*cadence.then, *([cadence.on_dead] if cadence.on_dead else []))
        if name not in known
    ]
    if not cadence.prompt.strip() and cadence.runner != "command":
        said.append(f"{where}: an empty prompt")
    return said


def _found(program: str, cadence: Cadence) -> bool:
    if "/" in program:
        return (
            "{" in program or os.access(os.path.expanduser(program), os.X_OK) or not program.startswith("/")
        )
    path = dict(cadence.env).get("PATH", os.environ.get("PATH", ""))
    return any(
        os.access(os.path.join(folder, program), os.X_OK)
        for folder in search_path(path, os.path.expanduser("~")).split(":")
    )
