"""A month on a bus in memory: the real rules, a clock moved from event to event, and all kinds of weather.

Nothing here decides anything: it keeps ticks in lists where the program keeps files in folders, asks
`admit`, `settle`, the brakes and the circuit what to do, does that, and looks whether it was right.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest

from cadencebus.clock import stamp
from cadencebus.model.cadence import Backoff, Cadence, CircuitRules
from cadencebus.model.hold import UNTIL_RELEASED, Hold, hold_of
from cadencebus.model.memory import bus_memory, cadence_memory, credentials_memory
from cadencebus.model.memory_keys import check_memory
from cadencebus.model.settlement import Remembered, RunFacts, settlement_of
from cadencebus.model.tick import Tick
from cadencebus.policy import brakes, budgets
from cadencebus.policy.admit import Caps, Running, Waiting, admit
from cadencebus.policy.circuit import half_open
from cadencebus.policy.classes import Class, verdict_on
from cadencebus.policy.settle import settle

START = 1_793_500_000.0
HOUR, DAY = 3600.0, 86400.0
MONTH = 30 * DAY
SLOTS = 3
MOST_RUNS_OF_A_TICK = 50


def steady(_: float, __: random.Random) -> Class:
    """Work well, always."""
    return Class.OK


def flaky(_: float, rng: random.Random) -> Class:
    """Fail now and then, in various ways."""
    return rng.choices(
        [Class.OK, Class.CRASH, Class.TIMEOUT, Class.OVERLOADED, Class.KILLED], [70, 15, 5, 5, 5]
    )[0]


def doomed(_: float, __: random.Random) -> Class:
    """Fail, always."""
    return Class.CRASH


def recovering(at: float, _: random.Random) -> Class:
    """Fail for three days of every six."""
    return Class.CRASH if (at - START) % (6 * DAY) < 3 * DAY else Class.OK


def limited(at: float, rng: random.Random) -> Class:
    """Meet a limit each evening, which says nothing of its end."""
    return Class.RATE_LIMITED if (at % DAY) > 20 * HOUR and rng.random() < 0.7 else Class.OK


def locked_out(at: float, _: random.Random) -> Class:
    """Have no key from the tenth to the twelfth day."""
    return Class.AUTH if 10 * DAY < at - START < 12 * DAY else Class.OK


def misconfigured(at: float, _: random.Random) -> Class:
    """Have a broken command for five hours of each week."""
    return Class.NEVER_RAN if (at - START) % (7 * DAY) < 5 * HOUR else Class.OK


def long_winded(at: float, _: random.Random) -> Class:
    """Use up its turns, in the first week."""
    return Class.TURN_LIMIT if at - START < 7 * DAY else Class.OK


def hopeless(_: float, rng: random.Random) -> Class:
    """Be refused now and then."""
    return Class.REFUSED if rng.random() < 0.1 else Class.OK


WEATHERS = {
    *("backoff", "circuit_open", "rate_limited", "auth", "network", "config", "turn_budget", "daily_budget"),
    *("runs_per_hour", "failures"),
}
CALM = Backoff(delays=(30.0, 120.0))
RULES = CircuitRules(failures=3, open=1800.0, max_open=14400.0)


def cadence(name: str, **keys: Any) -> Cadence:
    """Define one that runs each hour, every tick of it."""
    return Cadence(
        name=name, **{"every": HOUR, "backoff": CALM, "circuit": RULES, "overlap": "queue", **keys}
    )


CAST: dict[str, tuple[Cadence, Any]] = {
    "steady": (cadence("steady", every=1800.0), steady),
    "steady-2": (cadence("steady-2", priority=7), steady),
    "pair": (cadence("pair", concurrency=2, max_usd_per_day=6.0), flaky),
    "doomed": (cadence("doomed", max_runs_per_hour=30), doomed),
    "recovering": (cadence("recovering", pause_after=3), recovering),
    "limited": (cadence("limited", runner="gemini"), limited),
    "locked-out": (cadence("locked-out", runner="codex"), locked_out),
    "misconfigured": (cadence("misconfigured"), misconfigured),
    "long-winded": (cadence("long-winded", max_turns=20), long_winded),
    "hopeless": (cadence("hopeless", group=2), hopeless),
}


@dataclass
class Run:
    """A run on its way."""

    tick: Tick
    name: str
    id: str
    started_at: float
    ends_at: float
    probe: bool
    usd: float


@dataclass
class Bus:
    """Ticks in lists; what is remembered and held is written and read back at every restart."""

    rng: random.Random
    now: float = START
    inbox: dict[str, list[Tick]] = field(default_factory=lambda: defaultdict(list))
    running: list[Run] = field(default_factory=list)
    holds: dict[str, Hold] = field(default_factory=dict)
    memory: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    last_started: dict[str, float] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    spent: Counter[tuple[str, str]] = field(default_factory=Counter)
    waited: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    seen: Counter[str] = field(default_factory=Counter)
    ids: int = 0
    healthy: bool = False

    def arrive(self, name: str) -> None:
        """Put a tick in."""
        self.ids += 1
        tick = Tick(id=f"{stamp(self.now)}-{self.ids:08d}", cadence=name, created_at=self.now)
        self.inbox[name].append(tick)
        self.accepted[name] += 1

    def turn(self) -> float:
        """Let go, admit, start; say when something changes by itself."""
        for file in [file for file, hold in self.holds.items() if hold.over(self.now)]:
            del self.holds[file]
        changes = [at for hold in self.holds.values() if (at := hold.changes_at(self.now)) is not None]
        while True:
            heads = []
            for name, queue in self.inbox.items():
                busy = sum(run.name == name for run in self.running)
                if not queue:
                    continue
                brake = brakes.brake(
                    CAST[name][0], cadence_memory(self.memory[name]), running=busy, now=self.now
                )
                if brake is None:
                    heads.append(self.head(name, queue[0]))
                elif brake.until is not None:
                    self.seen[brake.reason] += 1
                    changes.append(brake.until)
            crowd = [Running(cadence=r.name, credentials=CAST[r.name][0].runner) for r in self.running]
            answer = admit(
                heads, crowd, list(self.holds.values()), Caps(sessions=SLOTS, inline=1), now=self.now
            )
            if not answer.starts:
                return min((at for at in changes if at > self.now), default=float("inf"))
            for head in answer.starts:
                self.start(head)

    def head(self, name: str, tick: Tick) -> Waiting:
        """Describe the head of a queue, as the lineup does."""
        known = CAST[name][0]
        held = f"cadence-{name}.circuit_open.json" in self.holds
        return Waiting(
            cadence=name,
            file=f"{known.priority}-{tick.id[:23]}-{name}-{tick.id[24:]}.json",
            priority=known.priority,
            group=known.group,
            concurrency=known.concurrency,
            credentials=known.runner,
            half_open=half_open(cadence_memory(self.memory[name]), held=held),
            last_started=self.last_started.get(name, 0.0),
        )

    def start(self, head: Waiting) -> None:
        """Take the tick out and run it; no promise may be broken by it."""
        name = head.cadence
        tick = self.inbox[name].pop(0)
        mine = [run for run in self.running if run.name == name]
        assert len(mine) < CAST[name][0].concurrency
        assert not (mine and head.half_open), "one probe, beside nothing"
        assert len(self.running) < SLOTS
        for hold in self.holds.values():
            assert hold.lets_through(self.now) or not hold.covers(name, CAST[name][0].runner), hold
        waited = self.now - max(tick.created_at, self.last_started.get(name, 0.0))
        self.waited[name] = max(self.waited[name], waited)
        self.last_started[name] = self.now
        self.ids += 1
        self.runs[tick.id] += 1
        usd = round(self.rng.uniform(0, 0.3), 4)
        took = self.rng.uniform(5, 300)
        self.running.append(
            Run(tick, name, f"{tick.id}.{self.ids}", self.now, self.now + took, head.half_open, usd)
        )

    def land(self, run: Run, klass: Class | None = None) -> None:
        """End a run: judge, and do what the judgement says."""
        self.running.remove(run)
        known, weather = CAST[run.name]
        outage = 20 * DAY < self.now - START < 21 * DAY
        klass = klass or (
            Class.OK if self.healthy else Class.NETWORK if outage else weather(self.now, self.rng)
        )
        facts = RunFacts(
            run=run.id, started_at=run.started_at, probe=run.probe, usd=run.usd, agent=True, turns=3
        )
        remembered = Remembered(
            cadence=cadence_memory(self.memory[run.name]),
            credentials=credentials_memory(self.memory[f"_credentials-{known.runner}"]),
            bus=bus_memory(self.memory["_bus"]),
        )
        decided = settle(
            run.tick,
            verdict_on(klass, "so it ended"),
            known,
            known.runner,
            facts,
            remembered,
            now=self.now,
            rng=self.rng,
        )
        # As a crash would leave it: only what was written counts.
        plan = settlement_of(json.loads(json.dumps(decided.dump())))
        for file in plan.releases:
            self.holds.pop(file, None)
        self.holds |= {hold.file: hold for hold in plan.holds}
        self.seen.update(hold.reason for hold in plan.holds)
        for name, patch in plan.memory.items():
            self.memory[name] |= budgets.booked(self.memory[name], patch)
            # What a rule writes, the next start must be able to read.
            check_memory(self.memory[name])
        self.spent[run.name, budgets.today(self.now, known.timezone)] += run.usd  # type: ignore[assignment]
        if plan.target == "inbox":
            # Its name is its place: it goes back to where it stood.
            queue = self.inbox[run.name]
            queue.append(run.tick.tried(decided.attempt))
            queue.sort(key=lambda tick: tick.id)
        else:
            self.ended[f"{run.name} {plan.target}"] += 1

    def restart(self) -> None:
        """Stop and start: sessions live on, and all else is what was written."""
        self.memory = defaultdict(dict, json.loads(json.dumps(self.memory)))
        read = (
            hold_of(file, json.loads(json.dumps(h.dump())), seen=self.now) for file, h in self.holds.items()
        )
        self.holds = {hold.file: hold for hold in read if hold is not None}
        self.last_started = {}

    def reboot(self) -> None:
        """Lose the power: every session dies."""
        for run in list(self.running):
            self.land(run, Class.INTERRUPTED)
        self.restart()

    def resume_all(self) -> None:
        """An operator comes and releases what only an operator can."""
        self.holds = {f: h for f, h in self.holds.items() if h.reason not in UNTIL_RELEASED}

    def account(self) -> None:
        """Every tick is in exactly one place, and every cent is booked once."""
        for name in CAST:
            flying = [run.tick.id for run in self.running if run.name == name]
            waiting = [tick.id for tick in self.inbox[name]]
            assert len({*flying, *waiting}) == len(flying) + len(waiting)
            assert waiting == sorted(waiting)
            gone = self.ended[f"{name} done"] + self.ended[f"{name} dead"]
            assert self.accepted[name] == len(flying) + len(waiting) + gone
            day = budgets.today(self.now, None)
            assert cadence_memory(self.memory[name]).spending.on(day) == pytest.approx(self.spent[name, day])
        for name, circuit in ((n, self.memory[n].get("circuit")) for n in CAST):
            assert circuit is None or circuit["failures"] >= RULES.failures, name


def live(bus: Bus, until: float, *, firing: bool = True) -> None:
    """Move the clock from event to event."""
    arrivals = [(bus.now + CAST[name][0].every * bus.rng.random(), name) for name in CAST] if firing else []  # type: ignore[operator]
    heapq.heapify(arrivals)
    rounds, upkeep = 0, bus.now
    while bus.now < until:
        changes = bus.turn()
        ends = min((run.ends_at for run in bus.running), default=float("inf"))
        bus.now = min(changes, ends, arrivals[0][0] if arrivals else until, upkeep + 2 * HOUR, until)
        for run in [run for run in bus.running if run.ends_at <= bus.now]:
            bus.land(run)
        while arrivals and arrivals[0][0] <= bus.now:
            at, name = heapq.heappop(arrivals)
            bus.arrive(name)
            heapq.heappush(arrivals, (at + CAST[name][0].every, name))  # type: ignore[operator]
        if bus.now >= upkeep + 2 * HOUR:
            upkeep, rounds = bus.now, rounds + 1
            bus.account()
            bus.reboot() if rounds % 30 == 0 else bus.restart()
            if rounds % 12 == 0:
                bus.resume_all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_month_of_all_weathers_ends_with_nothing_lost_and_nothing_stuck(seed: int) -> None:
    """Thousands of ticks, a restart every two hours, an operator once a day; then all becomes well."""
    bus = Bus(rng=random.Random(seed))
    live(bus, START + (MONTH if seed == 1 else MONTH / 5))
    bus.account()
    # Healthy cadences beside sick ones: kept from a slot by nobody for long, and by no neighbour's hold.
    assert bus.ended["steady dead"] <= 1, "only what the outage took before it was known to be one"
    assert bus.waited["steady"] < 1.1 * DAY
    assert bus.ended["doomed done"] == 0
    assert max(bus.runs.values()) <= MOST_RUNS_OF_A_TICK
    bus.healthy = True
    for _ in range(8):
        bus.resume_all()
        live(bus, bus.now + DAY, firing=False)
    bus.account()
    left = {name: len(queue) for name, queue in bus.inbox.items() if queue}
    assert not left, f"stuck: {left}, held by {sorted(bus.holds)}"
    assert not bus.running
    if seed == 1:
        assert set(bus.seen) >= WEATHERS, "it was no month of all weathers"
