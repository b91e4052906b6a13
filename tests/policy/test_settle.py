"""It ended: what becomes of the tick, of its cadence's memory, what is held and what follows."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.clock import parse_rfc3339
from cadencebus.model.cadence import Backoff, Cadence, CircuitRules
from cadencebus.model.duration import LONGEST
from cadencebus.model.foreign import amount, whole
from cadencebus.model.memory import BusMemory, CredentialsMemory, cadence_memory
from cadencebus.model.memory_keys import check_memory
from cadencebus.model.settlement import FollowUp, Remembered, RunFacts, Settlement, settlement_of
from cadencebus.model.tick import Tick, read_members
from cadencebus.policy.backoff import wait_after
from cadencebus.policy.circuit import snapshot
from cadencebus.policy.classes import CLASSES, Class, verdict_on
from cadencebus.policy.settle import settle

NOW = 1_800_000_000.0
CALM = Backoff(delays=(30.0, 120.0), jitter=0.0)
CADENCE = Cadence(name="x", backoff=CALM)
SESSION = "0149af55-7b43-4c50-9c3e-0a5f8e6a4f0b"


def tick(failed: int = 0, klass: str = "crash", *, counted: bool = True) -> Tick:
    """Make a tick that has failed so many times."""
    attempts = tuple({"n": n, "class": klass, "counted": counted, "run": f"r{n}"} for n in range(failed))
    return Tick(id="20261121T023000.123456Z-7f3k9q2m", cadence="x", created_at=NOW, attempts=attempts)


def decide(
    klass: Class,
    one: Tick | None = None,
    cadence: Cadence = CADENCE,
    memory: dict[str, Any] | None = None,
    **facts: Any,
) -> Settlement:
    """Settle a run that ended in this class."""
    verdict = verdict_on(klass, "it was so", retry_at=facts.pop("retry_at", None))
    run = RunFacts(**{"run": "r9", "started_at": NOW - 5, **facts})
    remembered = Remembered(
        cadence=cadence_memory(memory or {}), credentials=CredentialsMemory(), bus=BusMemory()
    )
    return settle(one or tick(), verdict, cadence, "claude", run, remembered, now=NOW, rng=random.Random(7))


def held(settlement: Settlement) -> dict[str, float | None]:
    """Name the holds that are set, with their lengths."""
    return {h.file: None if h.until is None else h.until - NOW for h in settlement.holds}


@pytest.mark.parametrize(
    ("klass", "target", "holds"),
    [
        (Class.OK, "done", {}),
        (Class.CRASH, "inbox", {"cadence-x.backoff.json": 30.0}),
        (Class.CONTRACT_MISSING, "inbox", {"cadence-x.backoff.json": 30.0}),
        (Class.OVERLOADED, "inbox", {"cadence-x.backoff.json": 30.0}),
        (Class.TIMEOUT, "inbox", {"cadence-x.backoff.json": 30.0}),
        (Class.EX_TEMPFAIL, "inbox", {"cadence-x.backoff.json": 30.0}),
        (Class.TURN_LIMIT, "inbox", {"cadence-x.backoff.json": 30.0}),
        (Class.EX_CONFIG, "dead", {"cadence-x.backoff.json": 30.0}),
        (Class.REFUSED, "dead", {"cadence-x.backoff.json": 30.0}),
        (Class.BAD_PROMPT, "dead", {}),
        (Class.SKIPPED, "done", {}),
        (Class.KILLED, "done", {}),
        (Class.INTERRUPTED, "inbox", {}),
        (Class.AUTH, "inbox", {"credentials-claude.auth.json": None}),
        (Class.BILLING, "inbox", {"credentials-claude.billing.json": None}),
        (Class.RATE_LIMITED, "inbox", {"credentials-claude.rate_limited.json": 300.0}),
        (Class.NEVER_RAN, "inbox", {"cadence-x.config.json": None}),
        (Class.NO_RESOURCES, "inbox", {"bus.resources.json": 1.0}),
    ],
)
def test_each_ending_has_its_consequence(klass: Class, target: str, holds: dict[str, float | None]) -> None:
    """The table of docs/failures.md, from the first failure of a fresh tick."""
    settlement = decide(klass)
    assert settlement.target == target
    assert held(settlement) == holds


def test_a_settlement_tells_all_of_a_run_to_the_letter_and_to_the_journal() -> None:
    """Its attempt, its outcome, and in the journal its end, what became of the tick, and what it cost."""
    spent = replace(CADENCE, max_usd_per_day=1.0, timezone="UTC")
    run: dict[str, Any] = {
        "exit_code": 3,
        "stderr_tail": "oh",
        "logs": "runs/x",
        "usd": 0.9,
        "turns": 4,
        "ended_at": NOW - 1,
    }
    dead = decide(Class.CRASH, tick(2), spent, metrics={"tokens": 5}, absorbed=("a", "b"), **run)
    assert dead.attempt == {
        "n": 3,
        "started_at": "2027-01-15T07:59:55.000000Z",
        "ended_at": "2027-01-15T07:59:59.000000Z",
        "exit_code": 3,
        "signal": None,
        "class": "crash",
        "counted": True,
        "reason": "it was so",
        "stderr_tail": "oh",
        "run": "r9",
    }
    assert dead.outcome == {
        "status": "dead",
        "class": "crash",
        "reason": "it was so (attempt 3 of 3)",
        "finished_at": "2027-01-15T08:00:00.000000Z",
        "logs": "runs/x",
        "cure": CLASSES[Class.CRASH].cure,
        "absorbed": ["a", "b"],
    }
    ended = {"event": "run.ended", "class": "crash", "exit_code": 3, "signal": None, "seconds": 5.0}
    warned = "$0.90 of today's $1.00 are spent (90 %)"
    assert dead.events == (
        ended | {"reason": "it was so", "turns": 4, "usd": 0.9, "tokens": 5},
        {"event": "tick.dead", "class": "crash", "reason": "it was so (attempt 3 of 3)"},
        {"event": "budget.warned", "account": "x", "reason": warned},
    )
    assert decide(Class.OK).outcome == {
        "status": "ok",
        "class": "ok",
        "reason": "it was so",
        "finished_at": "2027-01-15T08:00:00.000000Z",
    }
    # What cost nothing is booked nowhere: no memory of the bus is written for it.
    assert decide(Class.OK).memory.keys() == {"x"}
    assert [decide(klass).events[1]["event"] for klass in (Class.OK, Class.CRASH)] == [
        "tick.done",
        "tick.again",
    ]
    # The same run judged once more, after a crash, is the same attempt.
    assert decide(Class.CRASH, tick(3), run="r2").attempt["n"] == 3


def test_retries_used_up_is_a_dead_letter_that_explains_itself() -> None:
    """The third counted failure with two retries; uncounted attempts don't bring it nearer."""
    assert decide(Class.CRASH, tick(1)).target == "inbox"
    dead = decide(Class.CRASH, tick(2))
    assert dead.target == "dead"
    assert dead.outcome is not None
    assert {"status", "class", "reason", "finished_at", "cure", "logs"} <= set(dead.outcome)
    assert "attempt 3 of 3" in dead.outcome["reason"]
    assert decide(Class.CRASH, tick(9, "rate_limited", counted=False)).target == "inbox"


def test_the_sixth_interruption_is_the_last() -> None:
    """Counted apart from attempts."""
    assert decide(Class.INTERRUPTED, tick(4, "interrupted", counted=False)).target == "inbox"
    dead = decide(Class.INTERRUPTED, tick(5, "interrupted", counted=False))
    assert dead.target == "dead"
    assert dead.outcome is not None
    assert dead.outcome["reason"] == "interrupted 6 times"
    assert decide(Class.OK, tick(5, "interrupted", counted=False)).target == "done"


@pytest.mark.parametrize(
    ("klass", "word"),
    [
        (Class.INTERRUPTED, "interrupted"),
        (Class.KILLED, "killed"),
        (Class.RESUME_UNKNOWN, "resume_unknown"),
    ],
)
def test_what_goes_back_at_once_again_and_again_is_paced(klass: Class, word: str) -> None:
    """The first time it is the machine's or a person's; a session that does it itself must not loop."""
    pauses = [held(decide(klass, tick(n, word, counted=False), requeue=True)) for n in range(5)]
    backoff = "cadence-x.backoff.json"
    assert pauses == [{}, {backoff: 0.25}, {backoff: 0.5}, {backoff: 1.0}, {backoff: 2.0}]


def test_the_pace_is_of_ends_in_a_row() -> None:
    """A requeue of last week says nothing of today's; what is final holds nothing; no pause takes hours."""
    past = (*tick(3, "killed", counted=False).attempts, {"class": "crash", "counted": True, "run": "r8"})
    assert held(decide(Class.KILLED, replace(tick(), attempts=past), requeue=True)) == {}
    assert held(decide(Class.KILLED, tick(3, "killed", counted=False))) == {}
    assert held(decide(Class.INTERRUPTED, tick(5, "interrupted", counted=False))) == {}
    often = decide(Class.KILLED, tick(40, "killed", counted=False), requeue=True)
    assert held(often) == {"cadence-x.backoff.json": 60.0}


def test_a_kill_with_requeue_counts_nothing() -> None:
    """The operator wants it again."""
    settlement = decide(Class.KILLED, requeue=True)
    assert (settlement.target, settlement.attempt["counted"]) == ("inbox", False)
    assert decide(Class.OK, requeue=True).target == "done", "it was faster"


def test_a_rate_limit_waits_for_its_reset() -> None:
    """Guessing earlier only burns the budget."""
    until = held(decide(Class.RATE_LIMITED, retry_at=NOW + 1200))["credentials-claude.rate_limited.json"]
    assert until is not None
    assert 1200 < until <= 1215


def test_a_resumed_session_that_grew_too_long_is_tried_once_more_afresh() -> None:
    """The memory forgets the session, so the next run has none to resume."""
    settlement = decide(Class.PROMPT_TOO_LONG, resumed=True)
    assert settlement.target == "inbox"
    assert settlement.memory["x"]["session_id"] is None
    assert decide(Class.PROMPT_TOO_LONG).target == "dead"
    assert decide(Class.BAD_PROMPT, resumed=True).target == "dead", "no session has to do with that"


def test_back_off_is_a_list_whose_last_repeats_or_grows_up_to_its_most() -> None:
    """Nothing before the first failure; jitter stays within its share."""
    flat = Backoff(delays=(30.0, 120.0), jitter=0.0)
    assert [wait_after(n, flat, random.Random(1)) for n in range(4)] == [0.0, 30.0, 120.0, 120.0]
    grows = Backoff(delays=(), initial=10.0, multiplier=3.0, max=100.0, jitter=0.0)
    assert [wait_after(n, grows, random.Random(1)) for n in range(1, 5)] == [10.0, 30.0, 90.0, 100.0]
    for_ever = replace(grows, max=None)
    assert [wait_after(n, for_ever, random.Random(1)) for n in (5, 999)] == [810.0, LONGEST]
    rng = random.Random(1)
    waits = [wait_after(1, Backoff(delays=(100.0,), jitter=0.1), rng) for _ in range(99)]
    assert 90 <= min(waits) < 92
    assert 108 < max(waits) <= 110


def test_the_circuit_opens_doubles_and_closes() -> None:
    """Three failures open it; a failed probe doubles it up to the most; a success forgets all."""
    memory: dict[str, Any] = {}
    rules = replace(CADENCE, circuit=CircuitRules(failures=3, open=100, max_open=300), retries=99)
    lengths = []
    for n in range(6):
        settlement = decide(Class.CRASH, cadence=rules, memory=memory, probe=n > 2)
        memory = {**memory, **settlement.memory["x"]}
        lengths.append(held(settlement))
    assert [set(h) for h in lengths] == [{"cadence-x.backoff.json"}] * 2 + [
        {"cadence-x.circuit_open.json"}
    ] * 4
    assert [h.get("cadence-x.circuit_open.json") for h in lengths[2:]] == [100.0, 200.0, 300.0, 300.0]
    well = decide(Class.OK, cadence=rules, memory=memory, probe=True)
    assert set(well.releases) == {"cadence-x.backoff.json", "cadence-x.circuit_open.json"}
    assert (well.memory["x"]["failures"], well.memory["x"]["circuit"]) == (0, None)


def test_a_session_is_remembered_until_another_one_or_a_useless_one() -> None:
    """A run that tells of none leaves the known one alone."""
    assert decide(Class.OK, session_id="s").memory["x"]["session_id"] == "s"
    assert "session_id" not in decide(Class.OK, memory={"session_id": "s"}).memory["x"]
    assert decide(Class.RESUME_UNKNOWN, resumed=True).memory["x"]["session_id"] is None
    # Begun anew and too long even so, or refused: the next tick would only meet that again.
    for klass in (Class.PROMPT_TOO_LONG, Class.REFUSED):
        for resumed in (True, False):
            assert decide(klass, session_id=SESSION, resumed=resumed).memory["x"]["session_id"] is None
    assert decide(Class.CRASH, session_id=SESSION).memory["x"]["session_id"] == SESSION


def test_averages_lean_to_the_newest_run() -> None:
    """Counted run by run, a fifth of the way each; what was not measured is not made up."""
    memory: dict[str, Any] = {}
    for turns in (10, 20, None):
        memory |= decide(Class.OK, memory=memory, turns=turns, usd=1.0).memory["x"]
    assert memory["averages"] == {"runs": 3, "seconds": 5.0, "turns": 12.0, "usd": 1.0}
    assert memory["last_run"]["seconds"] == 5.0


@pytest.mark.parametrize("klass", [Class.CRASH, Class.EX_TEMPFAIL, Class.TURN_LIMIT])
def test_a_back_off_of_nothing_is_no_hold(klass: Class) -> None:
    """`backoff: [0s]`: at once again, without a file that says so."""
    assert held(decide(klass, cadence=replace(CADENCE, backoff=Backoff(delays=(0.0,))))) == {}


def test_a_back_off_names_no_attempt_that_will_not_be() -> None:
    """The tick may be dead: the next one of its cadence waits."""
    (hold,) = decide(Class.EX_TEMPFAIL, tick(2)).holds
    assert hold.detail.startswith("after attempt 3: ")


def test_a_circuit_of_no_failures_never_opens_and_the_snapshot_lists_what_is_open_now() -> None:
    """A window that has passed is not listed, and nothing open is no file."""
    never = replace(CADENCE, circuit=CircuitRules(failures=0), retries=99)
    assert decide(Class.CRASH, cadence=never, memory={"failures": 50}).memory["x"]["circuit"] is None
    opened = decide(Class.CRASH, cadence=replace(CADENCE, circuit=CircuitRules(failures=1, open=100)))
    circuit = cadence_memory(opened.memory["x"]).circuit
    assert circuit is not None
    circuits = {"x": circuit}
    shown = snapshot(circuits, NOW + 99.9)
    assert shown is not None
    assert [row["cadence"] for row in shown["open"]] == ["x"]
    assert snapshot(circuits, NOW + 100) is None


def test_a_probe_that_proves_nothing_gives_its_permit_back_for_the_same_length() -> None:
    """Killed, interrupted, rate-limited: neither closed nor doubled."""
    opened = decide(Class.CRASH, cadence=replace(CADENCE, circuit=CircuitRules(failures=1, open=100)))
    memory = dict(opened.memory["x"])
    settlement = decide(Class.INTERRUPTED, memory=memory, probe=True)
    assert held(settlement) == {"cadence-x.circuit_open.json": 100.0}
    assert settlement.memory["x"]["circuit"]["failures"] == 1


@pytest.mark.parametrize("klass", [Class.TURN_LIMIT, Class.BUDGET])
@pytest.mark.parametrize("before", [0, 4])
def test_a_probe_over_its_budget_proves_nothing_either(klass: Class, before: int) -> None:
    """The circuit does not count it: neither does it let the next one go at once, nor is it no breach."""
    opened = decide(Class.CRASH, cadence=replace(CADENCE, circuit=CircuitRules(failures=1, open=100)))
    memory = {**opened.memory["x"], "streaks": {"turn_budget": before}}
    settlement = decide(klass, memory=memory, probe=True)
    paused = {"cadence-x.turn_budget.json": None} if before else {}
    assert held(settlement) == {"cadence-x.circuit_open.json": 100.0, **paused}
    assert settlement.memory["x"]["streaks"] == {"turn_budget": 0 if before else 1}


@pytest.mark.parametrize("klass", [Class.SKIPPED, Class.KILLED, Class.INTERRUPTED, Class.RATE_LIMITED])
def test_only_an_ok_resets_the_counters(klass: Class) -> None:
    """The rest leaves them as they are."""
    patch = decide(klass, memory={"failures": 2, "streaks": {"turn_limit": 3}}).memory["x"]
    assert "failures" not in patch
    assert "streaks" not in patch


def test_five_breaches_of_the_turn_budget_pause_the_cadence() -> None:
    """Their own streak, which opens no circuit."""
    settlement = decide(Class.TURN_LIMIT, memory={"streaks": {"turn_budget": 4}})
    assert held(settlement) == {"cadence-x.turn_budget.json": None}


def test_failed_ticks_in_a_row_pause_a_cadence_that_asks_for_it() -> None:
    """`pause_after: 2` at the second dead letter."""
    rules = replace(CADENCE, pause_after=2)
    assert "cadence-x.failures.json" not in held(decide(Class.CRASH, tick(2), rules, {"dead_in_a_row": 0}))
    assert held(decide(Class.CRASH, tick(2), rules, {"dead_in_a_row": 1}))["cadence-x.failures.json"] is None


@pytest.mark.parametrize(
    ("klass", "one"),
    [
        (Class.EX_TEMPFAIL, tick(2)),
        (Class.BAD_PROMPT, tick()),
        (Class.TURN_LIMIT, tick(2)),
        (Class.INTERRUPTED, tick(5, "interrupted", counted=False)),
    ],
)
def test_a_tick_that_died_of_what_no_circuit_counts_failed_all_the_same(klass: Class, one: Tick) -> None:
    """What `pause_after` counts are dead ticks, whatever they died of."""
    settlement = decide(klass, one, replace(CADENCE, pause_after=2), {"dead_in_a_row": 1})
    assert settlement.target == "dead"
    assert "cadence-x.failures.json" in held(settlement)
    assert settlement.memory["x"]["dead_in_a_row"] == 0


def test_what_follows_follows_once_and_never_mourns_a_mourner() -> None:
    """`then` after a success, `on_dead` after a death that did not come this way itself."""
    rules = replace(CADENCE, then=("y", "z"), on_dead="mourn")
    payload = {"after": tick().id, "cadence": "x"}
    then = [FollowUp(cadence=name, why="then", payload=payload) for name in ("y", "z")]
    assert list(decide(Class.OK, cadence=rules).follow_ups) == then
    assert (
        decide(Class.SKIPPED, cadence=rules).follow_ups
        == decide(Class.KILLED, cadence=rules).follow_ups
        == ()
    )
    failure = {
        "tick": tick().id,
        "cadence": "x",
        "class": "crash",
        "reason": "it was so (attempt 3 of 3)",
        "attempts": 3,
        "stderr_tail": "oh",
        "payload": {"week": 47},
    }
    dead = decide(Class.CRASH, replace(tick(2), payload={"week": 47}), rules, stderr_tail="oh")
    assert dead.follow_ups == (FollowUp(cadence="mourn", why="on_dead", payload=failure),)
    mourner = tick(2).noted(on_dead_of="somebody")
    assert decide(Class.CRASH, mourner, rules).follow_ups == ()
    assert decide(Class.CRASH, tick(0), rules).follow_ups == ()


@pytest.mark.parametrize(("deep", "carried"), [(0, True), (58, True), (59, False), (62, False)])
def test_a_payload_is_repeated_unless_that_would_nest_too_deep(deep: int, carried: bool) -> None:
    """The letter, with the plan still in it, must be read again; it has the payload in any case."""
    payload: dict[str, Any] = {}
    for _ in range(deep):
        payload = {"a": payload}
    whole = replace(tick(2), payload=payload)
    plan = decide(Class.CRASH, whole, replace(CADENCE, on_dead="mourn"))
    assert plan.follow_ups[0].payload["payload"] == (payload if carried else None)
    read_members(replace(whole, settling=plan.dump()).bytes())


@given(st.sampled_from(list(Class)), st.integers(0, 6), st.booleans(), st.booleans())
def test_every_class_settles_and_its_plan_survives_being_written(
    klass: Class, failed: int, probe: bool, requeue: bool
) -> None:
    """Exactly one place; an outcome if and only if it has ended; the plan reads back as it was."""
    settlement = decide(klass, tick(failed), probe=probe, requeue=requeue)
    assert (settlement.outcome is None) == (settlement.target == "inbox")
    again = settlement_of(settlement.dump())
    assert (again.target, again.run, again.memory, again.releases) == (
        settlement.target,
        settlement.run,
        settlement.memory,
        settlement.releases,
    )
    assert [h.dump() for h in again.holds] == [h.dump() for h in settlement.holds]


@given(st.lists(st.sampled_from([Class.OK, Class.CRASH, Class.KILLED, Class.INTERRUPTED]), max_size=30))
def test_the_streak_is_exactly_the_failures_since_the_last_success(history: list[Class]) -> None:
    """Over any history."""
    memory: dict[str, Any] = {}
    streak = 0
    for klass in history:
        memory |= decide(klass, memory=memory, probe=bool(memory.get("circuit"))).memory["x"]
        streak = 0 if klass is Class.OK else streak + (klass is Class.CRASH)
        assert memory.get("failures", 0) == streak
        circuit = memory.get("circuit")
        assert bool(circuit) == (streak >= 3)
        assert circuit is None or parse_rfc3339(circuit["until"]) > NOW


def test_a_guard_that_found_nothing_to_do_is_no_run_for_the_brake() -> None:
    """It may look every ten seconds; what it lets through, and what fails, counts."""
    braked = Cadence(name="x", max_runs_per_hour=2)
    assert "recent" not in decide(Class.SKIPPED, cadence=braked).memory["x"]
    for klass in (Class.OK, Class.CRASH):
        assert len(decide(klass, cadence=braked).memory["x"]["recent"]) == 1


def test_the_memory_says_which_run_its_session_was_of() -> None:
    """A run without one leaves it as it is: the session is still that run's."""
    session = "11111111-2222-4333-8444-555555555555"
    patch = decide(Class.OK, session_id=session).memory["x"]
    assert (patch["session_id"], patch["session_run"]) == (session, "r9")
    assert not {"session_id", "session_run"} & decide(Class.SKIPPED).memory["x"].keys()


def test_whatever_an_agent_claims_its_plan_and_its_memory_can_be_read() -> None:
    """The most that is believed of a count, and of money, is the most that both may hold."""
    for claimed in (4 * 10**18, 10**18, 10**400):
        turns, usd = whole(claimed), amount(claimed)
        settlement = decide(Class.OK, turns=turns, usd=usd)
        assert settlement_of(json.loads(json.dumps(settlement.dump()))).memory == settlement.memory
        check_memory(settlement.memory["x"])
