"""What a cadence remembers of a run: streaks, circuit, session, averages; and the holds that come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model.hold import Hold, on_cadence
from cadencebus.model.naming import is_session
from cadencebus.policy import budgets
from cadencebus.policy import circuit as breaker
from cadencebus.policy.backoff import wait_after
from cadencebus.policy.classes import CLASSES, Class

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.settlement import RunFacts
    from cadencebus.model.tick import Tick
    from cadencebus.policy.classes import Verdict

TURN_STREAK = 5
_BREACHES = "turn_budget"
# The newest run weighs this much in the averages.
_NEWEST = 0.2

Lasting = tuple[dict[str, Any], list[Hold], list[str]]


def after(
    verdict: Verdict,
    cadence: Cadence,
    facts: RunFacts,
    memory: Mapping[str, Any],
    tick: Tick,
    *,
    now: float,
    rng: random.Random,
    died: bool,
) -> Lasting:
    """The change of the cadence's memory, the holds to set on it, the holds to release."""
    patch = _always(verdict, facts, now)
    # A guard that found nothing to do cost nothing: asking often is what it is for.
    if cadence.max_runs_per_hour and verdict.klass is not Class.SKIPPED:
        patch["recent"] = [*memory.get("recent", ()), rfc3339(facts.started_at)][-cadence.max_runs_per_hour :]
    if cadence.max_turns or cadence.max_usd:
        patch["limits"] = budgets.limits(cadence, memory, now)
    if verdict.klass is Class.OK:
        return _well(patch, cadence, facts, memory, now)
    if verdict.klass in {Class.TURN_LIMIT, Class.BUDGET}:
        return _over_budget(patch, verdict, cadence, memory, tick, now=now, rng=rng, died=died)
    if not verdict.counts_circuit:
        return _unproved(patch, verdict, cadence, facts, memory, tick, now=now, rng=rng)
    return _failed(patch, verdict, cadence, facts, memory, now=now, rng=rng, died=died)


def _always(verdict: Verdict, facts: RunFacts, now: float) -> dict[str, Any]:
    seconds = max(0.0, now - facts.started_at)
    patch: dict[str, Any] = {
        "last_run": {
            "run": facts.run,
            "class": str(verdict.klass),
            "at": rfc3339(now),
            "seconds": round(seconds, 3),
        }
    }
    if is_session(facts.session_id):
        patch |= {"session_id": facts.session_id, "session_run": facts.run}
    if verdict.klass is Class.RESUME_UNKNOWN or (facts.resumed and CLASSES[verdict.klass].fresh_helps):
        patch["session_id"] = None
    return patch


def _well(
    patch: dict[str, Any], cadence: Cadence, facts: RunFacts, memory: Mapping[str, Any], now: float
) -> Lasting:
    seconds = max(0.0, now - facts.started_at)
    old = memory.get("averages") or {}
    averages: dict[str, float] = {"runs": int(old.get("runs", 0)) + 1}
    measured = {"seconds": seconds, "turns": facts.turns, "usd": facts.usd}
    for key, value in measured.items():
        if value is not None:
            before = old.get(key)
            averages[key] = round(value if before is None else before + _NEWEST * (value - before), 6)
    patch |= {
        "failures": 0,
        "circuit": None,
        "streaks": {},
        "dead_in_a_row": 0,
        "last_ok_at": rfc3339(now),
        "averages": {**old, **averages},
    }
    scope = on_cadence(cadence.name)
    releases = [f"{scope}.backoff.json"] if memory.get("failures") or memory.get("streaks") else []
    if memory.get("circuit"):
        releases.append(f"{scope}.circuit_open.json")
    return patch, [], releases


def _failed(
    patch: dict[str, Any],
    verdict: Verdict,
    cadence: Cadence,
    facts: RunFacts,
    memory: Mapping[str, Any],
    *,
    now: float,
    rng: random.Random,
    died: bool,
) -> Lasting:
    failures = int(memory.get("failures") or 0) + 1
    patch["failures"] = failures
    circuit = breaker.after_failure(
        memory, cadence.circuit, failures, probe=facts.probe, now=now, reason=verdict.reason
    )
    patch["circuit"] = circuit
    holds = _mourned(patch, cadence, memory, now) if died else []
    if circuit is not None:
        return patch, [breaker.hold_for(cadence.name, circuit, now), *holds], []
    wait = wait_after(failures, cadence.backoff, rng)
    if wait > 0:
        holds.append(_backoff(cadence, verdict, wait, now, f"after failure {failures} in a row"))
    return patch, holds, []


def _unproved(
    patch: dict[str, Any],
    verdict: Verdict,
    cadence: Cadence,
    facts: RunFacts,
    memory: Mapping[str, Any],
    tick: Tick,
    *,
    now: float,
    rng: random.Random,
) -> Lasting:
    """Killed, interrupted, rate-limited, …: the streaks stay; a probe gives its permit back for later."""
    circuit = memory.get("circuit")
    if circuit and facts.probe:
        patch["circuit"] = breaker.after_nothing_proved(circuit, now)
        return patch, [breaker.hold_for(cadence.name, patch["circuit"], now)], []
    if verdict.counted:
        tries = tick.counted_attempts + 1
        wait = wait_after(tries, cadence.backoff, rng)
        return (
            patch,
            [_backoff(cadence, verdict, wait, now, f"before attempt {tries + 1}")] if wait > 0 else [],
            [],
        )
    return patch, [], []


def _over_budget(
    patch: dict[str, Any],
    verdict: Verdict,
    cadence: Cadence,
    memory: Mapping[str, Any],
    tick: Tick,
    *,
    now: float,
    rng: random.Random,
    died: bool,
) -> Lasting:
    """A breach of the turn or money budget: a streak of its own, which pauses the cadence at five."""
    streaks = dict(memory.get("streaks") or {})
    nth = int(streaks.get(_BREACHES, 0))
    # Whoever has just changed the limit has looked: he is given the time to see what it does.
    if not budgets.in_grace(cadence, patch.get("limits") or {}, now):
        nth += 1
    holds = _mourned(patch, cadence, memory, now) if died else []
    if nth >= TURN_STREAK:
        detail = f"{nth} runs in a row over budget ({verdict.reason}): raise it, or shorten the task"
        holds.append(Hold(scope=on_cadence(cadence.name), reason="turn_budget", since=now, detail=detail))
        patch["streaks"] = {**streaks, _BREACHES: 0}
        return patch, holds, []
    patch["streaks"] = {**streaks, _BREACHES: nth}
    wait = wait_after(tick.counted_attempts + 1, cadence.backoff, rng)
    if wait > 0:
        holds.append(_backoff(cadence, verdict, wait, now, "over budget"))
    return patch, holds, []


def _mourned(patch: dict[str, Any], cadence: Cadence, memory: Mapping[str, Any], now: float) -> list[Hold]:
    """One more dead tick in a row: `pause_after` of them pause the cadence until somebody looks."""
    dead = int(memory.get("dead_in_a_row") or 0) + 1
    patch["dead_in_a_row"] = dead
    if not cadence.pause_after or dead < cadence.pause_after:
        return []
    patch["dead_in_a_row"] = 0
    detail = f"{dead} failed ticks in a row: look at `cadence dead`, then resume"
    return [Hold(scope=on_cadence(cadence.name), reason="failures", since=now, detail=detail)]


def _backoff(cadence: Cadence, verdict: Verdict, wait: float, now: float, when: str) -> Hold:
    return Hold(
        scope=on_cadence(cadence.name),
        reason="backoff",
        since=now,
        until=now + wait,
        detail=f"{when}: {verdict.reason}",
    )
