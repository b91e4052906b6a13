"""Telling people: once of each incident, once of its end, and never in the way of anything."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.notifier import Notifier
from cadencebus.model.hold import BUS, Hold, hold_event
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cadencebus.daemon.gear import Gear
    from tests.conftest import FakeClock

ALL = ["dead", "failed", "circuit", "hold", "recovered"]
DAY = 86400.0


class Desk:
    """A consumer's gear with one who wants to know, and what was told."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.home, self.clock = home, clock
        self.said: list[str] = []
        self.made: list[Gear] = []
        self.start()

    def start(self, *events: str, command: str = "cat >> told", notify: bool = True) -> None:
        """Let a consumer come up, as after a restart."""
        wants = {"command": ["sh", "-c", command], "events": list(events) or ALL}
        flags = {"notify": [wants] if notify else []}
        self.gear = assemble(Home(str(self.home)), flags=flags, say=self.said.append)
        self.gear.clock = self.clock
        self.made.append(self.gear)
        self.notifier = Notifier(self.gear)
        if notify:
            self.read()

    def happens(self, event: str, **members: Any) -> None:
        """Write a line into the journal."""
        self.gear.tell({"event": event, "cadence": "x", **members})

    def read(self) -> list[tuple[str, str]]:
        """Let it read on to the end; kind and incident of what was told."""
        self.gear.holds.all(self.clock.wall())
        file = self.home / "told"
        file.unlink(missing_ok=True)
        for _ in range(20):
            self.clock.advance(1)
            if self.notifier.due_in() > 0:
                break
            asyncio.run(self.notifier.do())
        else:
            pytest.fail("it is never done")
        lines = file.read_text().splitlines() if file.exists() else []
        return [(one["notice"], one["incident"]) for one in map(json.loads, lines)]


@pytest.fixture
def desk(home: Path, fake_clock: FakeClock) -> Iterator[Desk]:
    """Make a desk."""
    (home / "prompts" / "x.md").write_text('---\nrunner: command\ncommand: ["true"]\n---\nDo it.\n')
    made = Desk(home, fake_clock)
    yield made
    for gear in made.made:
        gear.journal.close()
        gear.launcher.close()


def test_an_incident_is_told_once_and_its_end_once(desk: Desk) -> None:
    """However often it is repeated, and whoever was restarted in between."""
    desk.happens("circuit.opened")
    desk.happens("circuit.opened")
    assert desk.read() == [("circuit", "circuit:x")]
    desk.start()
    desk.happens("circuit.opened")
    assert desk.read() == []
    desk.happens("circuit.closed")
    assert desk.read() == [("recovered", "circuit:x")]
    desk.happens("circuit.closed")
    assert desk.read() == []


def test_what_happened_before_anybody_wanted_to_know_is_no_news(desk: Desk) -> None:
    """The first look begins at the journal's end."""
    (desk.home / "state" / "notices.json").unlink()
    desk.happens("circuit.opened")
    desk.start()
    assert desk.read() == []


def test_what_happened_while_nobody_was_to_be_told_is_told_then(desk: Desk) -> None:
    """Somebody who switches notices off and on again missed nothing of the day."""
    desk.start(notify=False)
    assert desk.notifier.due_in() == math.inf
    desk.happens("circuit.opened")
    desk.start()
    assert "circuit:x" in (desk.home / "told").read_text()


def test_what_a_consumer_finds_a_day_later_is_no_news_but_an_incident(desk: Desk) -> None:
    """Its beginning is not told any more; its end is, being of today."""
    desk.happens("circuit.opened")
    desk.clock.advance(DAY + 10)
    desk.start()
    assert desk.read() == []
    desk.happens("circuit.closed")
    assert desk.read() == [("recovered", "circuit:x")]


def test_an_incident_without_an_end_is_forgotten_after_a_month(desk: Desk) -> None:
    """Then it may be told again."""
    desk.happens("circuit.opened")
    assert desk.read()
    desk.clock.advance(31 * DAY)
    desk.happens("tick.dead", **{"class": "crash"})
    assert desk.read() == [("dead", "dead:x:crash")]
    desk.happens("circuit.opened")
    assert desk.read() == [("circuit", "circuit:x")]


def test_a_hold_that_somebody_removed_by_hand_is_over(desk: Desk) -> None:
    """The journal does not tell of that; a hold that stands is none of it."""
    hold = Hold(scope=BUS, reason="usage", since=desk.clock.wall(), detail="95 %")
    desk.gear.holds.set(hold, durable=False)
    desk.gear.tell(hold_event("hold.set", hold.file))
    assert desk.read() == [("hold", "hold:bus.usage.json")]
    assert desk.read() == []
    (desk.home / "state" / "holds" / hold.file).unlink()
    assert desk.read() == [("recovered", "hold:bus.usage.json")]


def test_a_cadence_has_the_last_word_on_what_is_told_of_it(desk: Desk) -> None:
    """Only what it names; one that can't be read has no word."""
    prompt = desk.home / "prompts" / "x.md"
    prompt.write_text(prompt.read_text().replace("runner", "notify: [dead]\nrunner"))
    desk.happens("circuit.opened")
    desk.happens("tick.dead", **{"class": "crash"})
    assert desk.read() == [("dead", "dead:x:crash")]
    prompt.write_text("---\nrunner: [\n---\n")
    desk.happens("tick.dead", **{"class": "timeout"})
    desk.happens("run.ended", **{"class": "crash"})
    assert sorted(desk.read()) == [("dead", "dead:x:timeout"), ("failed", "failed:x")]


def test_a_command_that_fails_is_told_of_and_not_tried_again(desk: Desk) -> None:
    """What it said last is the reason."""
    desk.start(command="echo no such channel >&2; exit 3")
    desk.happens("circuit.opened")
    desk.read()
    (said,) = desk.said
    assert said == "a notice could not be given: sh ended with exit 3: no such channel"
    text = "".join(path.read_text() for path in (desk.home / "state" / "events").iterdir())
    assert text.count('"notice.failed"') == 1


def test_a_burst_is_read_breath_by_breath(desk: Desk) -> None:
    """A busy bus writes a hundred lines a second; none of them is looked at by itself."""
    desk.happens("circuit.opened")
    assert desk.read()
    desk.happens("circuit.closed")
    assert desk.notifier.due_in() <= 0
    asyncio.run(desk.notifier.do())
    assert desk.notifier.due_in() == math.inf
    desk.happens("circuit.opened")
    assert desk.notifier.due_in() == 1


def test_a_flood_of_what_nobody_wants_to_know_hides_nothing(desk: Desk) -> None:
    """Whoever asked for dead letters only hears of the one behind two dozen failures."""
    desk.start("dead")
    for n in range(24):
        desk.happens("run.ended", **{"class": "crash", "cadence": f"c{n}"})
    desk.happens("tick.dead", **{"class": "crash"})
    desk.happens("run.ended", **{"class": "crash", "cadence": "last"})
    assert desk.read() == [("dead", "dead:x:crash")]


def test_what_could_not_be_remembered_is_told_when_it_can(desk: Desk) -> None:
    """A disk that was full for a moment cost every notice of that moment."""
    notes = desk.home / "state" / "notices.json"
    notes.unlink()
    notes.mkdir()
    desk.happens("circuit.opened")
    with pytest.raises(OSError, match="directory"):
        desk.read()
    notes.rmdir()
    assert desk.read() == [("circuit", "circuit:x")]


def test_a_line_that_does_not_say_when_is_of_now(desk: Desk) -> None:
    """Somebody wrote it by hand."""
    desk.happens("tick.accepted")
    (journal,) = (desk.home / "state" / "events").iterdir()
    with journal.open("a") as file:
        file.write('{"event": "circuit.opened", "cadence": "x", "at": "just now"}\n')
    assert desk.read() == [("circuit", "circuit:x")]


@pytest.mark.parametrize(
    "torn", ["{", "[]", '{"day": "2027-01-15", "offset": 0, "open": {"a": 1}}', '{"open": {}}']
)
def test_a_memory_that_is_torn_is_set_aside_and_said(desk: Desk, torn: str) -> None:
    """It begins at the journal's end then: nobody is told a month of it again."""
    desk.happens("circuit.opened")
    (desk.home / "state" / "notices.json").write_text(torn)
    desk.start()
    assert desk.read() == []
    assert len(list((desk.home / "state").glob("notices.json.corrupt-*"))) == 1
    assert "notices.json can't be read" in desk.said[0]
