"""A flight tells the turns of what they can do something about, and of nothing else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import pytest

from cadencebus.daemon import loop
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.consumer import Consumer
from cadencebus.daemon.flight import Flight
from cadencebus.model.cadence import Cadence
from cadencebus.policy.admit import Admission, Running, Wait
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.daemon.boarding import Boarded
    from cadencebus.model.ending import Report


@pytest.mark.parametrize(
    ("reasons", "rings"),
    [
        ((), False),
        (("running",), False),
        (("probing", "running"), False),
        (("running", "full"), True),
        (("rate_limit",), True),
    ],
)
def test_a_slot_that_gets_free_rings_where_somebody_waits_for_one(
    home: Path, reasons: tuple[str, ...], *, rings: bool
) -> None:
    """Who waits for a run of his own cadence to be settled is not helped by it; it is free either way."""

    async def story() -> tuple[bool, bool]:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        consumer.admission = Admission((), {f"x{n}": Wait(reason) for n, reason in enumerate(reasons)})
        flight = Flight(gear, "x", Cadence(name="x"), Running(cadence="x"))
        consumer.bell.clear()
        flight._make_room()
        return consumer.bell.is_set(), flight.running.landing

    assert asyncio.run(story()) == (rings, True)


def test_runs_are_counted_while_others_begin_and_land(home: Path) -> None:
    """The threads that start them ask beside the loop, which takes up flights and lets them go."""

    async def story() -> int:
        consumer = Consumer(assemble(Home(str(home)), flags={}, say=lambda _: None))

        class Landing:
            """A flight that lands, and makes way for two others, while it is being counted."""

            @property
            def running(self) -> Running:
                consumer.flights.pop("first", None)
                for name in ("second", "third"):
                    consumer.flights[name] = cast("Flight", self)
                return Running(cadence="x")

        consumer.flights["first"] = cast("Flight", Landing())
        return consumer.gear.running_count()

    assert asyncio.run(story()) == 1


def test_a_flight_that_an_error_ends_leaves_its_end_to_whoever_finds_it(home: Path) -> None:
    """While it is still the only one that may touch its tick: after that the tick may be claimed anew."""

    async def story() -> list[tuple[str, ...]]:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        flight = consumer.flights["file"] = Flight(gear, "file", Cadence(name="x"), Running(cadence="x"))
        forgotten: list[tuple[str, ...]] = []
        gear.settling.forget = lambda *what: forgotten.append((*what, *consumer.flights))  # type: ignore[method-assign]

        async def refused() -> None:
            raise OSError

        await consumer._follow(flight, refused())
        await consumer.crew.dismiss()
        gear.journal.close()
        assert not consumer.flights
        return forgotten

    assert asyncio.run(story()) == [("x", "file", "file")]


def test_no_two_ticks_of_one_id_are_begun_at_once(home: Path) -> None:
    """Of two cadences: neither has a run yet that the other's claim could see."""
    stamp, random = "20261121T023000.123456Z", "7f3k9q2m"
    one, other = (f"5-{stamp}-{cadence}-{random}.json" for cadence in ("x", "y"))
    (home / "prompts" / "y.md").write_text('---\ncommand: ["true"]\n---\n')
    (home / "state" / "inbox" / other).write_text('{"cadence": "y"}')

    async def story() -> list[str]:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        consumer.index.add(other)
        consumer.flights[one] = Flight(gear, one, Cadence(name="x"), Running(cadence="x"))
        consumer.turn()
        begun = list(consumer.flights)
        assert other not in consumer.index
        consumer._landed(consumer.flights.pop(one))
        # Now its claim sees what became of the other: a run of another cadence's, or nothing.
        assert other in consumer.index
        await consumer.crew.dismiss()
        gear.journal.close()
        gear.launcher.close()
        return begun

    assert asyncio.run(story()) == [one]


def test_what_an_agents_end_says_of_its_account_is_heard_before_its_slot_is_free(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the next tick of the same credentials is started into the same 401."""
    (home / "cadence.yaml").write_text("runners: {agent: {argv: ['true'], stream: claude}}\n")
    (home / "prompts" / "x.md").write_text("---\nrunner: agent\n---\n")
    (home / "state" / "inbox" / "x.json").write_text('{"cadence": "x"}')
    seen, settle = [], Flight._settle

    def settled(flight: Flight, boarded: Boarded, report: Report | None) -> None:
        seen.append(flight.running.landing)
        settle(flight, boarded, report)

    monkeypatch.setattr(Flight, "_settle", settled)
    asyncio.run(loop.run(assemble(Home(str(home)), flags={}, say=lambda _: None), "once"))
    assert seen == [False]


def test_a_tick_that_was_bumped_as_it_was_to_be_claimed_is_not_forgotten(home: Path) -> None:
    """Its flight finds nothing to claim; of its new name, which came meanwhile, no event tells again."""
    stamp, random = "20261121T023000.123456Z", "7f3k9q2m"
    old, new = (f"{priority}-{stamp}-x-{random}.json" for priority in (5, 0))
    (home / "prompts" / "x.md").write_text('---\ncommand: ["true"]\n---\n')
    (home / "state" / "inbox" / new).write_text('{"cadence": "x"}')

    async def story() -> tuple[bool, bool]:
        gear = assemble(Home(str(home)), flags={}, say=lambda _: None)
        consumer = Consumer(gear)
        consumer.flights[old] = Flight(gear, old, Cadence(name="x"), Running(cadence="x"))
        consumer.intake.arrived([new])
        beside = new in consumer.index
        consumer._landed(consumer.flights.pop(old))
        after = new in consumer.index
        gear.journal.close()
        return beside, after

    assert asyncio.run(story()) == (False, True)
