"""Rubbish in the inbox ends in dead/ with a reason and its bytes; it stops nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture


@pytest.mark.slow
@pytest.mark.parametrize("point", ["rubbish", "names"])
def test_an_inbox_full_of_rubbish_hurts_no_healthy_tick(torture: Torture, point: str) -> None:
    """More than 150 bad items, names of every kind, twins, and files that vanish while they are read."""
    done = torture("hostile", "--point", point)
    assert done.returncode == 0, done.stdout + done.stderr
