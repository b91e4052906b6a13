"""What lies in scripts/ starts by whatever Python 3.11 there is: it finds the one that it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.mark.parametrize("script", ["fuzz", "migrate-maestro"])
def test_a_script_starts_without_the_venv(script: str) -> None:
    """Those that need the dependencies go on with the checkout's own Python, or say how to make it."""
    bare = sys._base_executable  # type: ignore[attr-defined]
    done = subprocess.run([bare, SCRIPTS / script, "--help"], capture_output=True, text=True, check=False)
    assert "usage" in done.stdout or "Fuzz" in done.stdout or "scripts/test makes one" in done.stderr
    assert "Traceback" not in done.stderr
