"""What anyone but the bus can fire: cadences with a rhythm that a service manager can count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.store.fireable import fireable_cadences
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "---\nrunner: command\ncommand: ['true']\n{}---\n"


def define(home: Path, name: str, keys: str) -> None:
    """Write a cadence."""
    (home / "prompts" / f"{name}.md").write_text(COMMAND.format(keys))


def test_which_cadences_can_be_fired_from_outside(home: Path) -> None:
    """Those with a rhythm that anyone can count; the others are left to the bus, with why."""
    define(home, "mail", "schedule: '*/5 * * * *'\n")
    define(home, "even", "every: 10m\njitter: 90s\n")
    define(home, "asked", "")
    define(home, "off", "every: 1h\nenabled: false\n")
    define(home, "twice", "every: 1h\nmax_firings: 2\n")
    define(home, "broken", "evry: 1h\n")
    (home / "HEARTBEAT.md").write_text("tasks:\n  - name: beat\n    interval: 30m\n    prompt: Look.\n")
    found = fireable_cadences(Home(str(home)))
    assert [producer.name for producer in found.producers] == ["even", "mail"]
    assert 0 <= found.producers[0].delay < 90
    assert set(found.left) == {"off", "twice", "beat"}
    assert set(found.broken) == {"broken"}
