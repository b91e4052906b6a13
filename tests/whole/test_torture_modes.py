"""A mode that lets a fault pass which was put in on purpose proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize(
    "fault", ["always-dead", "swallowed-errors", "no-reason", "no-folder-sync", "no-lock", "no-keys"]
)
def test_a_seeded_fault_is_caught(torture: Torture, fault: str) -> None:
    """Its mode reports broken promises."""
    done = torture("mutants", "--point", fault)
    assert done.returncode == 0, done.stdout + done.stderr
