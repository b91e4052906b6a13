"""Money and turns: counted exactly, per local day, through any order of events."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.cadence import Backoff, Cadence
from cadencebus.model.hold import BUS
from cadencebus.model.memory import CredentialsMemory, Spending, bus_memory, cadence_memory
from cadencebus.model.memory_keys import check_memory
from cadencebus.model.settlement import Remembered, RunFacts, Settlement
from cadencebus.model.tick import Tick
from cadencebus.policy import brakes, budgets
from cadencebus.policy.classes import Class, verdict_on
from cadencebus.policy.settle import settle

BERLIN = "Europe/Berlin"
NOON = datetime(2026, 11, 21, 12, tzinfo=ZoneInfo(BERLIN)).timestamp()
LIMITED = Cadence(name="x", max_usd_per_day=1.0, timezone=BERLIN, max_turns=10, backoff=Backoff(jitter=0.0))


def ended(
    memory: dict[str, Any],
    klass: Class = Class.OK,
    *,
    cadence: Cadence = LIMITED,
    now: float = NOON,
    usd: float | None = None,
    bus: dict[str, Any] | None = None,
    limit: float | None = None,
) -> Settlement:
    """Settle a run and apply what it changes to the memories, as the store would."""
    tick = Tick(id="20261121T023000.123456Z-7f3k9q2m", cadence="x", created_at=now)
    facts = RunFacts(run="r", started_at=now - 5, usd=usd, agent=True)
    remembered = Remembered(
        cadence=cadence_memory(memory),
        credentials=CredentialsMemory(),
        bus=bus_memory(bus or {}),
        usd_per_day=limit,
    )
    settlement = settle(
        tick, verdict_on(klass, "so"), cadence, "claude", facts, remembered, now=now, rng=random.Random(1)
    )
    memory |= budgets.booked(memory, settlement.memory["x"])
    if bus is not None:
        bus |= budgets.booked(bus, settlement.memory.get("_bus", {}))
    return settlement


def test_money_is_counted_by_the_local_day() -> None:
    """The same noon is another day at the other end of the world."""
    assert budgets.today(NOON, BERLIN) == "2026-11-21"
    assert budgets.today(NOON, "Pacific/Auckland") == "2026-11-22"


@given(st.permutations(list(range(12))), st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_what_is_booked_is_exact_in_any_order(order: list[int], days: list[int]) -> None:
    """Also where the plans were made from the same old memory: a booking is added, not written over."""
    memory: dict[str, Any] = {"failures": 2}
    for n in order:
        patch = {"booking": {"day": f"2026-11-2{days[n]}", "usd": 0.1 * (n + 1)}, "last": n}
        memory = {**memory, **budgets.booked(memory, patch)}
    for day in set(days):
        total = sum(0.1 * (n + 1) for n in range(12) if days[n] == day)
        assert memory["spent"].get(f"2026-11-2{day}", 0.0) == pytest.approx(total, abs=1e-7)
    assert (memory["failures"], memory["last"]) == (2, order[-1])
    assert "booking" not in memory


def test_whatever_an_agent_says_that_it_cost_can_be_read_again() -> None:
    """A sum beyond what a memory may hold would set it aside, and the circuit with it."""
    memory: dict[str, Any] = {}
    for _ in range(3):
        memory |= budgets.booked(memory, {"booking": {"day": "2026-11-21", "usd": 1e18}})
    check_memory(memory)
    assert budgets.used_up("bus", 1e9, bus_memory(memory).spending, BERLIN, NOON) is not None


def test_only_some_days_are_kept() -> None:
    """The memory does not grow for ever."""
    memory: dict[str, Any] = {}
    for n in range(40):
        memory |= budgets.booked(memory, {"booking": {"day": f"day {n}", "usd": 1.0}})
    assert list(memory["spent"]) == ["day 36", "day 37", "day 38", "day 39"]


def test_money_is_warned_of_once_and_holds_until_midnight() -> None:
    """At eighty per cent a word, at a hundred the end; a failed run costs as well."""
    memory: dict[str, Any] = {}
    told = []
    for usd, klass in ((0.5, Class.OK), (0.29, Class.CRASH), (0.01, Class.OK), (0.1, Class.OK)):
        events = ended(memory, klass, usd=usd).events
        told.append([event["reason"] for event in events if event["event"] == "budget.warned"])
    assert told == [[], [], ["$0.80 of today's $1.00 are spent (80 %)"], []]
    assert brakes.brake(LIMITED, cadence_memory(memory), running=0, now=NOON) is None
    ended(memory, usd=0.1)
    hold = brakes.brake(LIMITED, cadence_memory(memory), running=0, now=NOON)
    assert hold is not None
    assert (hold.reason, hold.until) == ("daily_budget", NOON + 12 * 3600)
    # The next day is a new one, and a higher limit lets go at once.
    assert brakes.brake(LIMITED, cadence_memory(memory), running=0, now=NOON + 12 * 3600) is None
    assert (
        brakes.brake(replace(LIMITED, max_usd_per_day=2.0), cadence_memory(memory), running=0, now=NOON)
        is None
    )


def test_a_warning_counts_from_its_limit_and_says_the_share() -> None:
    """Four fifths of any limit; what a run gives back, or does not know, is not booked."""
    assert budgets.posting(7.9, 10.0, Spending(), BERLIN, NOON)[1] is None
    patch, said = budgets.posting(8.0, 10.0, Spending(by_day={"2026-11-21": 1.0}), BERLIN, NOON)
    assert said == "$9.00 of today's $10.00 are spent (90 %)"
    assert patch == {"booking": {"day": "2026-11-21", "usd": 8.0}, "warned": "2026-11-21"}
    for nothing in (None, 0.0, -0.5):
        assert budgets.posting(nothing, 10.0, Spending(), BERLIN, NOON) == ({}, None)


def test_the_bus_has_a_purse_of_its_own() -> None:
    """All cadences together, whether or not they have a limit themselves."""
    bus: dict[str, Any] = {}
    events = ended({}, usd=4.0, bus=bus, limit=5.0).events
    assert [event["account"] for event in events if event["event"] == "budget.warned"] == ["x", BUS]
    assert budgets.used_up(BUS, 5.0, bus_memory(bus).spending, None, NOON) is None
    ended({}, usd=1.0, bus=bus, limit=5.0)
    hold = budgets.used_up(BUS, 5.0, bus_memory(bus).spending, None, NOON)
    assert hold is not None
    assert hold.file == "bus.daily_budget.json"


def breaches(memory: dict[str, Any], cadence: Cadence, times: list[float]) -> list[list[str]]:
    """End a run over its turns at each of these times; the holds of each."""
    return [
        [hold.reason for hold in ended(memory, Class.TURN_LIMIT, cadence=cadence, now=at).holds]
        for at in times
    ]


def test_five_breaches_in_a_row_pause_whatever_kind_they_are() -> None:
    """A good run in between forgets them."""
    memory: dict[str, Any] = {}
    hourly = replace(LIMITED, every=3600.0)
    kinds = [Class.TURN_LIMIT, Class.BUDGET] * 2
    for n, klass in enumerate(kinds):
        assert [h.reason for h in ended(memory, klass, cadence=hourly, now=NOON + n).holds] == ["backoff"]
    ended(memory, cadence=hourly)
    assert breaches(memory, hourly, [NOON] * 5) == [["backoff"]] * 4 + [["turn_budget"]]


def test_a_changed_limit_has_two_intervals_of_grace() -> None:
    """Breaches within it say nothing; after it they count from where they stood."""
    memory: dict[str, Any] = {}
    hourly = replace(LIMITED, every=3600.0)
    breaches(memory, hourly, [NOON] * 4)
    raised = replace(hourly, max_turns=20)
    assert breaches(memory, raised, [NOON + 1, NOON + 3600, NOON + 7201]) == [["backoff"]] * 3
    assert breaches(memory, raised, [NOON + 7202]) == [["turn_budget"]]


@pytest.mark.parametrize(
    ("keys", "grace"),
    [
        ({"every": 600.0}, 1200),
        ({"schedule": "0 */6 * * *"}, 43200),
        ({"schedule": "0 */6 * * *", "expires_at": NOON + 6 * 3600}, 3600),
        ({}, 3600),
    ],
)
def test_the_interval_is_that_of_the_schedule(keys: dict[str, Any], grace: float) -> None:
    """Half an hour where nothing is scheduled, or only once more."""
    cadence = replace(LIMITED, **keys)
    known = budgets.limits(cadence, {"max_turns": 1}, NOON)
    assert budgets.in_grace(cadence, known, NOON + grace)
    assert not budgets.in_grace(cadence, known, NOON + grace + 1)
    assert not budgets.in_grace(cadence, known, NOON - 1)


def test_a_limit_seen_for_the_first_time_is_not_a_changed_one() -> None:
    """Or a new cadence could never be paused."""
    known = budgets.limits(LIMITED, None, NOON)
    assert known == {"max_turns": 10, "max_usd": None, "changed_at": None}
    assert not budgets.in_grace(LIMITED, known, NOON)
