"""Holds as an operator sees them are the holds that the consumer obeys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cadencebus.desk.holding import held
from cadencebus.store.holds import Holds
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_262_400.0


def test_what_the_consumer_cannot_read_is_not_shown_as_read(home: Path) -> None:
    """A file too large to be a hold holds until somebody removes it: whoever looks is told the same."""
    body = {"since": "2026-11-21T12:00:00Z", "until": "2026-11-21T12:00:01Z", "detail": "x" * (1 << 17)}
    (home / "state" / "holds" / "bus.network.json").write_text(json.dumps(body))
    (shown,) = held(Home(str(home)), NOW)
    assert [shown] == Holds(Home(str(home))).all(NOW)
    assert shown.until is None
    assert "can't be read" in shown.detail


def test_a_home_without_the_folder_holds_nothing(home: Path) -> None:
    """Whether it is missing or something else stands in its place: that is told as a problem of its own."""
    (home / "state" / "holds").rmdir()
    assert held(Home(str(home)), NOW) == []
    (home / "state" / "holds").write_text("no folder")
    assert held(Home(str(home)), NOW) == []
