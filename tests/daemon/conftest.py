"""What the tests of the loops share: a consumer's gear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cadencebus.daemon.assembly import assemble
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cadencebus.daemon.gear import Gear


@pytest.fixture
def gear(home: Path) -> Iterator[Gear]:
    """A consumer's gear on a home with one cadence."""
    (home / "prompts" / "x.md").write_text('---\nrunner: command\ncommand: ["true"]\n---\nDo it.\n')
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    yield gear
    gear.journal.close()
    gear.launcher.close()
