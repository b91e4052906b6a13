"""Which program a cadence, or a notice, would run, found as it would be, and what version it says it is."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cadencebus.model.legible import one_line
from cadencebus.model.notice_presets import PRESETS
from cadencebus.session.environment import search_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.runner import Runner
    from cadencebus.model.settings import Settings
    from cadencebus.store.paths import Home

_VERSION_WITHIN = 8.0


@dataclass(frozen=True, slots=True)
class Program:
    """What stands first in a command line, where it was found, or why it was not."""

    word: str
    path: str | None = None
    problem: str | None = None


def resolve(cadence: Cadence, runner: Runner, home: Home) -> Program:
    """Find the program that the next run of a cadence would start."""
    cwd = home.folder(cadence.cwd)
    if not os.path.isdir(cwd):
        return Program("", problem=f"cwd: {cwd} is not a folder: its runs can't start")
    word = (runner.argv or cadence.command or ("",))[0].replace("{home}", home.root)
    if not word or word.startswith("{"):
        return Program(word)
    env = os.environ | dict(runner.env) | dict(cadence.env)
    path = search_path(env.get("PATH", ""), env.get("HOME", "/"))
    found, problem = _found(word, cwd, path)
    if problem is None and cadence.guard is not None:
        _, missing = _found(cadence.guard[0].replace("{home}", home.root), cwd, path)
        problem = missing and f"its guard {missing}"
    return Program(word, found, problem and f"{problem}: its runs can't start here")


def _found(word: str, cwd: str, path: str) -> tuple[str | None, str | None]:
    """Where a program lies, or what to say of one that does not."""
    found = shutil.which(os.path.join(cwd, word) if "/" in word else word, path=path)
    where = "is not a program" if "/" in word else "is not found in PATH"
    if word.startswith("~"):
        # A shell would have made a path of it; there is none.
        where = f"is taken literally, write {os.path.expanduser(word)}"
    return found, None if found else f"{word} {where}"


def mute_notices(settings: Settings, home: Home) -> Iterator[str]:
    """Which commands of `notify` are not there: at night nobody would hear of anything."""
    path = search_path(os.environ.get("PATH", ""), os.environ.get("HOME", "/"))
    for at, notice in enumerate(settings.notify):
        argv = PRESETS[notice.preset].argv if notice.preset else notice.command or ()
        _, problem = _found(argv[0], home.root, path)
        if problem:
            yield f"notify.{at}: {problem}: nobody is told by it"


def version(program: Program) -> str | None:
    """The first line of what `PROGRAM --version` says; None where it says nothing in time."""
    return _version(program.path) if program.path else None


@functools.cache
def _version(path: str) -> str | None:
    try:
        ended = subprocess.run(  # noqa: S603 - the very program that the cadence names
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_WITHIN,
            check=False,
            start_new_session=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = one_line(ended.stdout.decode("utf-8", "replace"), 60)
    return said if ended.returncode == 0 and said else None
