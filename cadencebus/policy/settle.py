"""It ended: now what becomes of the tick, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model.hold import BUS, Hold, on_cadence, on_credentials
from cadencebus.model.settlement import FollowUp, Settlement
from cadencebus.policy import lasting
from cadencebus.policy.backoff import doubling
from cadencebus.policy.classes import CLASSES, Class, Fate

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.settlement import Remembered, RunFacts, Target
    from cadencebus.model.tick import Tick
    from cadencebus.policy.classes import Verdict

MAX_INTERRUPTIONS = 5
_RATE_FIRST, _RATE_MOST = 300.0, 3600.0
_RESOURCES_FIRST, _RESOURCES_MOST = 1.0, 60.0


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
    fate, why = _fate(tick, verdict, cadence, facts)
    target: Target = {Fate.DONE: "done", Fate.KILLED: "done", Fate.DEAD: "dead"}.get(fate, "inbox")  # type: ignore[assignment]
    attempt = _attempt(tick, verdict, facts, now)
    patch, holds, releases = lasting.after(
        verdict, cadence, facts, remembered.cadence, tick, now=now, rng=rng, died=fate is Fate.DEAD
    )
    memory: dict[str, Mapping[str, Any]] = {cadence.name: patch}
    more, wider = _wider_holds(verdict, cadence, credentials, facts, remembered, now=now, rng=rng)
    memory |= wider
    outcome = None if target == "inbox" else _outcome(fate, verdict, why, facts, now)
    return Settlement(
        target=target,
        run=facts.run,
        at=now,
        klass=str(verdict.klass),
        attempt=attempt,
        outcome=outcome,
        memory=memory,
        holds=(*holds, *more),
        releases=tuple(releases),
        follow_ups=_follow_ups(tick, fate, verdict, cadence, attempt, why),
        events=_events(target, verdict, facts, why, now),
    )


def _fate(tick: Tick, verdict: Verdict, cadence: Cadence, facts: RunFacts) -> tuple[Fate, str]:
    """What becomes of the tick, with the reason a person reads."""
    row = CLASSES[verdict.klass]
    if verdict.klass is Class.KILLED and facts.requeue:
        return Fate.AGAIN, verdict.reason
    if verdict.klass is Class.INTERRUPTED and tick.ended_as("interrupted") >= MAX_INTERRUPTIONS:
        return Fate.DEAD, f"interrupted {MAX_INTERRUPTIONS + 1} times"
    if row.fate is Fate.DEAD and facts.resumed and row.fresh_helps:
        return Fate.AGAIN, f"{verdict.reason}; once more with a fresh session"
    if row.fate is Fate.RETRY:
        tries = tick.counted_attempts + (1 if verdict.counted else 0)
        if verdict.counted and tries > cadence.retries:
            return Fate.DEAD, f"{verdict.reason} (attempt {tries} of {cadence.retries + 1})"
    return row.fate, verdict.reason


def _attempt(tick: Tick, verdict: Verdict, facts: RunFacts, now: float) -> dict[str, Any]:
    return {
        "n": len([a for a in tick.attempts if a.get("run") != facts.run]) + 1,
        "started_at": rfc3339(facts.started_at),
        "ended_at": rfc3339(now),
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


Wider = tuple[list[Hold], dict[str, "Mapping[str, Any]"]]


def _wider_holds(
    verdict: Verdict,
    cadence: Cadence,
    credentials: str,
    facts: RunFacts,
    remembered: Remembered,
    *,
    now: float,
    rng: random.Random,
) -> Wider:
    """Holds on more than this cadence: its credentials, or the bus; with the streaks that lengthen them."""
    marks = {"fingerprints": dict(facts.fingerprints or {})}
    if verdict.klass is Class.RATE_LIMITED:
        return _rate_limited(verdict, credentials, remembered, now=now, rng=rng)
    if verdict.klass in {Class.AUTH, Class.BILLING}:
        scope, reason = on_credentials(credentials), str(verdict.klass)
        return [Hold(scope=scope, reason=reason, since=now, detail=verdict.reason, extra=marks)], {}
    if verdict.klass is Class.NO_RESOURCES:
        nth = int(remembered.bus.get("no_resources", 0)) + 1
        until = now + doubling(nth, _RESOURCES_FIRST, _RESOURCES_MOST)
        hold = Hold(scope=BUS, reason="resources", since=now, until=until, detail=verdict.reason)
        return [hold], {"_bus": {"no_resources": nth}}
    if verdict.klass is Class.NEVER_RAN:
        scope = on_cadence(cadence.name)
        return [Hold(scope=scope, reason="config", since=now, detail=verdict.reason, extra=marks)], {}
    return [], _cleared(credentials, remembered) if verdict.klass is Class.OK else {}


def _rate_limited(
    verdict: Verdict, credentials: str, remembered: Remembered, *, now: float, rng: random.Random
) -> Wider:
    nth = int(remembered.credentials.get("rate_limited", 0)) + 1
    until = now + doubling(nth, _RATE_FIRST, _RATE_MOST)
    if verdict.retry_at and verdict.retry_at > now:
        # A rate limit says when to come back; guessing earlier only burns the budget.
        until = verdict.retry_at + rng.uniform(1, 15)
    scope = on_credentials(credentials)
    hold = Hold(scope=scope, reason="rate_limited", since=now, until=until, detail=verdict.reason)
    return [hold], {f"_credentials-{credentials}": {"rate_limited": nth}}


def _cleared(credentials: str, remembered: Remembered) -> dict[str, Mapping[str, Any]]:
    """A success ends the streaks that made holds longer."""
    cleared: dict[str, Mapping[str, Any]] = {}
    if remembered.credentials.get("rate_limited"):
        cleared[f"_credentials-{credentials}"] = {"rate_limited": 0}
    if remembered.bus.get("no_resources"):
        cleared["_bus"] = {"no_resources": 0}
    return cleared


def _follow_ups(
    tick: Tick, fate: Fate, verdict: Verdict, cadence: Cadence, attempt: Mapping[str, Any], why: str
) -> tuple[FollowUp, ...]:
    if verdict.klass is Class.OK and fate is Fate.DONE:
        return tuple(
            FollowUp(cadence=name, why="then", payload={"after": tick.id, "cadence": tick.cadence})
            for name in cadence.then
        )
    # Never for a tick that came this way itself: a broken mourner must not mourn for ever.
    if fate is Fate.DEAD and cadence.on_dead and "on_dead_of" not in tick.extra:
        failure = {
            "tick": tick.id,
            "cadence": tick.cadence,
            "class": str(verdict.klass),
            "reason": why,
            "attempts": len(tick.attempts) + 1,
            "stderr_tail": attempt["stderr_tail"],
            "payload": dict(tick.payload),
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
        "seconds": round(max(0.0, now - facts.started_at), 3),
        "reason": verdict.reason,
        "turns": facts.turns,
        "usd": facts.usd,
    }
    last = {"done": "tick.done", "dead": "tick.dead", "inbox": "tick.again"}[target]
    return ended, {"event": last, "class": str(verdict.klass), "reason": why}
