"""Why a tick waits, as the consumer at work would say it: its brakes, its room, the ticks before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.desk.human_time import clock
from cadencebus.desk.lookup import find
from cadencebus.desk.reasons import NO_CONSUMER, Reasons, cure, spell
from cadencebus.model.tick import Tick
from cadencebus.store.inlet import new_id
from cadencebus.store.lock import ConsumerLock
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A Friday, eight in the morning of UTC.
NOW = 1_800_000_000.0
CLOSED = "timezone: UTC\nactive_hours: 10:00-11:00\n"


class Bus:
    """A home that somebody consumes, as far as the lock tells."""

    def __init__(self, home: Path) -> None:
        self.root = home
        self.home = Home(str(home))
        self.lock = ConsumerLock(self.home)

    def define(self, name: str, more: str = "") -> None:
        """Let there be a cadence."""
        (self.root / "prompts" / f"{name}.md").write_text(f"---\ncommand: ['true']\n{more}---\n")

    def put(self, cadence: str, folder: str = "inbox", **members: Any) -> str:
        """Lay a tick of it there; its id."""
        tick = Tick(id=new_id(NOW), cadence=cadence, created_at=NOW, **members)
        (self.root / "state" / folder / tick.name.file).write_bytes(tick.bytes())
        return tick.id

    def why(self, tick: str) -> str:
        """What `cadence show` says of it."""
        return spell(Reasons(self.home, NOW).of_tick(find(self.home, tick)), NOW)


@pytest.fixture
def bus(home: Path) -> Iterator[Bus]:
    """Hold the lock, as a consumer does."""
    made = Bus(home)
    made.define("x")
    with made.lock:
        yield made


def test_the_head_starts_and_the_others_are_counted(bus: Bus) -> None:
    """A tick of another cadence is before nobody."""
    bus.define("x-x")
    bus.put("x-x", priority=0)
    ticks = [bus.put("x", priority=n) for n in range(3)]
    assert [bus.why(tick) for tick in ticks] == [
        "starts at any moment",
        "in the queue: 1 of its cadence are before it",
        "in the queue: 2 of its cadence are before it",
    ]
    (bus.root / "state" / "holds" / "bus.paused.json").write_text(json.dumps({"detail": "by me"}))
    assert bus.why(ticks[0]) == "held by paused: by me"
    assert bus.why(ticks[1]) == "held by paused: by me (1 of its cadence are before it)"
    (bus.root / "state" / "STOP").touch()
    assert bus.why(ticks[0]).startswith("stopped: state/STOP is there")


def test_a_brake_keeps_all_but_the_forced(bus: Bus) -> None:
    """Until its active hours begin."""
    bus.define("x", CLOSED)
    bus.define("urgent", CLOSED)
    tick, forced = bus.put("x"), bus.put("urgent", force=True)
    opens = clock(NOW + 2 * 3600, NOW)
    assert bus.why(tick) == f"held by active_hours until {opens} (in 2h): outside its active hours"
    assert bus.why(forced) == "starts at any moment"
    (bus.root / "state" / "cadences" / "x.json").write_text('{"recent": 5}')
    bus.define("x", "max_runs_per_hour: 1\n")
    assert bus.why(tick) == "starts at any moment"
    cadence = Reasons(bus.home, NOW).prompts.load("urgent")
    front = [Reasons(bus.home, NOW).would_start(cadence, force=force) for force in (False, True)]
    assert [wait and wait.reason for wait in front] == ["active_hours", None]


def test_what_runs_takes_room_even_where_its_file_is_gone(bus: Bus) -> None:
    """A guard goes beside the slots, whatever runs in them."""
    (bus.root / "cadence.yaml").write_text("max_sessions: 1\n")
    bus.define("guarded", "guard: ['true']\n")
    tick, guarded = bus.put("x"), bus.put("guarded")
    assert bus.why(tick) == "starts at any moment"
    bus.put("gone", "claimed")
    assert bus.why(tick).startswith("no slot is free")
    assert bus.why(guarded) == "starts at any moment"


def test_the_slots_are_those_of_the_consumer_at_work(bus: Bus) -> None:
    """Its own flags, its own environment, or the last good settings: none of them is seen from here."""
    bus.define("busy")
    bus.put("busy", "claimed")
    tick = bus.put("x")
    note = bus.root / "state" / "consumer.json"
    note.write_text(json.dumps({"slots": 1}))
    assert bus.why(tick) == "no slot is free: all 1 session slots are taken"
    note.write_text(json.dumps({"slots": "many"}))
    assert bus.why(tick) == "starts at any moment"


def test_a_file_that_nobody_can_read_is_told_apart_from_none(bus: Bus) -> None:
    """A link to itself, no file, a broken one, one that is switched off."""
    (bus.root / "prompts" / "odd.md").symlink_to("odd.md")
    bus.define("broken", "prioriti: 5\n")
    bus.define("off", "enabled: false\n")
    said = [bus.why(bus.put(name)) for name in ("odd", "none", "broken", "off")]
    begun = [
        "its file can't be read: prompts/odd.md: ",
        "no such cadence: ",
        "its file is broken: ",
        "disabled: ",
    ]
    assert [one.startswith(word) for one, word in zip(said, begun, strict=True)] == [True] * 4, said
    assert cure("disabled", "off") == "say enabled: true in prompts/off.md"
    assert cure("queue", "x") == ""


def test_without_a_consumer_nothing_waits_for_room(bus: Bus) -> None:
    """What holds a cadence is told all the same."""
    (bus.root / "cadence.yaml").write_text("max_sessions: 1\n")
    bus.define("late", CLOSED)
    free, late = bus.put("x"), bus.put("late")
    bus.put("gone", "claimed")
    bus.lock.__exit__()
    assert bus.why(free) == spell(NO_CONSUMER, NOW)
    assert bus.why(late).startswith("held by active_hours")
