"""A run has ended: what becomes of its tick, and everything that follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model.hold import BUS
from cadencebus.model.settlement import FollowUp, Settlement
from cadencebus.model.strictjson import MAX_DEPTH, nesting
from cadencebus.policy import budgets, cadence_effects, wider_effects
from cadencebus.policy.classes import CLASSES, Class, Fate

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.settlement import Remembered, RunFacts, Target
    from cadencebus.model.tick import Tick
    from cadencebus.policy.classes import Verdict

MAX_INTERRUPTIONS = 5
# The payload that a follow-up repeats is five levels deeper while the plan is in the tick.
_CARRIED_DEPTH = MAX_DEPTH - 5
_TARGETS: dict[Fate, Target] = {
    Fate.DONE: "done",
    Fate.KILLED: "done",
    Fate.DEAD: "dead",
    Fate.RETRY: "inbox",
    Fate.AGAIN: "inbox",
}


def settle(
    tick: Tick,
    verdict: Verdict,
    cadence: Cadence,
    credentials: str,
    facts: RunFacts,
    remembered: Remembered,
    *,
    now: float,
    rng: random.Random,
) -> Settlement:
    """Decide what becomes of a tick, of its cadence's memory, and what is held or follows."""
    verdict = wider_effects.excused(verdict, remembered)
    fate, why = _fate(tick, verdict, cadence, facts)
    target = _TARGETS[fate]
    attempt = _attempt(tick, verdict, facts, now)
    own = cadence_effects.after(verdict, cadence, facts, remembered, tick, fate, now=now, rng=rng)
    more = wider_effects.after(verdict, cadence.name, credentials, facts, remembered, now=now, rng=rng)
    money, warnings = _money(cadence, facts, remembered, now)
    memory = _joined(own.memory, more.memory, money)
    outcome = None if target == "inbox" else _outcome(fate, verdict, why, facts, now)
    return Settlement(
        target=target,
        run=facts.run,
        at=now,
        klass=str(verdict.klass),
        attempt=attempt,
        outcome=outcome,
        memory=memory,
        holds=own.holds + more.holds,
        releases=own.releases + more.releases,
        follow_ups=_follow_ups(tick, fate, verdict, cadence, attempt, why),
        events=(*_events(target, verdict, facts, why, now), *warnings),
    )


def _fate(tick: Tick, verdict: Verdict, cadence: Cadence, facts: RunFacts) -> tuple[Fate, str]:
    """What becomes of the tick, with the reason a person reads."""
    row = CLASSES[verdict.klass]
    if verdict.klass is Class.KILLED and facts.requeue:
        return Fate.AGAIN, verdict.reason
    if verdict.klass is Class.INTERRUPTED and tick.ended_as("interrupted") >= MAX_INTERRUPTIONS:
        return Fate.DEAD, f"interrupted {MAX_INTERRUPTIONS + 1} times"
    if facts.resumed and row.fresh_helps:
        return Fate.AGAIN, f"{verdict.reason}; once more with a fresh session"
    if row.fate is Fate.RETRY and verdict.counted:
        tries = tick.counted_attempts + 1
        if tries > cadence.retries:
            return Fate.DEAD, f"{verdict.reason} (attempt {tries} of {cadence.retries + 1})"
    return row.fate, verdict.reason


def _attempt(tick: Tick, verdict: Verdict, facts: RunFacts, now: float) -> dict[str, Any]:
    return {
        "n": len([a for a in tick.attempts if a.get("run") != facts.run]) + 1,
        "started_at": rfc3339(facts.started_at),
        "ended_at": rfc3339(now if facts.ended_at is None else facts.ended_at),
        "exit_code": facts.exit_code,
        "signal": facts.signal,
        "class": str(verdict.klass),
        "counted": verdict.counted,
        "reason": verdict.reason,
        "stderr_tail": facts.stderr_tail,
        "run": facts.run,
    }


def _outcome(fate: Fate, verdict: Verdict, why: str, facts: RunFacts, now: float) -> dict[str, Any]:
    row = CLASSES[verdict.klass]
    status = "dead" if fate is Fate.DEAD else row.status
    outcome: dict[str, Any] = {
        "status": status,
        "class": str(verdict.klass),
        "reason": why,
        "finished_at": rfc3339(now),
    }
    if status != "ok":
        outcome["logs"] = facts.logs
    if status == "dead":
        outcome["cure"] = row.cure
    if facts.absorbed:
        outcome["absorbed"] = list(facts.absorbed)
    return outcome


Memories = dict[str, "Mapping[str, Any]"]


def _joined(*changes: Mapping[str, Mapping[str, Any]]) -> Memories:
    joined: Memories = {}
    for change in changes:
        for name, patch in change.items():
            joined[name] = {**joined.get(name, {}), **patch}
    return joined


def _money(
    cadence: Cadence, facts: RunFacts, remembered: Remembered, now: float
) -> tuple[Memories, list[Mapping[str, Any]]]:
    """What the run cost, booked on its cadence and on the bus; and a warning near the end of a day's."""
    booked: Memories = {}
    warnings: list[Mapping[str, Any]] = []
    accounts = (
        (cadence.name, cadence.name, cadence.max_usd_per_day, remembered.cadence.spending, cadence.timezone),
        ("_bus", BUS, remembered.usd_per_day, remembered.bus.spending, None),
    )
    for name, account, limit, spending, zone in accounts:
        patch, warning = budgets.posting(facts.usd, limit, spending, zone, now)
        if patch:
            booked[name] = patch
        if warning:
            warnings.append({"event": "budget.warned", "account": account, "reason": warning})
    return booked, warnings


def _follow_ups(
    tick: Tick, fate: Fate, verdict: Verdict, cadence: Cadence, attempt: Mapping[str, Any], why: str
) -> tuple[FollowUp, ...]:
    if verdict.klass is Class.OK:
        return tuple(
            FollowUp(cadence=name, why="then", payload={"after": tick.id, "cadence": tick.cadence})
            for name in cadence.then
        )
    # Never for a tick that `on_dead` itself put in: if its run always dies, that would go on for ever.
    if fate is Fate.DEAD and cadence.on_dead and "on_dead_of" not in tick.extra:
        failure = {
            "tick": tick.id,
            "cadence": tick.cadence,
            "class": str(verdict.klass),
            "reason": why,
            "attempts": len(tick.attempts) + 1,
            "stderr_tail": attempt["stderr_tail"],
            "payload": dict(tick.payload) if nesting(tick.payload) <= _CARRIED_DEPTH else None,
        }
        return (FollowUp(cadence=cadence.on_dead, why="on_dead", payload=failure),)
    return ()


def _events(
    target: Target, verdict: Verdict, facts: RunFacts, why: str, now: float
) -> tuple[Mapping[str, Any], ...]:
    ended = {
        "event": "run.ended",
        "class": str(verdict.klass),
        "exit_code": facts.exit_code,
        "signal": facts.signal,
        "seconds": round(facts.lasted(now), 3),
        "reason": verdict.reason,
        "turns": facts.turns,
        "usd": facts.usd,
        **(facts.metrics or {}),
    }
    last = {"done": "tick.done", "dead": "tick.dead", "inbox": "tick.again"}[target]
    return ended, {"event": last, "class": str(verdict.klass), "reason": why}
