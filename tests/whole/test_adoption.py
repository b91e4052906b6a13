"""A consumer that is killed, restarted or put to sleep interrupts no session and runs none twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture


@pytest.mark.slow
@pytest.mark.parametrize("point", ["again-and-again", "shims"])
def test_ten_sessions_outlive_their_consumers(torture: Torture, point: str) -> None:
    """Adopted, they end once each; where the shims were killed too, they are interrupted and begun anew."""
    done = torture("adopt", "--point", point)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_consumer_asleep_is_still_the_only_one(torture: Torture) -> None:
    """SIGSTOP frees no lock; after SIGCONT the work goes on."""
    done = torture("stop", "--point", "consumer")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_a_wall_clock_that_jumps_to_and_fro_wedges_nothing(torture: Torture) -> None:
    """A day forward, a day back, during runs and back-offs."""
    done = torture("clock", "--point", "to-and-fro")
    assert done.returncode == 0, done.stdout + done.stderr
