"""A power cut takes what was not synced, in any order: nothing that was acknowledged is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture

# What a producer has answered, and a consumer's run here and there; `scripts/torture short` tries more.
STATES = (
    *("enqueue:30:0", "enqueue:45:1", "enqueue:whole:0", "enqueue:whole:1", "enqueue:whole:2"),
    *("consumer:150:2", "consumer:400:0", "consumer:650:3", "consumer:900:1", "consumer:1150:2"),
    *("consumer:whole:0", "consumer:whole:1", "consumer:whole:3"),
)


@pytest.mark.slow
@pytest.mark.usefixtures("strace")
def test_what_a_power_cut_leaves_is_brought_to_its_end(torture: Torture) -> None:
    """States of a recorded run, built as a file system may leave them, and drained by a real consumer."""
    done = torture("power", *(word for state in STATES for word in ("--point", state)))
    assert done.returncode == 0, done.stdout + done.stderr
