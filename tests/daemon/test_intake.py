"""What appears in inbox/ gets its name and its place, and an id that has another tick already gets none."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import day, rfc3339, stamp
from cadencebus.daemon import own_priority
from cadencebus.daemon.index import Calendar, Index
from cadencebus.daemon.intake import Intake
from cadencebus.model.naming import deferred_name, is_id, parse_deferred, parse_name
from cadencebus.model.tick import BadTick, Tick
from cadencebus.store import files
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FakeClock, Witness

NOW = 1_800_000_000.0
DAY = day(NOW)


class Inbox:
    """An inbox that an intake looks after."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.state = home / "state"
        self.folder = self.state / "inbox"
        self.index, self.calendar = Index(), Calendar()
        self.told: list[dict[str, Any]] = []
        self.priorities: dict[str, int] = {}
        self.flying: set[str] = set()
        self.intake = Intake(
            Spool(Home(str(home))),
            self.index,
            self.calendar,
            clock,
            own_priority=lambda cadence: self.priorities.get(cadence, 5),
            running_as=lambda file: file if file in self.flying else None,
            look_after=lambda _running, _file: None,
            tell=lambda event: self.told.append(dict(event)),
        )

    def write(self, name: str, text: str = '{"cadence": "x"}', at: float | None = None) -> str:
        """Let a producer write a file."""
        (self.folder / name).write_text(text)
        if at is not None:
            os.utime(self.folder / name, (at, at))
        return name

    def lay(self, place: str, tick: Tick) -> None:
        """Let a tick lie elsewhere."""
        folder = self.state / place
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / tick.name.file).write_bytes(tick.bytes())

    @property
    def names(self) -> list[str]:
        """What lies there now, as `ls` shows it."""
        return sorted(os.listdir(self.folder))

    @property
    def events(self) -> list[tuple[str, str | None]]:
        """What was told, and why."""
        return [(event["event"], event.get("class")) for event in self.told]


@pytest.fixture
def inbox(home: Path, fake_clock: FakeClock) -> Inbox:
    """Look after an inbox."""
    return Inbox(home, fake_clock)


def some(**changes: Any) -> Tick:
    """Make a tick."""
    members: dict[str, Any] = {"id": new_id(NOW), "cadence": "x", "created_at": NOW}
    return Tick(**members | changes)


def silent(inbox: Inbox, tick: Tick) -> str:
    """Write a tick whose producer gives no priority."""
    members = {key: value for key, value in tick.dump().items() if key != "priority"}
    return inbox.write(tick.name.file, json.dumps(members))


def test_a_canonical_name_is_taken_up_and_told_of_once(inbox: Inbox) -> None:
    """However often it is seen."""
    tick = some(priority=3)
    inbox.write(tick.name.file, tick.bytes().decode())
    for _ in range(2):
        inbox.intake.arrived([tick.name.file])
    assert tick.name.file in inbox.index
    assert inbox.told == [{"event": "tick.accepted", "cadence": "x", "tick": tick.id}]


def test_what_becomes_due_is_taken_up_and_told_of(inbox: Inbox) -> None:
    """Of its coming to inbox/; its acceptance was told when it came to deferred/."""
    tick = some(priority=3)
    inbox.write(tick.name.file, tick.bytes().decode())
    inbox.intake.ready([tick.name.file, "nonsense"])
    assert tick.name.file in inbox.index
    assert inbox.told == [{"event": "tick.due", "cadence": "x", "tick": tick.id}]


def test_what_flies_is_not_taken_up_beside_its_flight(inbox: Inbox) -> None:
    """One that comes back from a run is, when that flight is over."""
    tick = some(priority=3)
    inbox.write(tick.name.file, tick.bytes().decode())
    inbox.flying.add(tick.name.file)
    inbox.intake.arrived([tick.name.file])
    inbox.intake.ready([tick.name.file])
    assert len(inbox.index) == 0
    assert inbox.names == [tick.name.file]


@pytest.mark.parametrize("place", ["dead", "claimed", f"done/{DAY}"])
@pytest.mark.parametrize("way", ["arrived", "ready"])
def test_a_copy_of_what_is_elsewhere_is_buried(inbox: Inbox, place: str, way: str) -> None:
    """Its bytes are kept, and the tick whose id it bears is left alone."""
    tick = some()
    inbox.lay(place, tick)
    inbox.write(tick.name.file, tick.bytes().decode())
    getattr(inbox.intake, way)([tick.name.file])
    assert inbox.names == []
    assert len(inbox.index) == 0
    assert inbox.events == [("tick.dead", "duplicate_id")]
    assert place in inbox.told[0]["reason"]
    assert (inbox.state / place / tick.name.file).exists()
    (raw,) = (inbox.state / "dead").glob("*.raw")
    assert raw.read_bytes() == tick.bytes()


@pytest.mark.parametrize(("first", "second"), [(0, 9), (9, 0), (5, 6)])
def test_the_same_id_under_another_priority_is_no_second_tick(inbox: Inbox, first: int, second: int) -> None:
    """A copy from before a `bump`; the one that was bumped itself is a rename, and stays."""
    tick = some(priority=first)
    copy = tick.name.at(second).file
    inbox.write(tick.name.file, tick.bytes().decode())
    inbox.intake.arrived([tick.name.file])
    inbox.write(copy, tick.bytes().decode())
    inbox.intake.arrived([copy])
    assert inbox.names == [tick.name.file]
    os.rename(inbox.folder / tick.name.file, inbox.folder / copy)
    inbox.intake.arrived([copy])
    assert inbox.names == [copy]
    assert set(inbox.index.names()) == {copy}


def test_a_producer_that_gives_no_priority_gets_its_cadences(inbox: Inbox) -> None:
    """One rename, at first sight; who says 5 himself means it."""
    inbox.priorities["x"] = 2
    tick, meant = some(), some()
    silent(inbox, tick)
    inbox.write(meant.name.file, meant.bytes().decode())
    inbox.intake.arrived([tick.name.file, meant.name.file])
    assert inbox.names == [tick.name.at(2).file, meant.name.file]
    assert set(inbox.index.names()) == set(inbox.names)


def test_what_waited_before_gets_its_cadences_priority_too(inbox: Inbox) -> None:
    """At a start the index is filled without a look; only what can be meant is looked at."""
    tick, meant, other, bumped = some(), some(), some(cadence="other"), some(priority=1)
    for one in (tick, meant, other, bumped):
        silent(inbox, one)
    inbox.write(meant.name.file, meant.bytes().decode())
    inbox.index.fill(inbox.names)
    inbox.priorities["x"] = 7
    inbox.intake.priorities.begin()
    assert not inbox.intake.priorities.go_on()
    kept = [one.name.file for one in (other, meant, bumped)]
    assert inbox.names == sorted([*kept, tick.name.at(7).file])
    assert set(inbox.index.names()) == set(inbox.names)


def test_a_long_queue_gets_its_cadences_priority_beside_the_turns(
    inbox: Inbox, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start waited for all of it, with a sync each: ten thousand ticks took five seconds."""
    monkeypatch.setattr(own_priority, "_AT_A_START", 0.0)
    ticks = sorted((some() for _ in range(5)), key=lambda tick: tick.name.file)
    for tick in ticks:
        silent(inbox, tick)
    inbox.index.fill(inbox.names)
    inbox.index.pass_over("x")
    inbox.priorities["x"] = 3
    inbox.intake.priorities.begin()
    assert (
        set(inbox.index.names())
        == set(inbox.names)
        == {tick.name.file if n else tick.name.at(3).file for n, tick in enumerate(ticks)}
    )
    begun = ticks[1].name.file
    inbox.index.discard(begun)
    assert inbox.intake.priorities.go_on(0.0)
    assert begun in inbox.names
    inbox.intake.priorities.go_on(60.0)
    assert list(inbox.index.names()) == [tick.name.at(3).file for tick in ticks if tick is not ticks[1]]
    assert inbox.index.take_fresh("x") == [], "it came no later for that: nobody skips it"
    assert witness.seen.count("sync inbox") == 2


@pytest.mark.parametrize("own", [3, 7])
def test_the_oldest_of_a_long_queue_comes_first_while_it_is_renamed(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, own: int
) -> None:
    """What got a later place must not have those behind it pass."""
    monkeypatch.setattr(own_priority, "_AT_A_START", 0.0)
    oldest, *rest = sorted((some() for _ in range(9)), key=lambda tick: tick.name.file)
    for tick in (oldest, *rest):
        silent(inbox, tick)
    inbox.index.fill(inbox.names)
    inbox.priorities["x"] = own
    inbox.intake.priorities.begin()
    for left in range(8, 0, -1):
        head = inbox.index.head("x")
        assert head in {oldest.name.file, oldest.name.at(own).file}
        assert inbox.intake.priorities.go_on(0.0), left
    assert inbox.names == [tick.name.at(own).file for tick in (oldest, *rest)]


def test_a_rename_that_the_disk_refused_is_tried_again(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps inbox/ locked for a moment must not cost a tick its cadence's priority."""
    tick = some()
    silent(inbox, tick)
    inbox.index.fill(inbox.names)
    inbox.priorities["x"] = 7

    def refused(*_: object, **__: object) -> bool:
        raise BlockingIOError(errno.EAGAIN, "another program keeps it locked")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "rename", refused)
        for look in (inbox.intake.priorities.begin, inbox.intake.priorities.go_on):
            with pytest.raises(BlockingIOError):
                look()
    assert not inbox.intake.priorities.go_on(60.0)
    assert inbox.names == list(inbox.index.names()) == [tick.name.at(7).file]


def test_strangers_are_named_in_the_order_in_which_they_were_written(inbox: Inbox, witness: Witness) -> None:
    """One rename each, the content untouched, and the folder synced once."""
    text = '{"cadence": "x",  "mine": 1}'
    for name, at in (("b.json", NOW + 1), ("a.json", NOW + 2), ("c.json", NOW)):
        inbox.write(name, text, at)
    inbox.write(".d.json", text)
    inbox.write("e.tmp", text)
    inbox.intake.arrived(["a.json", "b.json", "c.json", ".d.json", "e.tmp", "gone.json"])
    assert [event["file"] for event in inbox.told] == ["c.json", "b.json", "a.json"]
    assert {event["event"] for event in inbox.told} == {"tick.accepted"}
    assert {event["source"] for event in inbox.told} == {"file"}
    named = [name for name in inbox.names if parse_name(name)]
    assert len(named) == 3
    assert set(inbox.names) == {".d.json", "e.tmp", *named}
    assert set(inbox.index.names()) == set(named)
    assert all((inbox.folder / name).read_text() == text for name in named)
    assert witness.seen[-1] == "sync inbox"
    assert witness.seen.count("sync inbox") == 1
    inbox.intake.ingest([".d.json"])
    assert witness.seen.count("sync inbox") == 1, "nothing was named"


def test_a_stranger_brings_its_own_id_and_priority(inbox: Inbox) -> None:
    """Where it gives none, the cadence's own priority is taken, and an id is made."""
    tick = some(priority=1)
    inbox.priorities["x"] = 8
    inbox.write("mine.json", tick.bytes().decode())
    inbox.write("yours.json")
    inbox.intake.arrived(["mine.json", "yours.json"])
    assert inbox.names[0] == tick.name.file
    name = parse_name(inbox.names[1])
    assert name is not None
    assert name.priority == 8
    assert is_id(name.id)


@pytest.mark.parametrize("priority", [0, 9])
@pytest.mark.parametrize("place", ["inbox", "claimed", "deferred", "dead", f"done/{DAY}"])
def test_an_id_that_is_taken_is_not_given_to_a_stranger(inbox: Inbox, place: str, priority: int) -> None:
    """Wherever and under whatever priority its tick lies; its bytes go to dead/."""
    tick = some(priority=priority)
    inbox.lay(place, tick)
    if place == "inbox":
        inbox.intake.arrived([tick.name.file])
    if place == "deferred":
        late = deferred_name(stamp(NOW + 9), tick.name)
        os.rename(inbox.state / "deferred" / tick.name.file, inbox.state / "deferred" / late)
        inbox.calendar.add(late)
    inbox.told.clear()
    inbox.write("copy.json", tick.bytes().decode())
    inbox.write("free.json", some().bytes().decode())
    inbox.intake.arrived(["copy.json", "free.json"])
    assert sorted(inbox.events, key=str) == [("tick.accepted", None), ("tick.dead", "duplicate_id")]
    dead = next(event for event in inbox.told if event["event"] == "tick.dead")
    assert f"{place}/" in dead["reason"]
    assert dead["file"] == "copy.json"
    assert "copy.json" not in inbox.names


@pytest.mark.parametrize("cadence", ["x", "z"])
def test_a_tick_that_a_hand_moved_is_no_copy_of_itself(inbox: Inbox, cadence: str) -> None:
    """`mv deferred/* inbox/`, and a tick given to another cadence: nothing lies where it lay."""
    late, other = some(), some()
    inbox.calendar.add(due := deferred_name(stamp(NOW + 9), late.name))
    inbox.lay("inbox", other)
    inbox.intake.arrived([other.name.file])
    (inbox.state / "inbox" / other.name.file).unlink()
    mine = json.loads(other.bytes()) | {"cadence": cadence}
    inbox.write("mine.json", json.dumps(mine))
    inbox.write(due, late.bytes().decode())
    inbox.intake.arrived([due, "mine.json"])
    assert {name.id for file in inbox.names if (name := parse_name(file))} == {late.id, other.id}
    assert not list(inbox.calendar.names())


def test_a_stranger_that_is_not_yet_due_waits_for_its_time(
    inbox: Inbox, witness: Witness, fake_clock: FakeClock
) -> None:
    """In deferred/, safe there before it is gone from inbox/; one whose time has come is ready."""
    now = fake_clock.wall()
    for name, due in (("late.json", now + 60), ("now.json", now)):
        inbox.write(name, json.dumps({"cadence": "x", "not_before": rfc3339(due)}))
    inbox.intake.arrived(["late.json", "now.json"])
    (late,) = os.listdir(inbox.state / "deferred")
    parsed = parse_deferred(late)
    assert parsed is not None
    assert parsed[0] == stamp(now + 60)
    assert inbox.calendar.first() == late
    assert len(inbox.names) == len(inbox.index) == 1
    assert witness.in_order("sync deferred", "sync inbox")
    assert len(inbox.told) == 2


def test_rubbish_is_given_its_time_and_then_buried(inbox: Inbox, fake_clock: FakeClock) -> None:
    """Its size, time and inode have to stand still for `settle`, to the very end of it."""
    inbox.write("half.json", '{"cadence": ')
    inbox.intake.arrived(["half.json"])
    assert inbox.intake.look_again_at() == fake_clock.monotonic() + 2.0
    fake_clock.advance(1.9)
    inbox.intake.arrived(["half.json"])
    assert inbox.names == ["half.json"]
    fake_clock.advance(0.1)
    inbox.intake.ingest(inbox.intake.doubtful(9))
    assert inbox.names == []
    assert inbox.events == [("tick.dead", "not_json")]
    assert inbox.told[0]["file"] == "half.json"
    assert inbox.intake.look_again_at() is None


def test_what_becomes_a_tick_in_time_is_one(inbox: Inbox, fake_clock: FakeClock) -> None:
    """Written in place, in two goes; under a stranger's name or its own."""
    tick = some()
    for name in ("half.json", tick.name.file):
        inbox.write(name, '{"cadence": ')
    inbox.intake.ingest(["half.json", tick.name.file])
    fake_clock.advance(1)
    for name in ("half.json", tick.name.file):
        inbox.write(name)
    inbox.intake.ingest(["half.json", tick.name.file])
    assert inbox.intake.look_again_at() is None
    assert len(inbox.index) == 2
    assert tick.name.file in inbox.index
    assert [event["event"] for event in inbox.told] == ["tick.accepted"], "its own name was told of before"


def test_with_no_time_to_settle_rubbish_is_buried_at_sight(inbox: Inbox) -> None:
    """`settle: 0`: nobody writes in place here."""
    inbox.write("half.json", "{")
    inbox.intake.settle = 0.01
    inbox.intake.arrived(["half.json"])
    assert inbox.events == [], "a hundredth of a second is some time"
    inbox.write("other.json", "{")
    inbox.intake.settle = 0
    inbox.intake.arrived(["other.json"])
    assert inbox.events == [("tick.dead", "not_json")]


def test_what_can_never_become_a_tick_is_buried_at_once(inbox: Inbox) -> None:
    """A folder, a link: no matter of what is written in the file, and never opened."""
    (inbox.folder / "folder.json").mkdir()
    (inbox.folder / "link.json").symlink_to("/etc/hostname")
    inbox.intake.arrived(["folder.json", "link.json"])
    assert inbox.names == []
    assert inbox.events == [("tick.dead", "not_a_file")] * 2


def test_what_nobody_can_take_away_holds_nobody_up(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount point, a folder of another user: the whole bus was held over it, again and again."""
    stuck, move = ["a.json", f"0-{stamp(NOW)}-x-7f3k9q2m.json"], files.move

    def refusing(source: str, target: str) -> None:
        if os.path.basename(source) in stuck:
            raise OSError(errno.EBUSY, "Device or resource busy", source, target)
        move(source, target)

    monkeypatch.setattr(files, "move", refusing)
    for file in stuck:
        (inbox.folder / file).mkdir()
    inbox.write("b.json")
    inbox.intake.arrived(inbox.names)
    inbox.intake.bury(stuck[1], BadTick("not_a_file", "a folder"))
    (named,) = set(inbox.names) - set(stuck)
    assert parse_name(named)
    assert list(inbox.index.queue("x")) == [named]


def test_doubts_about_what_is_gone_are_forgotten(inbox: Inbox, fake_clock: FakeClock) -> None:
    """Its producer took it back."""
    inbox.write("half.json", "{")
    inbox.intake.arrived(["half.json"])
    (inbox.folder / "half.json").unlink()
    fake_clock.advance(3)
    inbox.intake.ingest(inbox.intake.doubtful(9))
    assert inbox.intake.look_again_at() is None
    assert inbox.told == []


def test_what_turned_out_to_be_no_tick_leaves_the_queue(inbox: Inbox, fake_clock: FakeClock) -> None:
    """Seen at its turn: it had its name, and now it has had its time."""
    tick = some()
    inbox.write(tick.name.file, "{")
    inbox.intake.arrived([tick.name.file])
    fault = BadTick("not_json", "cut")
    inbox.intake.bury(tick.name.file, fault)
    assert tick.name.file in inbox.index
    fake_clock.advance(2)
    inbox.intake.bury(tick.name.file, fault)
    inbox.intake.bury("gone.json", fault)
    assert inbox.names == []
    assert len(inbox.index) == 0
    assert inbox.events == [("tick.accepted", None), ("tick.dead", "not_json")]


def test_a_name_that_speaks_of_a_cadence_that_nobody_knows(inbox: Inbox) -> None:
    """Its content may speak of another: then it is renamed; else it is buried for good."""
    tick, unknown = some(), some(cadence="unknown")
    wrong = tick.name.file.replace("-x-", "-unknown-")
    inbox.write(wrong, tick.bytes().decode())
    inbox.write(unknown.name.file, unknown.bytes().decode())
    inbox.intake.arrived(inbox.names)
    fault = BadTick("unknown_cadence", "unknown")
    inbox.told.clear()
    inbox.intake.bury_unknown(wrong, fault)
    inbox.intake.bury_unknown(unknown.name.file, fault)
    assert inbox.names == [tick.name.file]
    assert set(inbox.index.names()) == {tick.name.file}
    assert inbox.events == [("tick.dead", "unknown_cadence")]


@pytest.mark.parametrize("place", ["inbox", "runs"])
def test_an_id_that_is_another_cadences_is_taken(inbox: Inbox, place: str) -> None:
    """Who came first keeps it, though its cadence may be held and the other one could start at once."""
    first = some(cadence="y")
    if place == "inbox":
        inbox.lay("inbox", first)
        inbox.intake.arrived([first.name.file])
    else:
        folder = inbox.state / "runs" / DAY / f"{first.id}.1"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text('{"cadence": "y"}')
    inbox.told.clear()
    inbox.write("b.json", json.dumps({"id": first.id, "cadence": "x"}))
    inbox.intake.arrived(["b.json"])
    assert inbox.events == [("tick.dead", "duplicate_id")]
    assert place in inbox.told[0]["reason"]


def test_a_tick_that_somebody_moved_back_by_hand_is_no_copy_of_itself(inbox: Inbox) -> None:
    """Its runs are its own; under which name it came does not matter."""
    tick = some()
    folder = inbox.state / "runs" / DAY / f"{tick.id}.1"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text('{"cadence": "x"}')
    inbox.write("again.json", tick.bytes().decode())
    inbox.intake.arrived(["again.json"])
    assert inbox.names == [tick.name.file]


def test_a_file_that_grows_for_ever_is_waited_for_no_longer_than_others(
    inbox: Inbox, fake_clock: FakeClock
) -> None:
    """`run --once` would not come to its end: such a file has its time, counted from when it was found."""
    inbox.write("log.json", "x")
    inbox.intake.arrived(["log.json"])
    for size in (2, 3):
        assert inbox.intake.undecided()
        fake_clock.advance(1.0)
        inbox.write("log.json", "x" * size)
        inbox.intake.ingest(["log.json"])
    assert not inbox.intake.undecided(), "it is still written, and left to whoever comes next"
    fake_clock.advance(2.0)
    assert inbox.intake.undecided(), "now it has stood still, and is to be buried"
    inbox.intake.ingest(inbox.intake.doubtful(9))
    assert (inbox.names, inbox.intake.undecided()) == ([], False)


def test_doubts_come_in_the_order_of_their_time_and_not_all_at_once(inbox: Inbox) -> None:
    """What changed meanwhile waits anew, behind the others; a look costs nothing where nothing is due."""
    intake, clock = inbox.intake, inbox.clock
    names = [inbox.write(f"{at}.json", "{") for at in range(5)]
    assert intake.look_again_at() is None
    intake.arrived(names)
    clock.advance(1.5)
    intake.arrived([inbox.write("0.json", '{"cadence": ')])
    assert intake.doubtful(10) == []
    clock.advance(0.5)
    assert intake.look_again_at() == clock.monotonic()
    assert intake.doubtful(3) == ["1.json", "2.json", "3.json"]
    intake.ingest(intake.doubtful(10))
    assert len(inbox.told) == 4
    assert inbox.names == ["0.json"]
    assert intake.look_again_at() == clock.monotonic() + 1.5
