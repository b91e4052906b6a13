"""What an ending says about more than its cadence: credentials, network, machine."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.model.cadence import Cadence
from cadencebus.model.hold import Hold, hold_of
from cadencebus.model.memory import CadenceMemory, bus_memory, credentials_memory
from cadencebus.model.settlement import Remembered, RunFacts, Settlement
from cadencebus.model.tick import Tick
from cadencebus.policy.classes import Class, verdict_on
from cadencebus.policy.settle import settle
from cadencebus.policy.wider_effects import one_first

NOW = 1_800_000_000.0
NETWORK = "bus.network.json"
LIMIT = "credentials-anthropic.rate_limited.json"


class World:
    """The memories beyond a cadence, and the holds, over some endings."""

    def __init__(self) -> None:
        self.bus: dict[str, Any] = {}
        self.credentials: dict[str, Any] = {}
        self.holds: dict[str, Hold] = {}

    def ends(
        self,
        klass: Class,
        at: float,
        *,
        agent: bool = True,
        began: float | None = None,
        retry_at: float | None = None,
    ) -> Settlement:
        """End a run."""
        tick = Tick(id="20261121T023000.123456Z-7f3k9q2m", cadence="x", created_at=NOW)
        facts = RunFacts(run="r", started_at=at - 1 if began is None else began, agent=agent)
        holds = tuple(self.holds.values())
        remembered = Remembered(
            cadence=CadenceMemory(),
            credentials=credentials_memory(self.credentials),
            bus=bus_memory(self.bus),
            holds=holds,
        )
        known = Cadence(name="x")
        verdict = verdict_on(klass, "it said so", retry_at=retry_at)
        settled = settle(tick, verdict, known, "anthropic", facts, remembered, now=at, rng=random.Random(1))
        self.bus |= settled.memory.get("_bus", {})
        self.credentials |= settled.memory.get("_credentials-anthropic", {})
        for file in settled.releases:
            self.holds.pop(file, None)
        self.holds |= {hold.file: hold for hold in settled.holds}
        return settled


def test_half_an_hour_without_network_holds_the_bus_and_probes_one_at_a_time() -> None:
    """Not earlier, not after one or two tries; its probes grow rarer; the first answer releases it."""
    world = World()
    for at in (0.0, 60.0, 1799.0):
        assert world.ends(Class.NETWORK, NOW + at).attempt["counted"]
        assert NETWORK not in world.holds
    world.ends(Class.NETWORK, NOW + 1800)
    hold = world.holds[NETWORK]
    assert hold.until is None
    assert (hold.lets_through(NOW + 1801), hold.lets_through(NOW + 1800 + 300)) == (0, 1)
    assert hold.changes_at(NOW + 1801) == NOW + 2100
    # From here on it is nobody's fault: no attempt is burned, no circuit opened.
    lengths = []
    for _ in range(5):
        at = parse_rfc3339((world.holds[NETWORK].extra or {})["probe_at"])
        settled = world.ends(Class.NETWORK, at)
        assert not settled.attempt["counted"]
        assert settled.memory["x"].get("failures") is None
        lengths.append((world.holds[NETWORK].extra or {})["probe_every"])
    assert lengths == [600, 1200, 1800, 1800, 1800]
    assert world.holds[NETWORK].since == NOW
    world.ends(Class.OK, NOW + 90000)
    assert NETWORK not in world.holds
    assert world.bus["network"] is None
    # Two tries are too few, however far apart.
    for at, held in ((90001, False), (99001, False), (99002, True)):
        assert world.ends(Class.NETWORK, NOW + at).attempt["counted"]
        assert (NETWORK in world.holds) is held


def test_sessions_that_fail_together_make_the_first_probe_no_rarer() -> None:
    """They had started before the bus was held: what they met is no news, and the first probe stays near."""
    world = World()
    for at in (0, 900):
        world.ends(Class.NETWORK, NOW + at)
    for at in range(1800, 1808):
        world.ends(Class.NETWORK, NOW + at, began=NOW + 1700)
        assert (world.holds[NETWORK].extra or {})["probe_at"] == rfc3339(NOW + 2100)
    assert world.bus["network"]["tries"] == 10
    world.ends(Class.NETWORK, NOW + 2110, began=NOW + 2100)
    assert (world.holds[NETWORK].extra or {})["probe_every"] == 600


@pytest.mark.parametrize(
    ("klass", "agent", "proves"),
    [
        (Class.OK, True, True),
        (Class.AUTH, True, True),
        (Class.OVERLOADED, True, True),
        (Class.RATE_LIMITED, True, True),
        (Class.CRASH, True, False),
        (Class.KILLED, True, False),
        (Class.OK, False, False),
    ],
)
def test_whoever_was_answered_by_the_other_end_proves_the_network(
    klass: Class, agent: bool, proves: bool
) -> None:
    """A plain command that ends well proves nothing."""
    world = World()
    for at in (0, 900, 1800):
        world.ends(Class.NETWORK, NOW + at)
    assert NETWORK in world.holds
    world.ends(klass, NOW + 2200, agent=agent)
    assert (NETWORK not in world.holds) is proves


def test_a_probe_time_that_a_clock_jump_made_nonsense_is_due() -> None:
    """A day ahead is further than it was ever long; written and read back it is the same."""
    world = World()
    for at in (0, 900, 1800):
        world.ends(Class.NETWORK, NOW + at)
    hold = hold_of(NETWORK, world.holds[NETWORK].dump(), seen=NOW)
    assert hold == world.holds[NETWORK]
    assert hold is not None
    assert hold.lets_through(NOW + 1801) == 0
    assert hold.lets_through(NOW + 1801 - 86400) == 1


def test_ten_sessions_that_meet_one_limit_are_one_limit() -> None:
    """They had started before the hold was set: the next one is doubled, not these."""
    world = World()
    for n in range(10):
        world.ends(Class.RATE_LIMITED, NOW + n, began=NOW - 5)
    hold = world.holds["credentials-anthropic.rate_limited.json"]
    assert hold.until is not None
    assert hold.until - (NOW + 9) == 300
    # Another kind of failure says nothing of the limit; the second in a row is doubled.
    world.ends(Class.CRASH, NOW + 390)
    world.ends(Class.RATE_LIMITED, NOW + 400)
    assert (world.holds["credentials-anthropic.rate_limited.json"].until or 0) - (NOW + 400) == 600
    # A good run ends the streak.
    world.ends(Class.OK, NOW + 1100)
    world.ends(Class.RATE_LIMITED, NOW + 1200)
    assert (world.holds["credentials-anthropic.rate_limited.json"].until or 0) - (NOW + 1200) == 300


def test_a_session_that_is_told_no_time_does_not_shorten_a_hold_whose_end_is_known() -> None:
    """Both began before it was set; what begins after it has news, as has all once the clock was set back."""
    world = World()
    world.ends(Class.RATE_LIMITED, NOW, began=NOW - 5, retry_at=NOW + 7200)
    known = world.holds[LIMIT]
    world.ends(Class.RATE_LIMITED, NOW + 1, began=NOW - 5)
    assert world.holds[LIMIT] == known
    # A longer one there is, too: the week's.
    world.ends(Class.RATE_LIMITED, NOW + 2, began=NOW - 5, retry_at=NOW + 86400)
    assert (world.holds[LIMIT].until or 0) > NOW + 86400
    world.ends(Class.RATE_LIMITED, NOW + 3, began=NOW + 2.5, retry_at=NOW + 60)
    assert NOW + 60 < (world.holds[LIMIT].until or 0) < NOW + 80
    world.ends(Class.RATE_LIMITED, NOW - 3600, began=NOW - 3601)
    assert world.holds[LIMIT].since == NOW - 3600


@pytest.mark.parametrize(
    ("klass", "served"),
    [
        (Class.OK, True),
        (Class.CONTRACT_MISSING, True),
        (Class.TURN_LIMIT, True),
        (Class.CRASH, False),
        (Class.OVERLOADED, False),
        (Class.KILLED, False),
    ],
)
def test_after_a_limit_one_goes_first_and_lets_the_others_go_when_it_was_served(
    klass: Class, served: bool
) -> None:
    """For a minute at most; a run from before the limit, or from during it, says nothing of its end."""
    world = World()
    world.ends(Class.RATE_LIMITED, NOW, began=NOW - 5)
    hold = world.holds[LIMIT]
    assert hold.until == NOW + 300
    for began in (NOW - 5, NOW + 1):
        world.ends(klass, NOW + 2, began=began)
        assert LIMIT in world.holds
    first = one_first(hold, NOW + 301)
    assert first is not None
    assert (first.file, first.lets_through(NOW + 301), first.until) == (LIMIT, 1, NOW + 361)
    assert one_first(first, NOW + 361) is None
    usage = replace(first, reason="usage")
    world.holds |= {LIMIT: first, usage.file: usage}
    world.ends(klass, NOW + 310, began=NOW + 302)
    assert (LIMIT not in world.holds) is served
    assert usage.file in world.holds


def test_what_a_person_wrote_ends_when_it_says() -> None:
    """Only the bus's own hold on a limit is followed by a probe."""
    written = Hold(scope="credentials-anthropic", reason="rate_limited", since=NOW, until=NOW + 1, by="me")
    assert one_first(written, NOW + 2) is None
    assert one_first(Hold(scope="bus", reason="resources", since=NOW, until=NOW + 1), NOW + 2) is None


def test_a_machine_without_room_is_asked_ever_more_seldom() -> None:
    """One second, two, four … a minute; a good run begins anew."""
    world = World()
    lengths = []
    for n in range(8):
        world.ends(Class.NO_RESOURCES, NOW + 100 * n)
        lengths.append((world.holds["bus.resources.json"].until or 0) - (NOW + 100 * n))
    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60]
    world.ends(Class.OK, NOW + 900)
    world.ends(Class.NO_RESOURCES, NOW + 1000)
    assert (world.holds["bus.resources.json"].until or 0) - (NOW + 1000) == 1


def test_a_hold_on_credentials_knows_what_would_mend_it() -> None:
    """The cadence that met it, and the marks of what it started from."""
    world = World()
    settled = world.ends(Class.AUTH, NOW)
    (hold,) = settled.holds
    assert hold.extra == {"cadence": "x", "fingerprints": {}}
