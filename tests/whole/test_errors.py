"""A call that fails, once or for a while, loses nothing, and the bus goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.whole.conftest import Torture

ONCE = ("enqueue:fsync:1:EIO:once", "enqueue:linkat:1:ENOSPC:once", "consumer:rename:4:EIO:once")
# The consumer goes on without its strace, and without the pipe that its words went into.
HELD = ("enqueue:fsync:2:EIO:held", "consumer:fsync:12:ENOSPC:held")


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("point", ONCE + HELD)
def test_an_error_of_a_system_call_breaks_no_promise(torture: Torture, point: str) -> None:
    """What enqueue answers is true of the disk; the consumer gets through."""
    done = torture("errors", "--point", point)
    assert done.returncode == 0, done.stdout + done.stderr
