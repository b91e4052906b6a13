"""A ready tick is taken as it reads at that moment, or turned away."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import rfc3339, stamp
from cadencebus.daemon import checkin
from cadencebus.daemon.assembly import assemble
from cadencebus.model.naming import deferred_name
from cadencebus.model.tick import Tick
from cadencebus.store import files
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cadencebus.daemon.gear import Gear
    from tests.conftest import Eventually

NOW = 1_700_000_000.0
CANCELLED = {"status": "cancelled", "class": "cancelled", "reason": "rm", "finished_at": rfc3339(NOW)}


@pytest.fixture
def gear(home: Path) -> Iterator[Gear]:
    """A consumer's gear on a home with one cadence."""
    (home / "prompts" / "x.md").write_text('---\ncommand: ["true"]\n---\n')
    gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
    yield gear
    gear.journal.close()


def put(gear: Gear, **changes: object) -> Tick:
    """Let a tick wait."""
    members: dict[str, object] = {"id": new_id(NOW), "cadence": "x", "created_at": NOW}
    tick = Tick(**(members | changes))  # type: ignore[arg-type]
    gear.spool.put([tick], NOW)
    return tick


def take(gear: Gear, tick: Tick) -> Tick | None:
    """Let the consumer take it."""
    return checkin.take(gear, tick.name.file, gear.prompts.load("x"))


def places(gear: Gear, tick: Tick) -> list[str]:
    """Find the folders in which the tick lies."""
    state = gear.home.state
    return [
        os.path.relpath(folder, state).split("/")[0]
        for folder, _, names in os.walk(state)
        if any(tick.name.file in name for name in names)
    ]


def waits_for_a_lock() -> bool:
    """Whether a thread of this process stands at a lock of a file."""
    with open("/proc/locks", encoding="ascii") as locks:
        return any("->" in line and f" {os.getpid()} " in line for line in locks)


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="asks the kernel who waits")
def test_what_is_edited_until_the_claim_is_what_runs(gear: Gear, eventually: Eventually) -> None:
    """A person changes the tick while the consumer is about to take it: the change is not lost."""
    tick = put(gear, payload={"week": 47})
    taken: list[Tick | None] = []
    claim = threading.Thread(target=lambda: taken.append(take(gear, tick)))
    fd = os.open(gear.home.inbox, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    claim.start()
    eventually(waits_for_a_lock)
    with open(f"{gear.home.inbox}/{tick.name.file}", "wb") as file:
        file.write(replace(tick, payload={"week": 48}).bytes())
    os.close(fd)
    claim.join()
    assert taken[0] is not None
    assert taken[0].payload == {"week": 48}


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="asks the kernel who waits")
def test_nothing_becomes_due_under_a_hand(gear: Gear) -> None:
    """While somebody holds the lock, a deferred tick is not moved on: a rewrite would make it twice."""
    due = NOW + 60
    tick = put(gear, not_before=due)
    names = [deferred_name(stamp(due), tick.name)]
    with gear.spool.moving(), pytest.raises(BlockingIOError):
        gear.spool.promote(names)
    assert places(gear, tick) == ["deferred"]
    assert gear.spool.promote(names) == [tick.name.file]
    assert places(gear, tick) == ["inbox"]


def test_an_rm_that_was_killed_is_brought_to_its_end(gear: Gear) -> None:
    """The outcome was written and not told: the tick goes to done/ and never runs."""
    tick = put(gear, outcome=CANCELLED)
    assert take(gear, tick) is None
    assert places(gear, tick) == ["done"]


def test_a_cancelled_tick_that_somebody_moved_back_runs(gear: Gear) -> None:
    """Its end was told, so it has been in done/: whoever moved it back wants it to run after all."""
    tick = put(gear, outcome=CANCELLED)
    gear.journal.write(NOW, [{"event": "tick.done", "cadence": "x", "tick": tick.id, **CANCELLED}])
    taken = take(gear, tick)
    assert taken is not None
    assert taken.outcome is None
    assert places(gear, tick) == ["claimed"]


def test_what_is_stale_or_early_is_turned_away(gear: Gear) -> None:
    """Expired: finished; not due: back to deferred/; nothing of it is claimed."""
    late, early = put(gear, expires_at=NOW), put(gear)
    assert take(gear, late) is None
    with open(f"{gear.home.inbox}/{early.name.file}", "wb") as file:
        file.write(replace(early, not_before=4_000_000_000.0).bytes())
    assert take(gear, early) is None
    assert (places(gear, late), places(gear, early)) == (["done"], ["deferred"])
    with open(f"{gear.home.events}/{os.listdir(gear.home.events)[0]}", encoding="utf-8") as journal:
        told = [(line["event"], line["tick"]) for line in map(json.loads, journal)]
    assert told == [("tick.done", late.id), ("tick.deferred", early.id)]


def test_a_retry_is_stale_as_well(gear: Gear) -> None:
    """A tick older than its `ttl` is not run, neither the first time nor again."""
    with open(f"{gear.home.prompts}/x.md", "w", encoding="utf-8") as file:
        file.write('---\ncommand: ["true"]\nttl: 1h\n---\n')
    tick = put(gear, attempts=[{"n": 1, "run": "r", "class": "rate_limited", "counted": False}])
    assert take(gear, tick) is None
    assert places(gear, tick) == ["done"]


def test_a_claimed_folder_that_lets_nothing_in_is_no_fault_of_the_tick(
    gear: Gear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits until somebody has mended the folder; what can't be read itself is turned away."""

    def refused(source: str, target: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", source, None, target)

    tick = put(gear)
    with monkeypatch.context() as patched:
        # Root is refused nothing: the kernel's answer to anybody else.
        patched.setattr(files, "move", refused)
        with pytest.raises(PermissionError):
            take(gear, tick)
    assert places(gear, tick) == ["inbox"]

    def unread(path: str, limit: int) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    cadence = gear.prompts.load("x")
    monkeypatch.setattr(files, "read", unread)
    with pytest.raises(checkin.Rejected):
        checkin.take(gear, tick.name.file, cadence)
