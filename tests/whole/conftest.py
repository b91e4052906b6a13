"""What the tests of the whole share: cadences, consumers, and `scripts/torture`, a few points of a mode."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cadence

TORTURE = Path(__file__).parents[2] / "scripts" / "torture"


class Torture(Protocol):
    """Runs a mode of `scripts/torture`, as CI does, and gives back what it said."""

    def __call__(self, mode: str, *words: str, timeout: float = 110.0) -> subprocess.CompletedProcess[str]:
        """Run to the end; exit 1 is a broken promise, told on standard output."""


@pytest.fixture
def cadence(installed: Cadence) -> Cadence:
    """Run the command as it is installed: nothing of the whole is spared."""
    return installed


@pytest.fixture
def torture() -> Torture:
    """Break the bus in one way and count."""

    def run(mode: str, *words: str, timeout: float = 110.0) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, TORTURE, mode, *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def strace() -> None:
    """Skip where there is no strace to strike between two system calls."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")


@pytest.fixture
def write(home: Path, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Define a cadence that runs a line of shell, on a bus that is as QUICK as the tests' module says."""
    (home / "cadence.yaml").write_text(request.module.QUICK)

    def cadence_file(name: str, shell: str, **keys: object) -> None:
        matter = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())
        (home / "prompts" / f"{name}.md").write_text(
            f"---\ncommand: {json.dumps(['sh', '-c', shell])}\n{matter}---\nThe prompt.\n"
        )

    return cadence_file


@pytest.fixture
def consumer(
    home: Path,
    environment: dict[str, str],
    nothing_runs_on: None,
) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start consumers in the background; whatever is left of them is gone at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> subprocess.Popen[bytes]:
        program = Path(sys.executable).with_name("cadence")
        process = subprocess.Popen([program, "run", "--quiet", *words], env=environment, cwd=home)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
