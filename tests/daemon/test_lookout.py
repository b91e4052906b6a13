"""The slow rescan looks at everything, and takes only apart what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.daemon import lineup, lookout
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.consumer import Consumer
from cadencebus.model.naming import parse_deferred
from cadencebus.store.make_home import make
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path


def test_a_rescan_takes_no_known_name_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a million deferred ticks that would stop the turns for seconds, every half minute."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    told: list[Any] = []
    taken_apart: list[str] = []
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    look = lookout.Lookout(consumer.gear, consumer.index, consumer.calendar, consumer.intake, told.append)

    def watched(file: str) -> object:
        taken_apart.append(file)
        return parse_deferred(file)

    monkeypatch.setattr(lookout, "parse_deferred", watched)
    due = "20991122T000000.000000Z~5-20261121T000000.{:06d}Z-x-abcdefgh.json"
    for number in range(3):
        (tmp_path / "bus/state/deferred" / due.format(number)).write_text('{"cadence": "x"}')
    look.rescan(lambda: None)
    assert len(told) == len(taken_apart) == 3
    (tmp_path / "bus/state/deferred" / due.format(9)).write_text('{"cadence": "x"}')
    look.look_anew()
    look.rescan(lambda: None)
    assert (len(told), taken_apart[3:]) == (4, [due.format(9)])


@pytest.mark.parametrize("folder", ["inbox", "deferred"])
def test_what_a_hand_took_away_is_forgotten_and_all_looked_at_anew(tmp_path: Path, folder: str) -> None:
    """Whoever waits for the end of the queue waits for no tick that is gone; a renamed one is found again."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    look = consumer.lookout
    name = "5-20261121T000000.{:06d}Z-x-abcdefgh.json"
    if folder == "deferred":
        name = f"20991122T000000.000000Z~{name}"
    waiting = tmp_path / "bus" / "state" / folder
    for number in range(3):
        (waiting / name.format(number)).write_text('{"cadence": "x"}')
    look.rescan(lambda: None)
    look.take_up(0.0)
    assert not look.forget_gone()
    (waiting / name.format(0)).unlink()
    (waiting / name.format(1)).rename(waiting / name.format(9))
    assert look.forget_gone()
    look.rescan(lambda: None)
    look.take_up(0.0)
    assert not look.forget_gone()
    known = consumer.calendar if folder == "deferred" else consumer.index
    assert sorted(known.names()) == [name.format(2), name.format(9)]


def test_a_rescan_of_many_names_lets_turns_come_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on from where it was, tells that it is not over, and looks again where something got lost."""
    monkeypatch.setattr(lookout, "_A_LOOK", 2)
    home = Home(str(tmp_path / "bus"))
    make(home)
    look = Consumer(assemble(home, flags={}, say=lambda _: None)).lookout
    for number in range(5):
        (tmp_path / f"bus/state/inbox/{number}.json").write_text('{"cadence": "x"}')
    beside: list[int] = []
    turns = 0
    while not beside:
        turns += 1
        look.rescan(lambda: beside.append(1))
        assert look.pending
        if turns == 1:
            look.lost()
    assert (turns, beside) == (3, [1])
    assert 0 < look.due_in() <= lookout.RESCAN / 2


def test_a_rescan_that_met_an_error_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a look is none."""
    monkeypatch.setattr(lookout, "_A_LOOK", 1)
    home = Home(str(tmp_path / "bus"))
    make(home)
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    look = consumer.lookout
    (tmp_path / "bus/state/inbox/1.json").write_text('{"cadence": "x"}')
    deferred = tmp_path / "bus/state/deferred"
    look.rescan(lambda: None)
    deferred.rmdir()
    with pytest.raises(FileNotFoundError):
        look.rescan(lambda: None)
    assert not look.due_in() > 0
    deferred.mkdir()
    for _ in range(3):
        look.rescan(lambda: None)
    look.take_up(0.0)
    assert not look.pending
    assert look.due_in() > 1


def test_a_tick_put_in_deferred_under_any_name_is_given_its_own(tmp_path: Path) -> None:
    """Where it says no time it would never be due: it goes to inbox/, and comes back if it has a time."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    state = tmp_path / "bus" / "state"
    plain = "5-20261121T000000.000000Z-x-abcdefgh.json"
    (state / "deferred" / plain).write_text('{"cadence": "x"}')
    (state / "deferred" / "later.json").write_text('{"cadence": "x", "not_before": "2099-11-22T00:00:00Z"}')
    (state / "deferred" / "notes.txt").write_text("mine")
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    look = consumer.lookout
    look.rescan(lambda: None)
    assert look.pending
    look.take_up(0.0)
    assert list(consumer.index.names()) == [plain]
    (late,) = consumer.calendar.names()
    assert late.startswith("20991122T000000.000000Z~5-")
    assert sorted(path.name for path in (state / "deferred").iterdir()) == sorted([late, "notes.txt"])
    assert not look.pending


def test_a_misplaced_name_waits_until_it_is_free_in_the_inbox(tmp_path: Path) -> None:
    """Nothing is renamed onto a name that is there."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    state = tmp_path / "bus" / "state"
    for folder, text in (("inbox", "torn"), ("deferred", '{"cadence": "x"}')):
        (state / folder / "one.json").write_text(text)
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    consumer.lookout.ring(home.deferred, "one.json")
    consumer.lookout.take_up(0.0)
    assert [(state / folder / "one.json").read_text() for folder in ("inbox", "deferred")] == [
        "torn",
        '{"cadence": "x"}',
    ]
    (state / "inbox" / "one.json").unlink()
    consumer.lookout.ring(home.deferred, "one.json")
    consumer.lookout.take_up(0.0)
    assert len(list(consumer.index.names())) == 1


def test_a_flood_of_rubbish_keeps_no_tick_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece waits for the disk three times: behind twenty thousand a tick waited thirteen seconds."""
    monkeypatch.setattr(lookout, "_A_WHILE", 0.0)
    monkeypatch.setattr(lookout, "_A_TURN", 20)
    home = Home(str(tmp_path / "bus"))
    make(home)
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    consumer.intake.settle = 1e-9
    inbox, dead = tmp_path / "bus/state/inbox", tmp_path / "bus/state/dead"
    names = [f"{number}.json" for number in range(40)] + ["5-20261121T000000.000000Z-x-abcdefgh.json"]
    for name in names:
        (inbox / name).write_text("{")
        consumer.lookout.ring(str(inbox), name)
    consumer.lookout.take_up(0.0)
    assert list(consumer.index.names()) == names[-1:]
    assert len(list(dead.glob("*.raw"))) == 10
    while consumer.intake.doubtful(1):
        assert consumer.lookout.due_in() <= 0
        consumer.lookout.take_up(0.0)
    assert len(list(dead.glob("*.raw"))) == 40


def test_a_flood_in_deferred_is_readmitted_some_at_a_time(tmp_path: Path) -> None:
    """Two syncs each: all in one turn, nobody who sends a signal would be heard."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    for number in range(25):
        (tmp_path / f"bus/state/deferred/{number}.json").write_text('{"cadence": "x"}')
        consumer.lookout.ring(home.deferred, f"{number}.json")
    consumer.lookout.take_up(0.0)
    assert len(consumer.index) == 10
    while consumer.lookout.pending:
        consumer.lookout.take_up(0.0)
    assert len(consumer.index) == 25


def test_ticks_of_many_unknown_cadences_are_buried_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone without its prompts: behind those of five thousand cadences a tick waited six seconds."""
    monkeypatch.setattr(lineup, "_A_WHILE", 0.0)
    home = Home(str(tmp_path / "bus"))
    make(home)
    consumer = Consumer(assemble(home, flags={"unknown_grace": "0s"}, say=lambda _: None))
    names = [f"5-20261121T000000.{number:06d}Z-x{number % 2}-abcdefgh.json" for number in range(4)]
    consumer.index.fill(names)
    for name in names:
        (tmp_path / "bus/state/inbox" / name).write_text(f'{{"cadence": "{name[26:28]}"}}')
    for left in (3, 2, 1, 0):
        consumer.lineup.heads({}, [], 0.0)
        for file, fault in consumer.lineup.doomed():
            consumer.intake.bury_unknown(file, fault)
        assert len(consumer.index) == left
    assert len(list((tmp_path / "bus/state/dead").glob("*.raw"))) == 4
