"""What the tests of the verbs share: a few cadences, a consumer at work, the names in a folder."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cadence, Eventually

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
        files = sorted((home / "state" / folder).rglob("*.json"))
        members = [json.loads(file.read_bytes()) for file in files]
        return {tick["id"]: tick | {"_file": file} for tick, file in zip(members, files, strict=True)}

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
    home: Path, environment: dict[str, str], eventually: Eventually
) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start consumers of this home; they are gone when the test is over, and their runs with them."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        program = Path(sys.executable).with_name("cadence")
        process = subprocess.Popen(
            [program, "run"], env=environment, cwd=home, stderr=subprocess.PIPE, encoding="utf-8"
        )
        started.append(process)
        eventually((home / "state" / "consumer.json").exists, message="the consumer is up")
        return process

    yield start
    for process in started:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
