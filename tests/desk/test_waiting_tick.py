"""A waiting tick in an operator's hand: what he is told has happened is on the disk, in this order."""

from __future__ import annotations

import functools
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import day, stamp
from cadencebus.desk import waiting_tick
from cadencebus.desk.lookup import find
from cadencebus.errors import BadData, NoSuch
from cadencebus.model.naming import deferred_name
from cadencebus.model.tick import Tick
from cadencebus.store import journal
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from cadencebus.desk.lookup import Found
    from tests.conftest import Witness

LATER = stamp(9e9)


class Hand:
    """An operator's hand on a tick, and what became durable meanwhile; the tick's file is called T."""

    def __init__(self, home: Path, witness: Witness) -> None:
        (home / "prompts" / "x.md").write_text("---\ncommand: ['true']\n---\n")
        self.home, self.witness = Home(str(home)), witness
        self.spool = Spool(self.home)
        self.tick = Tick(id=new_id(1.8e9), cadence="x", created_at=1.0)

    def put(self, *, deferred: bool) -> Found:
        """Let it wait."""
        file = deferred_name(LATER, self.tick.name) if deferred else self.tick.name.file
        path = f"{self.home.deferred if deferred else self.home.inbox}/{file}"
        Path(path).write_bytes(replace(self.tick, not_before=9e9 if deferred else None).bytes())
        self.witness.seen.clear()
        return find(self.home, self.tick.id)

    @property
    def steps(self) -> list[str]:
        """What was done, in short."""
        known = {self.tick.name.file: "T", f"hand.{os.getpid()}.": "", day(time.time()): "today"}
        return [
            functools.reduce(lambda said, one: said.replace(*one), known.items(), one) for one in self.seen
        ]

    @property
    def seen(self) -> list[str]:
        """Each step."""
        return self.witness.seen


@pytest.fixture
def hand(home: Path, witness: Witness) -> Hand:
    """Lend a hand."""
    return Hand(home, witness)


TAKEN = ["rename inbox/T", "sync inbox", "sync deferred"]
WRITTEN = ["sync tmp/T", "rename inbox/T", "sync inbox"]


@pytest.mark.parametrize("deferred", [False, True])
def test_a_cancelled_tick_has_its_outcome_before_it_moves_and_is_told_of_last(
    hand: Hand, deferred: bool
) -> None:
    """What crashes on the way is finished by the consumer: the outcome says where it belongs."""
    found = hand.put(deferred=deferred)
    assert waiting_tick.cancel(hand.spool, [found], "by hand") == ([found], [])
    moved = ["sync done", "rename done/today/T", "sync done/today", "sync inbox"]
    told = ["sync events", "sync events/today.jsonl"]
    assert hand.steps == [*(TAKEN if deferred else ()), *WRITTEN, *moved, *told]
    (line,) = journal.read(hand.home)
    assert (line["event"], line["status"], line["reason"]) == ("tick.done", "cancelled", "by hand")


def test_a_changed_tick_is_safe_in_its_new_place_before_the_old_one_is(hand: Hand) -> None:
    """Put off, and due again."""
    found = hand.put(deferred=False)
    waiting_tick.change(hand.spool, found, lambda tick: replace(tick, not_before=9e9))
    assert hand.steps == [*WRITTEN, f"rename deferred/{LATER}~T", "sync deferred", "sync inbox"]
    hand.seen.clear()
    found = find(hand.home, hand.tick.id)
    after = waiting_tick.change(hand.spool, found, lambda tick: replace(tick, not_before=None, priority=5))
    assert hand.steps == [*TAKEN, *WRITTEN, "sync inbox"]
    assert hand.spool.read("inbox", hand.tick.name.file) == after


def test_what_goes_wrong_puts_a_tick_that_was_put_off_back(hand: Hand) -> None:
    """Whatever it is; one that was taken meanwhile is nobody's to change."""
    found = hand.put(deferred=True)

    def fail(_: Tick) -> Tick:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        waiting_tick.change(hand.spool, found, fail)
    assert find(hand.home, hand.tick.id).place == found.place
    Path(hand.home.deferred, found.file).unlink()
    with pytest.raises(NoSuch, match="it was taken meanwhile"):
        waiting_tick.read(hand.spool, found)
    _, (gone,) = waiting_tick.cancel(hand.spool, [found], "x")
    assert "it was taken meanwhile" in gone.message
    torn = hand.put(deferred=True)
    Path(hand.home.deferred, torn.file).write_text("{")
    _, (why,) = waiting_tick.cancel(hand.spool, [torn], "x")
    assert (type(why), "the consumer will bury it" in why.message) == (BadData, True)
    assert find(hand.home, hand.tick.id).place == torn.place


def test_many_are_cancelled_with_the_syncs_of_a_few(hand: Hand) -> None:
    """A sync for each step of each tick takes minutes where a hundred thousand wait."""
    several: list[Found] = []
    for _ in range(40):
        hand.tick = Tick(id=new_id(1.7e9), cadence="x", created_at=1.0)
        several.append(hand.put(deferred=bool(len(several) % 2)))
    assert waiting_tick.cancel(hand.spool, several, "by hand") == (several, [])
    assert sum(step.startswith("sync") for step in hand.seen) < len(several) / 2
    assert {line["tick"] for line in journal.read(hand.home)} == {found.name.id for found in several}
    assert {find(hand.home, found.name.id).state for found in several} == {"done"}
