"""What the tests of the whole share: `scripts/torture`, one mode and a few points of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
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
