"""What the tests of the verbs share: a few cadences, a consumer at work, the names in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cadence, Eventually, Hothouse

SHELL = "---\nrunner: command\ncommand: [sh, -c, {script}]\n{more}---\n"


class Define(Protocol):
    """Writes a prompt file that runs a piece of shell."""

    def __call__(self, name: str, script: str = "true", **keys: object) -> Path:
        """Give the file; keys are added to the front matter."""


@pytest.fixture
def define(home: Path) -> Define:
    """Define cadences of this home, each by a piece of shell."""

    def write(name: str, script: str = "true", **keys: object) -> Path:
        more = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())
        path = home / "prompts" / f"{name}.md"
        path.write_text(SHELL.format(script=json.dumps(script), more=more), encoding="utf-8")
        return path

    return write


@pytest.fixture
def ticks(home: Path) -> Callable[[str], dict[str, dict[str, Any]]]:
    """Read the ticks of a folder of state/, by id; done/ with all of its days."""

    def read(folder: str) -> dict[str, dict[str, Any]]:
        found = {}
        for file in sorted((home / "state" / folder).rglob("*.json")):
            # A consumer at work may have taken it meanwhile.
            with contextlib.suppress(FileNotFoundError):
                tick = json.loads(file.read_bytes())
                found[tick["id"]] = tick | {"_file": file}
        return found

    return read


@pytest.fixture
def enqueue(cadence: Cadence) -> Callable[..., str]:
    """Put a tick in and give its id."""

    def put(*words: str) -> str:
        ended = cadence("enqueue", *words)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    return put


@pytest.fixture
def consumer(
    home: Path,
    environment: dict[str, str],
    eventually: Eventually,
    nothing_runs_on: None,
) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start consumers of this home; when the test is over they are gone, and every run with them."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        (home / "state" / "consumer.json").unlink(missing_ok=True)
        program = Path(sys.executable).with_name("cadence")
        # A file, no pipe: a session that outlives its consumer may keep it open.
        with open(home / "consumer.log", "ab") as log:
            process = subprocess.Popen([program, "run"], env=environment, cwd=home, stderr=log)
        started.append(process)
        eventually((home / "state" / "consumer.json").exists, message="the consumer is up")
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait(timeout=15)


class Screen(Protocol):
    """Runs `cadence` in a terminal of this size, and gives what a person sees, escapes and all."""

    def __call__(
        self, *words: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None
    ) -> str:
        """Run to the end."""


@pytest.fixture
def screen(hothouse: Hothouse, home: Path, environment: dict[str, str]) -> Screen:
    """Run the command in a pseudo-terminal."""

    def show(*words: str, columns: int = 80, rows: int = 24, env: dict[str, str] | None = None) -> str:
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (rows, columns))
        surroundings = environment | {"TERM": "xterm-256color", "COLUMNS": str(columns)} | (env or {})
        surroundings = {name: value for name, value in surroundings.items() if value}
        with open(os.devnull, "r+b") as null:
            files = (null.fileno(), theirs, null.fileno())
            process = hothouse.start(*words, env=surroundings, cwd=home, files=files)
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as reader:
            while chunk := reader.read(1 << 16):
                seen += chunk
        process.wait(timeout=30)
        return seen.decode().replace("\r\n", "\n")

    return show
