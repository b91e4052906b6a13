"""With thousands of cadences waiting, a turn asks the disk for those that may have changed."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from cadencebus.bus import Maker
from cadencebus.clock import stamp
from cadencebus.daemon import lineup as lineup_module
from cadencebus.daemon import roster
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.hold_keeper import HoldKeeper
from cadencebus.daemon.index import Index
from cadencebus.daemon.lineup import Lineup
from cadencebus.daemon.roster import Roster
from cadencebus.errors import NoSuch
from cadencebus.model.hold import Hold, on_cadence
from cadencebus.model.memory import CadenceMemory
from cadencebus.store.make_home import make
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.daemon.gear import Gear
    from tests.conftest import FakeClock

COMMAND = "---\nrunner: command\ncommand: ['true']\npriority: {}\n---\n"


@pytest.fixture
def gear(tmp_path: Path) -> Gear:
    """A consumer's gear, in a home with one cadence."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    (tmp_path / "bus/prompts/x.md").write_text(COMMAND.format(5))
    return assemble(home, flags={}, say=lambda _: None)


def crowd(asked: Roster, gear: Gear) -> None:
    """So many were asked for that the answers are good for a second."""
    for number in range(5000):
        asked._cadences[f"c{number}"] = gear.prompts.current("x")


def test_an_edit_that_was_told_of_is_seen_at_once(gear: Gear, tmp_path: Path, fake_clock: FakeClock) -> None:
    """However many cadences wait; one that was not told of is seen a second later."""
    gear.clock = fake_clock
    asked = Roster(gear)
    asked.open([])
    assert asked.cadence("x").priority == 5
    crowd(asked, gear)
    (tmp_path / "bus/prompts/x.md").write_text(COMMAND.format(7))
    asked.open([])
    assert asked.cadence("x").priority == 5
    gear.edits += 1
    asked.open([])
    assert asked.cadence("x").priority == 7


def test_what_starts_is_what_the_file_says_this_moment(gear: Gear, tmp_path: Path) -> None:
    """An edit that no event told of is noticed at the start, and then all is asked for anew."""
    asked = Roster(gear)
    asked.open([])
    asked.cadence("x")
    crowd(asked, gear)
    assert asked.confirmed("x")
    (tmp_path / "bus/prompts/x.md").write_text(COMMAND.format(7))
    assert not asked.confirmed("x")
    asked.open([])
    assert asked.cadence("x").priority == 7
    (tmp_path / "bus/prompts/x.md").unlink()
    assert not asked.confirmed("x")


def test_where_asking_takes_long_it_is_done_seldom(gear: Gear, fake_clock: FakeClock) -> None:
    """On a machine that is busy with other work, no turn would do anything else; some seconds are enough."""
    gear.clock = fake_clock
    asked = Roster(gear)
    for took, rested in ((0.01, 0.1), (0.2, 2.0), (60.0, 5.0)):
        assert asked.open([]) is None
        fake_clock.advance(took)
        asked.asked()
        fake_clock.advance(max(0.0, rested - took - 0.001))
        assert took > rested or asked.open([]) == set()
        fake_clock.advance(0.002)


def test_a_memory_is_read_again_after_a_run_and_after_a_release(gear: Gear) -> None:
    """The consumer changes it at the end of a run, `circuit reset` together with a hold."""
    asked = Roster(gear)
    asked.open([Hold(scope=on_cadence("x"), reason="circuit_open", since=0.0, until=9e9)])
    asked.cadence("x")
    crowd(asked, gear)
    assert asked.memory("x", 0.0) == CadenceMemory()
    gear.memory.change("x", 0.0, {"failures": 1})
    assert asked.memory("x", 0.0) == CadenceMemory()
    asked.forget("x")
    assert asked.memory("x", 0.0).failures == 1
    gear.memory.change("x", 0.0, {"failures": 2})
    asked.open([])
    assert asked.memory("x", 0.0).failures == 2


def test_a_few_cadences_are_asked_each_time(gear: Gear) -> None:
    """There it costs nothing, and nothing goes unseen."""
    asked = Roster(gear)
    asked.open([])
    asked.memory("x", 0.0)
    gear.memory.change("x", 0.0, {"failures": 1})
    asked.open([])
    assert asked.memory("x", 0.0).failures == 1


def test_an_unknown_name_is_not_compared_with_all_others_at_each_turn(gear: Gear) -> None:
    """A person is told what it may have meant; the loop does not read that."""
    with pytest.raises(NoSuch, match=r"^no cadence 'xx'$"):
        gear.prompts.current("xx")


def test_holds_of_others_cost_a_cadence_nothing(gear: Gear, tmp_path: Path) -> None:
    """A night on which every cadence is held must not be looked at hold by hold for each of them."""
    index = Index()
    lineup = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
    for number in range(200):
        (tmp_path / f"bus/prompts/c{number}.md").write_text(COMMAND.format(5))
        index.add(f"5-{stamp(time.time())}-c{number}-abcdefgh.json")
    holds = [Hold(scope=on_cadence(f"c{n}"), reason="backoff", since=0.0, until=9e9) for n in range(10_000)]

    def taken(held: list[Hold]) -> float:
        began = time.process_time()
        for _ in range(3):
            gear.edits += 1
            assert len(lineup.heads({}, held, time.time())) == 200
        return time.process_time() - began

    taken([])
    few = taken(holds[:1])
    many = min(taken(holds) for _ in range(3))
    assert many < 6 * few + 0.05


def test_what_a_look_found_stands_until_it_stirs(
    gear: Gear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at those that stirred finds what a look at all of them finds."""
    monkeypatch.setattr(roster, "_GOOD_FOR", 1.0)
    index, rng = Index(), random.Random(7)
    lineup = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
    names = [f"c{number}" for number in range(12)]
    for name in names[:10]:
        (tmp_path / f"bus/prompts/{name}.md").write_text(COMMAND.format(5))
    (tmp_path / "bus/prompts/c10.md").write_text("---\nenabled: false\n---\n")
    waiting: list[str] = []
    for step in range(300):
        name = rng.choice(names)
        match rng.choice(["add", "add", "take", "start", "land"]):
            case "add":
                waiting.append(f"{rng.randrange(10)}-{stamp(1.8e9 + step)}-{name}-abcdefgh.json")
                index.add(waiting[-1])
            case "take" if waiting:
                index.discard(waiting.pop(rng.randrange(len(waiting))))
            case "start":
                lineup.started(name)
            case "land":
                lineup.landed(name, "")
        if rng.random() < 0.5:
            found = {head.cadence: head.file for head in lineup.heads({}, [], 1.8e9)}
            anew = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
            assert found == {head.cadence: head.file for head in anew.heads({}, [], 1.8e9)}
            assert set(lineup.waits) == set(anew.waits) <= {"c10", "c11"}
    assert waiting


def test_a_forced_tick_in_a_crowd_is_known_as_one(gear: Gear, tmp_path: Path) -> None:
    """More cadences wait than there are slots: of those that are refused, whoever may pass them is found."""
    index = Index()
    lineup = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
    for name in "xyz":
        (tmp_path / f"bus/prompts/{name}.md").write_text(COMMAND.format(5))
        members = {"cadence": name, "force": name == "z"}
        tick, data, _ = Maker("cli", {}).make(members)
        (tmp_path / "bus/state/inbox" / tick.file).write_bytes(data)
        index.add(tick.file)
    assert not any(head.force for head in lineup.heads({}, [], time.time()))
    assert not lineup.urgent({"x"})
    assert lineup.urgent({"x", "y", "z"})
    assert {head.cadence: head.force for head in lineup.line()} == {"x": False, "y": False, "z": True}
    assert not lineup.urgent({"x", "y", "z"})


@pytest.mark.parametrize("held", [True, False])
def test_a_forced_tick_does_not_wait_for_those_of_its_cadence_that_must(
    gear: Gear, tmp_path: Path, *, held: bool
) -> None:
    """A hold or a cap keeps the ones before it, in their order: they are no cap of its own."""
    index = Index()
    lineup = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
    for number, force in enumerate((False, False, True, True)):
        tick, data, _ = Maker("cli", {}).make({"cadence": "x", "force": force, "payload": {"n": number}})
        (tmp_path / "bus/state/inbox" / tick.file).write_bytes(data)
        index.add(tick.file)
    waiting = list(index.queue("x"))
    holds = [Hold(scope="bus", reason="paused", since=0.0, until=None)] if held else []
    lineup.heads({}, holds, time.time())
    assert lineup.urgent({"x"}) is not held
    for file in waiting[2:]:
        (head,) = lineup.line()
        assert (head.file, head.force) == (file, True)
        index.discard(file)
        lineup.started("x")
        lineup.heads({}, holds, time.time())
        lineup.urgent({"x"})
    (head,) = lineup.line()
    assert (head.file, head.force) == (waiting[0], False)


@pytest.mark.parametrize("held", [True, False])
def test_a_forced_tick_takes_the_room_of_its_own_run(gear: Gear, tmp_path: Path, *, held: bool) -> None:
    """Its guard has let it pass: it is a session, though the guard of the one before it was not asked yet."""
    (tmp_path / "bus/prompts/x.md").write_text(
        COMMAND.format(5).replace("priority", "guard: 'true'\npriority")
    )
    index = Index()
    lineup = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
    for force in (False, True):
        tick, data, _ = Maker("cli", {}).make({"cadence": "x", "force": force})
        (tmp_path / "bus/state/inbox" / tick.file).write_bytes(data)
        index.add(tick.file)
    waiting = list(index.queue("x"))
    holds = [Hold(scope="bus", reason="paused", since=0.0, until=None)] if held else []
    for passed in (False, True):
        lineup.heads({}, holds, time.time())
        lineup.urgent({"x"})
        (head,) = lineup.line()
        assert (head.file, head.inline) == (waiting[1], not passed)
        lineup.let_pass(head.file)
        lineup.started("x")


def test_of_many_cadences_that_must_wait_few_ticks_are_read(
    gear: Gear, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bus that is paused with thousands of full queues must not stop to read them."""
    monkeypatch.setattr(lineup_module, "_READ_AT_ONCE", 10)
    index = Index()
    lineup = Lineup(gear, index, HoldKeeper(gear, lambda _: None, lambda: None))
    for cadence in "xyz":
        (tmp_path / f"bus/prompts/{cadence}.md").write_text(COMMAND.format(5))
        for _ in range(9):
            index.add(Maker("cli", {}).make({"cadence": cadence})[0].file)
    read: list[str] = []
    monkeypatch.setattr(lineup, "_asks_to_pass", read.append)
    lineup.heads({}, [], time.time())
    lineup.urgent("xyz")
    assert len(read) == 3 * (1 + 10 // 3)


def test_a_hold_on_one_cadence_stirs_that_one(gear: Gear, fake_clock: FakeClock) -> None:
    """In a night in which a thousand fail, each of their holds must not have all looked at anew."""
    gear.clock = fake_clock
    asked = Roster(gear)
    own = Hold(scope=on_cadence("x"), reason="backoff", since=0.0, until=9e9)
    wide = Hold(scope="credentials-claude", reason="auth", since=0.0, until=None)
    assert asked.open([]) is None
    asked.cadence("x")
    crowd(asked, gear)
    assert asked.open([]) == set()
    assert asked.open([own]) == {"x"}
    assert asked.open([own]) == set()
    assert asked.open([own, wide]) is None
    asked.cadence("x")
    crowd(asked, gear)
    assert asked.open([wide]) == {"x"}
