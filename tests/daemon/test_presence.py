"""What the consumer shows of itself, drawn anew when it has changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cadencebus.daemon.presence import Presence

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from cadencebus.daemon.gear import Gear


def test_new_slots_are_shown_at_once(gear: Gear, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """consumer.json is drawn every half minute; who has just edited max_sessions looks there before."""
    now = 1000.0
    monkeypatch.setattr(gear.clock, "monotonic", lambda: now, raising=False)
    presence, picture = Presence(gear), {"slots": 2, "running": []}
    presence.picture = lambda: picture

    presence.beat()
    picture, now = {"slots": 5, "running": []}, now + 1
    presence.beat()

    assert json.loads((home / "state" / "consumer.json").read_text())["slots"] == 5
