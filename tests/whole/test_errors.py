"""A call that fails, once or for a while, loses nothing, and the bus goes on by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cadence
    from tests.whole.conftest import Torture

ONCE = (
    "enqueue:fsync:tmp:1:EIO:once",
    "enqueue:link:tmp-inbox:1:ENOSPC:once",
    "consumer:rename:inbox-claimed:1:EIO:once",
    # Moved, and only the sync of the new folder fails: it was looked for in claimed/ for ever.
    "consumer:fsync:dead:2:EIO:once",
    # What is only derived (circuit-open.json) can't be read: the consumer gave up.
    "consumer:list:cadences:3:EIO:once",
    # A follow-up that can't be put: what a producer would be told ended the consumer.
    "consumer:link:tmp-inbox:1:EIO:once",
    # Claimed, and then neither begun nor ended: it lay there until the next start.
    "consumer:symlink:keys:1:EIO:once",
)
HELD = ("enqueue:fsync:inbox:1:EIO:held", "consumer:fsync:done:3:ENOSPC:held")


@pytest.mark.parametrize("points", [ONCE, HELD], ids=["once", "held"])
def test_an_error_of_a_system_call_breaks_no_promise(torture: Torture, points: tuple[str, ...]) -> None:
    """What enqueue answers is true of the disk; the consumer gets through."""
    done = torture("errors", *(word for point in points for word in ("--point", point)))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(points)} points, 0 failed" in done.stdout


def test_a_hold_of_a_consumer_that_died_in_trouble_does_not_outlive_it(home: Path, cadence: Cadence) -> None:
    """Nobody would probe for it: the next consumer looks for itself whether the state folder refuses."""
    (home / "cadence.yaml").write_text("defaults: {runner: command}\n")
    (home / "prompts" / "works.md").write_text('---\ncommand: ["true"]\n---\nHello\n')
    hold = home / "state" / "holds" / "bus.disk_full.json"
    hold.write_text(
        '{"scope": "bus", "reason": "disk_full", "since": "2026-11-21T02:30:00.000000Z", "until": null}'
    )
    cadence("enqueue", "works")
    assert cadence("run", "--drain").returncode == 0
    assert not hold.exists()
    assert list(home.glob("state/done/*/*-works-*.json"))
