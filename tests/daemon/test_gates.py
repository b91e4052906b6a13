"""Gates and starvation on a clock moved by hand: what they set, what they let go, what they tell."""

from __future__ import annotations

import asyncio
import json
import math
import os
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import parse_rfc3339
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.gates import Gate, gates_of, prime
from cadencebus.daemon.hold_keeper import HoldKeeper
from cadencebus.daemon.starvation import Starvation
from cadencebus.policy import gates
from cadencebus.policy.admit import Wait
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cadencebus.daemon.gear import Gear
    from tests.conftest import FakeClock


@pytest.fixture
def gear_with(home: Path, fake_clock: FakeClock) -> Iterator[Callable[..., Gear]]:
    """Put a consumer's gear together, on the fake clock, with these gates."""
    made: list[Gear] = []

    def make(**gates: Any) -> Gear:
        gear = assemble(Home(str(home)), flags={"gates": gates}, say=lambda _: None)
        gear.clock = fake_clock
        made.append(gear)
        return gear

    yield make
    for gear in made:
        gear.journal.close()


def gate(gear: Gear, name: str) -> Gate[Any]:
    """Find one of the gates."""
    gear.holds.all(gear.clock.wall())
    return next(one for one in gates_of(gear) if one.name == name)


def ask(gear: Gear, one: Gate[Any]) -> dict[str, dict[str, Any]]:
    """Ask it when it is due; read the holds afterwards."""
    if one.due_in() <= 0:
        asyncio.run(one.do())
    return {hold.file: hold.dump() for hold in gear.holds.all(gear.clock.wall())}


def told(home: Path) -> list[str]:
    """Read the events of the journal."""
    lines = [line for path in (home / "state" / "events").iterdir() for line in path.read_text().splitlines()]
    return [json.loads(line)["event"] for line in lines]


def test_starts_wait_ten_minutes_for_a_person_then_some_go_then_it_begins_anew(
    home: Path, gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """One hold, told once each time; its beginning survives a restart."""
    gear = gear_with(pressure={"command": ["true"], "delay": 30, "at_most": "10m"})
    one = gate(gear, "pressure")
    began = fake_clock.wall()
    for _ in range(10):
        assert "bus.pressure.json" in ask(gear, one)
        fake_clock.advance(30)
    # Another consumer comes: whoever restarts it does not make anybody wait longer.
    gear = gear_with(pressure={"command": ["true"], "delay": 30, "at_most": "10m"})
    one = gate(gear, "pressure")
    while "bus.pressure.json" in ask(gear, one):
        fake_clock.advance(30)
    assert fake_clock.wall() - began == 600
    assert "longest" in (one.answer.detail if one.answer else "")
    fake_clock.advance(30)
    assert "bus.pressure.json" in ask(gear, one)
    assert told(home) == ["hold.set", "hold.released", "hold.set"]


def test_whoever_touched_a_file_is_at_work_whatever_lies_beside_it(
    gear_with: Callable[..., Gear], fake_clock: FakeClock, tmp_path: Path
) -> None:
    """For the gate's time or the file's own; what can't be read counts by its age, what is no file never."""
    gear = gear_with(pressure={"dir": str(tmp_path / "who"), "on_error": "hold"})
    one = gate(gear, "pressure")

    def who() -> str:
        fake_clock.advance(30)
        ask(gear, one)
        return one.answer.detail if one.answer else ""

    assert who() == "nobody is at work", "not even a folder"
    folder = tmp_path / "who"
    (folder / "a-folder").mkdir(parents=True)
    os.mkfifo(folder / "b-pipe")
    (folder / "c-loop").symlink_to("c-loop")
    (folder / "d-gone").symlink_to("nowhere")
    for name, said, age in ((".hidden", "", 0), ("old", "", 301), ("brief", "10s", 40), ("future", "", -400)):
        (folder / name).write_text(said)
        os.utime(folder / name, (fake_clock.wall() + 30 - age,) * 2)
    assert who() == "nobody is at work"
    (folder / "zoe").write_text("2h\nfor the morning")
    os.utime(folder / "zoe", (fake_clock.wall() - 7000,) * 2)
    assert who() == "zoe is at work"
    (folder / "much").write_text("x" * 5000)
    os.utime(folder / "much", (fake_clock.wall(),) * 2)
    assert who() == "much is at work"
    (tmp_path / "who").rename(tmp_path / "was")
    (tmp_path / "who").touch()
    assert who().endswith("Not a directory (on_error: hold)")


def test_a_gate_that_is_taken_out_of_the_settings_lets_go(
    gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """Also what a former consumer's gate left; a person's own hold of that name stands."""
    gear = gear_with(memory={"min_free_mb": 1e9})
    assert "bus.memory.json" in ask(gear, gate(gear, "memory"))
    fake_clock.advance(5)
    gear = gear_with()
    assert ask(gear, gate(gear, "memory")) == {}
    assert gate(gear, "load").due_in() <= 0, "looked at once"


def test_each_gate_is_asked_in_its_own_time(gear_with: Callable[..., Gear], fake_clock: FakeClock) -> None:
    """At once where it is new, then as often as its settings say; never where there is none."""
    gear = gear_with(usage={"command": ["echo", "5"], "every": "70s"}, memory={"min_free_mb": 0})
    for name, every in {"usage": 70.0, "memory": gates.LOOK_EVERY}.items():
        one = gate(gear, name)
        assert one.due_in() <= 0
        ask(gear, one)
        assert one.due_in() == every
        fake_clock.advance(every)
        assert one.due_in() == 0
    none = gate(gear, "load")
    ask(gear, none)
    assert none.due_in() == math.inf


def test_a_gate_that_fails_is_told_of_once_and_when_it_answers_again(
    home: Path, gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """Each way once, in the journal and to whoever reads along; the hold says so meanwhile."""
    said: list[str] = []
    gear = gear_with(usage={"command": ["sh", "-c", "test -f well && echo 5 || exit 3"], "every": 60})
    gear.say = said.append
    one = gate(gear, "usage")
    for _ in range(2):
        held = ask(gear, one)["bus.usage.json"]
        assert held["at_most"] == 1
        assert "one session at a time" in held["detail"]
        fake_clock.advance(60)
    (home / "well").touch()
    for _ in range(2):
        assert ask(gear, one) == {}
        fake_clock.advance(60)
    assert told(home) == ["gate.failing", "hold.set", "gate.well", "hold.released"]
    assert [text.partition(":")[0] for text in said] == ["gate usage", "gate usage answers again"]


def test_a_plan_of_some_credentials_holds_nobody_else(gear_with: Callable[..., Gear]) -> None:
    """What the gate is about is what it holds; without a name that is the whole bus."""
    usage = {"command": ["echo", "95 %"]}
    gear = gear_with(usage=usage | {"credentials": "openai"})
    assert list(ask(gear, gate(gear, "usage"))) == ["credentials-openai.usage.json"]
    gear = gear_with(usage=usage)
    assert "bus.usage.json" in ask(gear, gate(gear, "usage"))


def test_a_hold_that_a_person_released_stays_away_for_five_minutes(
    home: Path, gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """The gate goes on asking, and sets it again afterwards."""
    gear = gear_with(memory={"min_free_mb": 1e9})
    one = gate(gear, "memory")
    ask(gear, one)
    (home / "state" / "holds" / "bus.memory.json").unlink()
    # The folder is watched: a turn looks at once.
    gear.holds.all(fake_clock.wall())
    for _ in range(29):
        fake_clock.advance(10)
        assert ask(gear, one) == {}
    fake_clock.advance(30)
    assert "bus.memory.json" in ask(gear, one)


def test_before_the_first_start_the_commands_are_asked(
    gear_with: Callable[..., Gear], fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run --once` has one turn: it started a session, whatever the plan was used up to."""
    # However busy the machine.
    monkeypatch.setattr("cadencebus.daemon.gates._AT_START", 60.0)
    gear = gear_with(usage={"command": ["echo", "95"]}, pressure={"command": ["true"]})
    asyncio.run(prime(gear, gates_of(gear)))
    holds = {hold.file: hold for hold in gear.holds.all(fake_clock.wall())}
    assert {file: hold.lets_through(fake_clock.wall()) for file, hold in holds.items()} == {
        "bus.usage.json": 0,
        "bus.pressure.json": 0,
    }


def test_before_the_first_start_what_is_not_known_is_not_zero(
    gear_with: Callable[..., Gear], fake_clock: FakeClock, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time until a slow command has spoken; but what it said to a former consumer stands."""
    monkeypatch.setattr("cadencebus.daemon.gates._AT_START", 0.05)
    slow = "until [ -e go ]; do sleep 0.01; done; echo 95"
    gear = gear_with(usage={"command": ["sh", "-c", slow]}, memory={"min_free_mb": 1e9})
    asyncio.run(prime(gear, gates_of(gear)))
    (home / "go").touch()
    holds = {hold.file: hold for hold in gear.holds.all(fake_clock.wall())}
    assert holds["bus.usage.json"].lets_through(fake_clock.wall()) == 1
    assert holds["bus.memory.json"].lets_through(fake_clock.wall()) == 0
    assert ask(gear, gate(gear, "usage"))["bus.usage.json"].get("at_most") is None
    asyncio.run(prime(gear, gates_of(gear)))
    (usage,) = (hold for hold in gear.holds.all(fake_clock.wall()) if hold.reason == "usage")
    assert usage.lets_through(fake_clock.wall()) == 0


def test_before_the_first_start_a_gate_that_is_no_more_lets_go(
    gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """`run --once` has one turn: what waited for a gate that was taken out of cadence.yaml starts in it."""
    gear = gear_with(memory={"min_free_mb": 1e9}, usage={"command": ["echo", "95"]})
    asyncio.run(prime(gear, gates_of(gear)))
    gear = gear_with()
    asyncio.run(prime(gear, gates_of(gear)))
    assert gear.holds.all(fake_clock.wall()) == []


def test_a_hold_of_a_gate_that_nobody_asks_any_more_ends_by_itself(
    gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """A consumer that died must not leave a bus that is shut for ever."""
    gear = gear_with(memory={"min_free_mb": 1e9})
    ask(gear, gate(gear, "memory"))
    fake_clock.advance(120)
    keeper = HoldKeeper(gear, lambda _: None, lambda: None)
    assert keeper.in_force(fake_clock.wall()) == []


def test_starvation_is_told_once_and_shown_until_it_ends(
    home: Path, gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """An hour of full slots, counted from when it is seen to wait; between two looks lies a second."""
    starvation = Starvation(gear_with())
    waits = {"x": Wait("full", "all 2 session slots are taken"), "y": Wait("auth")}
    assert starvation.starving == []
    since = fake_clock.wall() + 1
    for seconds in (1, 3599, 0.5):
        fake_clock.advance(seconds)
        starvation.look(waits)
        assert starvation.starving == []
    fake_clock.advance(0.5)
    for _ in range(3):
        starvation.look(waits)
        (row,) = starvation.starving
        assert row["cadence"] == "x"
        assert row["reason"] == "all 2 session slots are taken"
        assert abs(parse_rfc3339(row["since"]) - since) < 0.01
        fake_clock.advance(600)
    assert told(home) == ["cadence.starving"]
    starvation.look({"y": Wait("auth")})
    assert starvation.starving == []


def test_a_start_between_two_looks_ends_starvation(
    home: Path, gear_with: Callable[..., Gear], fake_clock: FakeClock
) -> None:
    """Not every turn looks at thousands who wait; who has started meanwhile has not waited for an hour."""
    starvation = Starvation(gear_with())
    waits = {name: Wait("full", "all 2 session slots are taken") for name in ("x", "y")}
    for _ in range(12_000):
        fake_clock.advance(0.4)
        starvation.started("x")
        starvation.look(waits)
    assert [row["cadence"] for row in starvation.starving] == ["y"]
    assert told(home) == ["cadence.starving"]
