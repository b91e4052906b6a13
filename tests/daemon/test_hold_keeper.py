"""The brakes that a cadence's own rules put on it are told of as its own."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import rfc3339
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.consumer import Consumer
from cadencebus.daemon.hold_keeper import HoldKeeper
from cadencebus.daemon.lineup import _Turn
from cadencebus.model.cadence import Cadence
from cadencebus.model.hold import Hold
from cadencebus.model.memory import CadenceMemory
from cadencebus.model.settings import Notice
from cadencebus.policy import notices
from cadencebus.policy.budgets import today
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cadencebus.daemon.gear import Gear

LOOPING = Cadence(name="looping", max_runs_per_hour=1)


def test_a_brake_and_its_end_name_the_cadence(gear: Gear) -> None:
    """So that what the cadence says of its own notices is asked."""
    now = gear.clock.wall()
    told: list[Mapping[str, Any]] = []
    keeper = HoldKeeper(gear, told.append, lambda: None)
    memory = CadenceMemory(recent=[rfc3339(now - 60)])
    hold = keeper.brake(LOOPING, memory, 0, (), now)
    assert hold is not None
    assert keeper.brake(replace(LOOPING, max_runs_per_hour=9), memory, 0, {hold.file}, now) is None
    said = [(event["event"], event["reason"], event["cadence"]) for event in told]
    assert said == [("hold.set", "runs_per_hour", "looping"), ("hold.released", "runs_per_hour", "looping")]


@pytest.mark.parametrize(("by", "left"), [("consumer", []), ("me", ["cadence-looping.active_hours.json"])])
def test_only_what_the_consumer_wrote_is_let_go_by_its_rules(gear: Gear, by: str, left: list[str]) -> None:
    """A hold that a hand put there holds until a hand removes it, whatever its reason is called."""
    now = gear.clock.wall()
    gear.holds.set(Hold(scope="cadence-looping", reason="active_hours", since=now, by=by))
    keeper = HoldKeeper(gear, lambda _event: None, lambda: None)
    turn = _Turn({}, keeper.in_force(now), now)
    keeper.brake(LOOPING, CadenceMemory(), 0, turn.brakes.get("cadence-looping", ()), now)
    assert os.listdir(gear.home.holds) == left


def test_a_cadence_that_wants_to_hear_of_no_hold_hears_of_no_brake(gear: Gear) -> None:
    """Its own `notify` has the last word, whoever set the hold."""
    now = gear.clock.wall()
    told: list[Mapping[str, Any]] = []
    HoldKeeper(gear, told.append, lambda: None).brake(
        LOOPING, CadenceMemory(recent=[rfc3339(now - 60)]), 0, (), now
    )
    kind, incident = notices.begins(told[0]) or ("", "")
    news = notices.announced(kind, incident, told[0])
    assert (kind, news.cadence) == ("hold", "looping")
    everybody = Notice(events=("hold",), command=("true",))
    assert notices.wanted(everybody, news, None)
    assert not notices.wanted(everybody, news, ("dead",))


def test_what_is_over_is_let_go_and_told_and_after_a_limit_one_goes_first(gear: Gear) -> None:
    """A circuit's end is told as its probe; what only lies in memory, for a full disk, is not let go here."""
    now = gear.clock.wall()
    told: list[tuple[str, str]] = []

    def tell(event: Mapping[str, Any]) -> None:
        told.append((event["event"], event.get("reason") or event["cadence"]))

    keeper = HoldKeeper(gear, tell, lambda: None)
    limit = Hold(scope="credentials-anthropic", reason="rate_limited", since=now - 99, until=now - 1)
    for hold in (
        limit,
        Hold(scope="bus", reason="resources", since=now, until=now + 9),
        Hold(scope="bus", reason="disk_full", since=now - 9, until=now - 1),
        Hold(scope="cadence-x", reason="backoff", since=now - 9, until=now - 1),
        Hold(scope="cadence-x", reason="circuit_open", since=now - 9, until=now - 1),
    ):
        gear.holds.set(hold, durable=False)
    found = {hold.reason: hold for hold in keeper.in_force(now)}
    assert sorted(found) == ["rate_limited", "resources"]
    assert (found["rate_limited"].lets_through(now), found["rate_limited"].until) == (1, now + 60)
    assert sorted(told) == [
        ("circuit.half_open", "x"),
        ("hold.released", "backoff"),
        ("hold.released", "circuit_open"),
        ("hold.set", "rate_limited"),
    ]
    left = {"bus.disk_full.json", "bus.resources.json", limit.file}
    assert set(os.listdir(gear.home.holds)) == left
    told.clear()
    assert {hold.reason for hold in keeper.in_force(now + 61)} == set()
    assert told == [("hold.released", "resources"), ("hold.released", "rate_limited")]


def test_a_hold_is_let_go_in_its_time_also_where_nothing_waits_for_it(home: Path) -> None:
    """Its file, and circuit-open.json, said for up to half a minute what was no longer so."""

    async def pause() -> float:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        now = gear.clock.wall()
        gear.holds.set(Hold(scope="cadence-looping", reason="circuit_open", since=now, until=now + 5))
        consumer.turn()
        consumer.presence.beat()
        await consumer.crew.dismiss()
        return consumer.next_look()

    assert asyncio.run(pause()) <= 5


def test_the_money_of_a_day_holds_the_bus_until_its_limit_is_raised(home: Path) -> None:
    """Written down and told once each way, and then all is looked at anew; a cadence's own hold stands."""
    told: list[str] = []
    gear = assemble(Home(str(home)), flags={"max_usd_per_day": 1.0}, say=lambda _: None)
    keeper = HoldKeeper(gear, lambda event: told.append(event["event"]), lambda: None)
    now = gear.clock.wall()
    gear.holds.set(Hold(scope="cadence-x", reason="daily_budget", since=now))
    assert (len(keeper.in_force(now)), keeper.changed()) == (1, False)
    gear.memory.change("_bus", now, {"spent": {today(now, None): 1.2}})
    for changed in (True, False):
        assert {hold.file for hold in keeper.in_force(now)} >= {"bus.daily_budget.json"}
        assert (keeper.changed(), keeper.changed()) == (changed, False)
    gear.settings.current = replace(gear.settings.current, max_usd_per_day=2.0)
    keeper.in_force(now)
    assert (keeper.changed(), told) == (True, ["hold.set", "hold.released"])
    assert os.listdir(gear.home.holds) == ["cadence-x.daily_budget.json"]
    gear.journal.close()


def test_the_open_circuits_are_drawn_anew_when_one_opens_or_ends(gear: Gear) -> None:
    """Not at each look, and not for other holds."""
    now, drawn = gear.clock.wall(), [0]

    def draw() -> None:
        drawn[0] += 1

    keeper = HoldKeeper(gear, lambda _event: None, draw)
    gear.holds.set(Hold(scope="cadence-x", reason="backoff", since=now, until=now + 9))
    keeper.in_force(now)
    drawn[0] = 0
    keeper.in_force(now + 1)
    assert drawn == [0]
    gear.holds.set(Hold(scope="cadence-x", reason="circuit_open", since=now, until=now + 9))
    for at, times in ((now, 1), (now + 8, 1), (now + 10, 2), (now + 11, 2)):
        keeper.in_force(at)
        assert drawn == [times]
