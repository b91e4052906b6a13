"""A mode that lets a fault pass which was put in on purpose proves nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("fault", ["no-reason", "no-folder-sync"])
def test_a_seeded_fault_is_caught(torture: Torture, fault: str) -> None:
    """Its mode reports broken promises; of other modes `scripts/torture short` tries this, right after."""
    done = torture("mutants", "--point", fault)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_seeded_fault_replaces_something_that_is_there() -> None:
    """One that can't be put in would end the program at once, which looks as if it had been caught."""
    every = "from torturing.mutant import FAULTS\nfor fault in FAULTS.values():\n    fault()"
    scripts = Path(__file__).parents[2] / "scripts"
    done = subprocess.run(
        [sys.executable, "-c", every], cwd=scripts, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
