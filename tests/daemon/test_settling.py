"""Ends of runs that come while another is settled are settled together: decided in turn, written as one."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import day
from cadencebus.daemon.settling import End
from cadencebus.model.cadence import Cadence
from cadencebus.model.settlement import RunFacts
from cadencebus.model.tick import Tick
from cadencebus.policy.classes import Class, verdict_on
from cadencebus.store import journal
from cadencebus.store.inlet import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.daemon.closing import Closing
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.settlement import Settlement

NOW = 1_800_000_000.0
PLAIN = Cadence(name="x", runner="command", command=("true",), retries=5)
WITHIN = 20.0


def over(gear: Gear, klass: Class = Class.CRASH, **changes: Any) -> End:
    """Let a run of a claimed tick be over."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    with open(f"{gear.home.claimed}/{tick.name.file}", "wb") as file:
        file.write(tick.bytes())
    members = {
        "tick": tick,
        "verdict": verdict_on(klass, "exit 1"),
        "cadence": PLAIN,
        "credentials": "command",
    }
    facts = RunFacts(run=f"{tick.id}.1", started_at=NOW - 1, exit_code=1)
    return End(**{**members, "facts": facts, "at": NOW, **changes})


class Disk:
    """A closing that is held up, as by a slow disk, until it is let go."""

    def __init__(self, closing: Closing) -> None:
        self.batches: list[list[str]] = []
        self.entered, self.go = threading.Event(), threading.Event()
        self._close = closing.close
        closing.close = self.close  # type: ignore[method-assign]

    def close(self, *ends: Any) -> list[Tick]:
        """Commit as ever, but not before."""
        self.batches.append([tick.id for tick, _ in ends])
        self.entered.set()
        assert self.go.wait(WITHIN)
        return self._close(*ends)


@pytest.fixture
def disk(gear: Gear) -> Disk:
    """Hold up the disk."""
    return Disk(gear.closing)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Some threads that wait for it."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def settle_beside(gear: Gear, disk: Disk, threads: ThreadPoolExecutor, first: End, *others: End) -> list[Any]:
    """Let one be settled, the others come meanwhile, and the disk answer then; what became of each."""
    futures = [threads.submit(gear.settling.settle, first)]
    assert disk.entered.wait(WITHIN)
    queue = gear.settling._queues[hash("x") % len(gear.settling._queues)]
    for number, end in enumerate(others, 1):
        futures.append(threads.submit(gear.settling.settle, end))
        waited = threading.Event()
        while len(queue.waiting) < number:
            assert not waited.wait(0.001)
    disk.go.set()
    return [future.exception(WITHIN) or future.result() for future in futures]


def test_what_ends_meanwhile_is_settled_with_one_wait(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    """Two batches for four ends; each is told of as if it had been alone."""
    ends = [over(gear) for _ in range(4)]
    settled = settle_beside(gear, disk, threads, *ends)
    assert disk.batches == [[ends[0].tick.id], [end.tick.id for end in ends[1:]]]
    assert [settlement.run for settlement in settled] == [end.facts.run for end in ends]
    told = [fact["tick"] for fact in journal.read(gear.home) if fact["event"] == "tick.again"]
    assert sorted(told) == sorted(end.tick.id for end in ends)
    assert sorted(os.listdir(gear.home.inbox)) == sorted(end.tick.name.file for end in ends)
    assert os.listdir(gear.home.claimed) == []


def test_each_end_is_decided_in_the_light_of_those_before(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    """Four runs that fail together are four failures, and every plan says in which order that was found."""
    ends = [over(gear) for _ in range(4)]
    settled = settle_beside(gear, disk, threads, *ends)
    assert [settlement.memory["x"]["failures"] for settlement in settled] == [1, 2, 3, 4]
    assert sorted({settlement.at for settlement in settled[1:]}) == [one.at for one in settled[1:]]
    memory = gear.memory.load("x", NOW)
    assert (memory["failures"], memory["applied"]) == (4, [end.facts.run for end in ends])


def test_runs_of_two_cadences_that_fail_at_once_are_two_failures(
    gear: Gear, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cadences remember together loses no word of either, though each settles in its own queue."""
    settling, both, close = gear.settling, threading.Barrier(2), gear.closing.close
    queue, names = settling._queue_of("x"), (f"y{n}" for n in count())
    other = next(name for name in names if settling._queue_of(name) is not queue)

    def close_when_both_are_decided(*ends: Any) -> list[Tick]:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.2)
        return close(*ends)

    monkeypatch.setattr(gear.closing, "close", close_when_both_are_decided)
    ends = [over(gear, Class.NETWORK), over(gear, Class.NETWORK, cadence=replace(PLAIN, name=other))]
    for end in list(threads.map(settling.settle, ends)):
        assert end.target == "inbox"
    assert gear.memory.load("_bus", NOW)["network"]["tries"] == 2


def test_ends_of_one_batch_go_their_own_ways(gear: Gear, disk: Disk, threads: ThreadPoolExecutor) -> None:
    """Done, dead and again: each tick lies where its own end takes it."""
    good, bad, dead = over(gear, Class.OK), over(gear), over(gear, cadence=Cadence(name="x", retries=0))
    settled = settle_beside(gear, disk, threads, over(gear), good, bad, dead)
    assert [settlement.target for settlement in settled[1:]] == ["done", "inbox", "dead"]
    for end, place in ((good, f"done/{day(NOW)}"), (bad, "inbox"), (dead, "dead")):
        assert gear.spool.read(place, end.tick.name.file).id == end.tick.id


def test_an_end_that_can_not_be_decided_upon_stops_no_other(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    """It alone is told, and its tick stays where it is."""
    broken, sound = over(gear, facts=None), over(gear)
    _, error, settlement = settle_beside(gear, disk, threads, over(gear), broken, sound)
    assert isinstance(error, AttributeError)
    assert settlement.run == sound.facts.run
    assert os.listdir(gear.home.claimed) == [broken.tick.name.file]


def test_a_fault_in_what_follows_of_one_end_is_told_to_that_one_alone(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no disk's, to be waited out: the ticks of the others do not lie claimed until somebody looks."""
    flows = replace(PLAIN, then=("y",))
    before, broken, after = over(gear), over(gear, Class.OK, cadence=flows), over(gear)

    def no_room(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(gear.spool, "put", no_room)
    _, *settled = settle_beside(gear, disk, threads, over(gear), before, broken, after)
    assert [getattr(one, "target", type(one)) for one in settled] == ["inbox", MemoryError, "inbox"]
    assert os.listdir(gear.home.claimed) == [broken.tick.name.file]
    monkeypatch.undo()
    assert gear.closing.replay(gear.spool.read("claimed", broken.tick.name.file)).follow_ups
    assert gear.memory.load("x", NOW)["applied"][1:] == [end.facts.run for end in (before, broken, after)]
    told = [fact["tick"] for fact in journal.read(gear.home) if fact["event"] == "tick.again"]
    assert sorted(set(told)) == sorted(told), "nobody is told of twice"


def test_a_fault_before_the_commit_is_told_to_that_one_alone(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor
) -> None:
    """What can't be written down of one end keeps no other from being settled."""
    facts = RunFacts(run="x.1", started_at=NOW - 1, exit_code=1, stderr_tail="\ud800")
    broken, sound = over(gear, facts=facts), over(gear)
    _, error, settlement = settle_beside(gear, disk, threads, over(gear), broken, sound)
    assert isinstance(error, UnicodeEncodeError)
    assert settlement.run == sound.facts.run
    assert os.listdir(gear.home.claimed) == [broken.tick.name.file]


def told_again(gear: Gear, end: End) -> Settlement:
    """Try once more, as a flight does when the disk is well."""
    return gear.settling.resumed("x", end.facts.run) or gear.settling.settle(replace(end, error=None))


@pytest.mark.parametrize("refused", ["memory.change_by", "journal.write", "spool.again"])
def test_a_disk_that_refuses_is_told_of_to_each(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """Nobody takes his tick for settled; when the disk is well, all are, as decided, whoever asks first."""
    first, *ends = (over(gear) for _ in range(4))
    part, verb = refused.split(".")
    whole, calls = getattr(getattr(gear, part), verb), count()

    def full(*words: Any, **more: Any) -> object:
        if next(calls):
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(getattr(gear, part), verb, full)
        _, *errors = settle_beside(gear, disk, threads, first, *ends)
    assert [type(error) for error in errors] == [OSError] * 3
    for end in reversed(ends):
        committed = end.tick.name.file in os.listdir(gear.home.claimed)
        assert told_again(gear, end).target == "inbox"
        assert committed == (end is ends[-1]), "all of them are finished with the first"
    memory = gear.memory.load("x", NOW)
    assert (memory["failures"], memory["applied"]) == (4, [end.facts.run for end in (first, *ends)])


def test_a_disk_that_refuses_one_who_goes_on_by_himself_is_waited_for_as_ever(
    gear: Gear, disk: Disk, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was decided together stands, whatever came between."""
    broken, sound = over(gear, Class.OK, cadence=replace(PLAIN, then=("y",))), over(gear)
    whole, calls = gear.journal.write, count()

    def no_room(*_: object) -> None:
        raise MemoryError

    def full(*words: Any, **more: Any) -> None:
        if next(calls):
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(*words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(gear.spool, "put", no_room)
        patch.setattr(gear.journal, "write", full)
        _, *errors = settle_beside(gear, disk, threads, over(gear), broken, sound)
    assert [type(error) for error in errors] == [MemoryError, OSError]
    settlement = gear.settling.resumed("x", sound.facts.run)
    assert settlement is not None
    assert (settlement.target, settlement.memory["x"]["failures"]) == ("inbox", 1)


def test_what_the_disk_kept_waiting_counts_for_what_ends_later(
    gear: Gear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next end is decided in the light of those that were decided upon, and could not be finished."""
    first, second = over(gear), over(gear)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(gear.memory, "change_by", broken)
        for end in (first, second):
            with pytest.raises(OSError, match="Input"):
                gear.settling.settle(end)
    assert gear.settling.settle(over(gear)).memory["x"]["failures"] == 2
    assert told_again(gear, first).memory["x"]["failures"] == 1
    assert told_again(gear, second).memory["x"]["failures"] == 3


def test_what_its_own_thread_has_given_up_moves_no_other_run_of_it(
    gear: Gear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rescan finished it, and the tick has been claimed anew, its old plan still in the file."""
    given_up = over(gear)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(gear.memory, "change_by", broken)
        with pytest.raises(OSError, match="Input"):
            gear.settling.settle(given_up)
    gear.settling.forget("x", given_up.tick.name.file)
    gear.closing.replay(gear.spool.read("claimed", given_up.tick.name.file))
    assert gear.spool.claim([given_up.tick.name.file])
    gear.settling.settle(over(gear))
    assert os.listdir(gear.home.claimed) == [given_up.tick.name.file]
