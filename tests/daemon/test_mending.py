"""Holds that end when what was wrong has changed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.mending import Mending, marks
from cadencebus.model.hold import Hold
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

REAL = "sk-ant-a-very-real-key"


def test_a_key_that_was_demanded_and_is_set_now_releases_its_cadence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auth: api-key` without one is a fault of the configuration: the next consumer has the key."""
    (home / "prompts" / "work.md").write_text("---\nauth: api-key\n---\nWork.\n")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "your-key")
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    made = marks(gear, gear.prompts.load("work"), "never_ran")
    assert "your-key" not in str(made)
    extra = {"cadence": "work", "fingerprints": made}
    gear.holds.set(Hold(scope="cadence-work", reason="config", since=gear.clock.wall(), extra=extra))
    for key, held in (("your-key", True), (REAL, False)):
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
        gear.holds.all(gear.clock.wall())
        asyncio.run(Mending(gear).do())
        assert bool(gear.holds.all(gear.clock.wall())) is held, key
    gear.journal.close()
