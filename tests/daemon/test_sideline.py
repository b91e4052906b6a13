"""Ticks that need no run of their own."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cadencebus.daemon import boarding
from cadencebus.daemon.closing import Closing
from cadencebus.daemon.index import Index
from cadencebus.daemon.sideline import Sideline
from cadencebus.model.tick import Tick
from cadencebus.store import dedupe, journal, runs
from cadencebus.store.inlet import new_id
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.daemon.gear import Gear


class Guarded(Spool):
    """A queue with one file in it that belongs to another user: root, who runs tests too, may read any."""

    shut = ""

    def read(self, folder: str, file: str) -> Tick:
        """Read any other."""
        if file == self.shut:
            raise PermissionError(13, "Permission denied", f"{self.home.state}/{folder}/{file}")
        return super().read(folder, file)


def test_a_file_that_may_not_be_read_holds_nobody_up(gear: Gear) -> None:
    """It is buried when its turn comes; the whole bus was held over it each time, as by a full disk."""
    spool = gear.spool = Guarded(gear.home)
    now = time.time()
    ticks = [Tick(id=new_id(now), cadence="x", source="cli", created_at=now) for _ in range(2)]
    spool.put(ticks, now)
    spool.shut, other = (tick.name.file for tick in ticks)
    asyncio.run(Sideline(gear, Index()).skip("x", [spool.shut, other]))
    assert [path.name for path in Path(gear.home.inbox).iterdir()] == [spool.shut]
    assert [path.name for path in Path(gear.home.done).rglob("*.json")] == [other]


def test_what_is_forced_is_not_skipped(gear: Gear) -> None:
    """`fire --force` is told that it runs now; it waits as before, and is not looked at a second time."""
    now, index = time.time(), Index()
    forced, other = (
        Tick(id=new_id(now), cadence="x", source="cli", created_at=now, force=asked)
        for asked in (True, False)
    )
    gear.spool.put([forced, other], now)
    asyncio.run(Sideline(gear, index).skip("x", [forced.name.file, other.name.file]))
    assert [path.name for path in Path(gear.home.inbox).iterdir()] == [forced.name.file]
    assert forced.name.file in index
    assert index.take_fresh("x") == []


def test_what_came_meanwhile_is_fresh_all_the_same() -> None:
    """A forced tick is put back among the waiting ones; another that came while it was read did come."""
    now, index = time.time(), Index()
    forced, later = (Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now) for n in range(2))
    index.add(later.name.file)
    index.restore(forced.name.file)
    assert index.take_fresh("x") == [later.name.file]
    assert list(index.queue("x")) == [forced.name.file, later.name.file]


class Noting(Closing):
    """Notes how many ticks it was given at once, and of how many bytes."""

    def __init__(self, gear: Gear) -> None:
        super().__init__(gear.spool, gear.holds, gear.memory, gear.journal)
        self.bytes_at_once: list[int] = []
        self.ticks_at_once: list[int] = []

    def finish_unrun(self, ticks: Iterable[tuple[Tick, str, str]], now: float, **extra: object) -> list[Tick]:
        """Note, and finish."""
        given = list(ticks)
        self.bytes_at_once.append(sum(len(tick.bytes()) for tick, _, _ in given))
        self.ticks_at_once.append(len(given))
        return super().finish_unrun(given, now, **extra)


def test_large_ticks_are_not_all_in_memory_at_once(gear: Gear) -> None:
    """A thousand of a megabyte, set aside two hundred at a time, made the consumer a gigabyte large."""
    closing = gear.closing = Noting(gear)
    now = time.time()
    ticks = [
        Tick(id=new_id(now), cadence="x", source="cli", created_at=now, payload={"text": "y" * 1_000_000})
        for _ in range(12)
    ]
    gear.spool.put(ticks, now)
    asyncio.run(Sideline(gear, Index()).skip("x", [tick.name.file for tick in ticks]))
    assert len(list(Path(gear.home.done).rglob("*.json"))) == len(ticks)
    assert max(closing.bytes_at_once) < 5_000_000


def test_a_tick_that_was_given_another_priority_is_absorbed_all_the_same(gear: Gear) -> None:
    """A long queue gets its cadence's priority beside the turns: what was renamed got runs of its own."""
    index, now, cadence = Index(), time.time(), gear.prompts.load("x")
    ticks = [Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now) for n in range(4)]
    gear.spool.put(ticks, now)
    started, *waiting = (tick.name.file for tick in ticks)
    index.fill(waiting)
    run = runs.folder(gear.home, ticks[0].id, 1)
    Path(run.path).mkdir(parents=True)
    boarded = boarding.found(gear, ticks[0], run, cadence)
    sideline = Sideline(gear, index)
    other = Tick(id=new_id(now), cadence="x", source="cli", created_at=now, payload={"n": 1})
    asyncio.run(sideline.absorb(boarding.found(gear, other, run, cadence), waiting[1:]))
    for tick in ticks[1:3]:
        gear.spool.rename("inbox", tick.name.file, tick.name.at(3).file)
        index.rename(tick.name.file, tick.name.at(3).file)
    asyncio.run(sideline.absorb(boarded, waiting[:1]))
    assert [path.name for path in Path(gear.home.inbox).iterdir()] == [started]
    assert len(index) == 0


def test_what_is_not_due_or_too_late_is_neither_absorbed_nor_skipped(gear: Gear) -> None:
    """Put in inbox/ by hand, or under a name of ours: work of next week was called done, or skipped."""
    now, index = time.time(), Index()
    cadence = replace(gear.prompts.load("x"), ttl=60.0)
    started, early, late = ticks = [
        Tick(id=new_id(now + n), cadence="x", source="cli", created_at=created, not_before=due)
        for n, (created, due) in enumerate([(now, None), (now, now + 600), (now - 90, None)])
    ]
    gear.spool.put([started, late], now)
    waiting = [tick.name.file for tick in (early, late)]
    Path(gear.home.inbox, early.name.file).write_bytes(early.bytes())
    index.fill(waiting)
    run = runs.folder(gear.home, ticks[0].id, 1)
    Path(run.path).mkdir(parents=True)
    sideline = Sideline(gear, index)
    asyncio.run(sideline.absorb(boarding.found(gear, started, run, cadence), waiting))
    asyncio.run(sideline.skip("x", [early.name.file]))
    assert list(Path(gear.home.done).rglob("*.json")) == []
    assert list(index.queue("x")) == waiting


def test_equal_payloads_are_equal_whatever_the_order_of_their_members(gear: Gear) -> None:
    """Two producers need not write the members of an object, however deep it lies, in one order."""
    now = time.time()
    payloads: list[dict[str, object]] = [
        {"mails": [{"from": "a", "to": "b"}]},
        {"mails": [{"to": "b", "from": "a"}]},
        {"mails": [{"to": "a", "from": "b"}]},
    ]
    ticks = [
        Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now, payload=payload)
        for n, payload in enumerate(payloads)
    ]
    gear.spool.put(ticks[1:], now)
    index = Index()
    index.fill(tick.name.file for tick in ticks[1:])
    run = runs.folder(gear.home, ticks[0].id, 1)
    Path(run.path).mkdir(parents=True)
    boarded = boarding.found(gear, ticks[0], run, gear.prompts.load("x"))
    asyncio.run(Sideline(gear, index).absorb(boarded, [tick.name.file for tick in ticks[1:]]))
    assert [path.name for path in Path(gear.home.inbox).iterdir()] == [ticks[2].name.file]


def test_expired_ticks_are_finished_together(gear: Gear) -> None:
    """One by one, each with its own waits for the disk, a hundred thousand of them take many minutes."""
    closing = gear.closing = Noting(gear)
    index, now, cadence = Index(), time.time(), gear.prompts.load("x")
    expired = [
        Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now, expires_at=now) for n in range(10)
    ]
    fresh = [Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now) for n in range(20, 30)]
    gear.spool.put(expired + fresh, now)
    index.fill(tick.name.file for tick in expired + fresh)

    async def several_are_turned_away() -> None:
        sideline = Sideline(gear, index)
        await asyncio.gather(*(sideline.turn_away(cadence) for _ in range(3)))
        for _ in range(6):
            await sideline.turn_away(cadence)

    asyncio.run(several_are_turned_away())
    assert closing.ticks_at_once == [1, 2, 4, 3]
    assert list(index.names()) == [tick.name.file for tick in fresh]
    assert sorted(path.name for path in Path(gear.home.inbox).iterdir()) == list(index.names())


def test_duplicates_are_finished_together(gear: Gear) -> None:
    """A producer that repeats itself ten thousand times holds up nobody for minutes; its next key runs."""
    closing = gear.closing = Noting(gear)
    index, now, cadence = Index(), time.time(), gear.prompts.load("x")
    first, *others = (
        Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now, key="k") for n in range(9)
    )
    other = Tick(id=new_id(now + 9), cadence="x", source="cli", created_at=now, key="other")
    early = replace(first, id=new_id(now + 10), not_before=now + 3600)
    assert dedupe.claim(gear.home, first, cadence.dedupe_window, now) is None
    left = [first, other, early]
    for tick in [*others, *left]:
        Path(gear.home.inbox, tick.name.file).write_bytes(tick.bytes())
    index.fill(tick.name.file for tick in [*others, other, early])

    async def one_after_the_other() -> None:
        sideline = Sideline(gear, index)
        for _ in range(6):
            await sideline.turn_away(cadence)

    asyncio.run(one_after_the_other())
    assert sum(closing.ticks_at_once) == len(others)
    assert len(closing.ticks_at_once) <= 4
    assert sorted(path.name for path in Path(gear.home.inbox).iterdir()) == [tick.name.file for tick in left]
    (ended,) = {
        (fact["status"], fact["reason"]) for fact in journal.read(gear.home) if fact["event"] == "tick.done"
    }
    assert ended == ("duplicate", f"the key 'k' was used by {first.id}")


def test_a_copy_of_what_has_ended_awaits_its_turn(gear: Gear) -> None:
    """It is a twin to be buried, however late it is; nor does a file that is gone stop anything."""
    index, now = Index(), time.time()
    copy, gone = (
        Tick(id=new_id(now + n), cadence="x", source="cli", created_at=now, expires_at=now) for n in range(2)
    )
    gear.spool.put([copy], now)
    Path(gear.home.dead, copy.name.file).write_bytes(copy.bytes())
    index.fill([copy.name.file, gone.name.file])
    sideline = Sideline(gear, index)
    asyncio.run(sideline.turn_away(gear.prompts.load("x")))
    assert [path.name for path in Path(gear.home.inbox).iterdir()] == [copy.name.file]
    index.discard(copy.name.file)
    asyncio.run(sideline.turn_away(gear.prompts.load("x")))
    assert sideline.busy == 0
