"""A power cut takes what was not synced, in any order: nothing that was acknowledged is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
def test_what_a_power_cut_leaves_is_brought_to_its_end(torture: Torture) -> None:
    """States of a recorded run, built as a file system may leave them, and drained by a real consumer."""
    done = torture("power")
    assert done.returncode == 0, done.stdout + done.stderr
