"""What the end of a run changes for its cadence: streaks, circuit, session, averages, and the holds on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model.hold import Hold, hold_file, on_cadence
from cadencebus.model.naming import is_session
from cadencebus.model.settlement import Effects
from cadencebus.policy import brakes, budgets
from cadencebus.policy import circuit as breaker
from cadencebus.policy.backoff import doubling, wait_after
from cadencebus.policy.classes import CLASSES, Class, Fate

if TYPE_CHECKING:
    import random

    from cadencebus.model.cadence import Cadence
    from cadencebus.model.memory import CadenceMemory
    from cadencebus.model.settlement import Remembered, RunFacts
    from cadencebus.model.tick import Tick
    from cadencebus.policy.classes import Verdict

TURN_STREAK = 5
_BREACHES = "turn_budget"
# Ends after which a tick goes back uncounted and with no hold: a session can cause them by itself.
_AT_ONCE = frozenset({Class.INTERRUPTED, Class.KILLED, Class.RESUME_UNKNOWN})
_PACE_FIRST, _PACE_MOST = 0.25, 60.0
# The newest run weighs this much in the averages.
_NEWEST = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A run that has ended, with everything that its effects depend on."""

    verdict: Verdict
    cadence: Cadence
    facts: RunFacts
    remembered: Remembered
    tick: Tick
    fate: Fate
    now: float
    rng: random.Random

    @property
    def scope(self) -> str:
        """What holds on its cadence are set on."""
        return on_cadence(self.cadence.name)

    @property
    def memory(self) -> CadenceMemory:
        """What its cadence remembers."""
        return self.remembered.cadence

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.facts.lasted(self.now)


def after(
    verdict: Verdict,
    cadence: Cadence,
    facts: RunFacts,
    remembered: Remembered,
    tick: Tick,
    fate: Fate,
    *,
    now: float,
    rng: random.Random,
) -> Effects:
    """Work out what a run's end changes for its cadence."""
    run = _Run(
        verdict=verdict,
        cadence=cadence,
        facts=facts,
        remembered=remembered,
        tick=tick,
        fate=fate,
        now=now,
        rng=rng,
    )
    patch = _always(run)
    # Each of these puts its changes of the cadence's memory into the patch.
    holds: list[Hold] = []
    releases: list[str] = []
    if verdict.klass is Class.OK:
        releases = _succeeded(run, patch)
    elif verdict.klass in {Class.TURN_LIMIT, Class.BUDGET}:
        holds = _over_budget(run, patch)
    elif verdict.counts_circuit:
        holds = _failed(run, patch)
    else:
        holds = _proved_nothing(run, patch)
    holds += _pause_after_deaths(run, patch)
    return Effects(memory={cadence.name: patch}, holds=tuple(holds), releases=tuple(releases))


def _always(run: _Run) -> dict[str, Any]:
    """What is remembered of every run, however it ended."""
    patch: dict[str, Any] = {
        "last_run": {
            "run": run.facts.run,
            "class": str(run.verdict.klass),
            "at": rfc3339(run.now),
            "seconds": round(run.seconds, 3),
        }
    }
    if is_session(run.facts.session_id):
        patch |= {"session_id": run.facts.session_id, "session_run": run.facts.run}
    klass = run.verdict.klass
    if klass is Class.RESUME_UNKNOWN or CLASSES[klass].fresh_helps:
        patch["session_id"] = None
    most = run.cadence.max_runs_per_hour
    # A guard that found nothing to do cost nothing: asking often is what it is for.
    if most and klass is not Class.SKIPPED:
        patch["recent"] = brakes.recent_with(run.facts.started_at, run.memory.recent, most=most, now=run.now)
    if run.cadence.max_turns or run.cadence.max_usd:
        patch["limits"] = budgets.limits(run.cadence, run.memory.limits, run.now)
    return patch


def _succeeded(run: _Run, patch: dict[str, Any]) -> list[str]:
    """All streaks end; the files of the holds that they had set."""
    old = run.memory.averages
    averages: dict[str, float] = {"runs": int(old.get("runs", 0)) + 1}
    measured = {"seconds": run.seconds, "turns": run.facts.turns, "usd": run.facts.usd}
    for key, value in measured.items():
        if value is not None:
            before = old.get(key)
            averages[key] = round(value if before is None else before + _NEWEST * (value - before), 6)
    patch |= {
        "failures": 0,
        "circuit": None,
        "streaks": {},
        "dead_in_a_row": 0,
        "last_ok_at": rfc3339(run.now),
        "averages": {**old, **averages},
    }
    releases = []
    if run.memory.failures or run.memory.streaks:
        releases.append(hold_file(run.scope, "backoff"))
    if run.memory.circuit:
        releases.append(hold_file(run.scope, "circuit_open"))
    return releases


def _failed(run: _Run, patch: dict[str, Any]) -> list[Hold]:
    """One more failure in a row: the circuit opens, or the next try waits."""
    failures = run.memory.failures + 1
    patch["failures"] = failures
    circuit = breaker.after_failure(
        run.memory,
        run.cadence.circuit,
        failures,
        probe=run.facts.probe,
        now=run.now,
        reason=run.verdict.reason,
    )
    patch["circuit"] = circuit and circuit.dump()
    if circuit is not None:
        return [breaker.hold_for(run.cadence.name, circuit, run.now)]
    return _backoff(run, failures, f"after failure {failures} in a row")


def _proved_nothing(run: _Run, patch: dict[str, Any]) -> list[Hold]:
    """Killed, interrupted, rate-limited, …: the streaks stay; a try that counts waits for the next one."""
    if back := _permit_back(run, patch):
        return back
    if not run.verdict.counted:
        return _pace(run)
    if CLASSES[run.verdict.klass].fate is Fate.DEAD:
        # The fault was the tick's: it stops no other.
        return []
    tries = run.tick.counted_attempts + 1
    return _backoff(run, tries, f"after attempt {tries}")


def _permit_back(run: _Run, patch: dict[str, Any]) -> list[Hold]:
    """What a probe that proved nothing leaves: its permit comes back after the last open length."""
    if not (run.memory.circuit and run.facts.probe):
        return []
    circuit = breaker.after_nothing_proved(run.memory.circuit, run.now)
    patch["circuit"] = circuit.dump()
    return [breaker.hold_for(run.cadence.name, circuit, run.now)]


def _over_budget(run: _Run, patch: dict[str, Any]) -> list[Hold]:
    """A breach of the turn or money budget: a streak of its own, which pauses the cadence at five."""
    nth = run.memory.streaks.get(_BREACHES, 0)
    # A limit that was just changed is given time to show what it does.
    if not budgets.in_grace(run.cadence, patch.get("limits") or {}, run.now):
        nth += 1
    holds = _permit_back(run, patch)
    if nth >= TURN_STREAK:
        detail = f"{nth} runs in a row over budget ({run.verdict.reason}): raise it, or shorten the task"
        holds.append(Hold(scope=run.scope, reason="turn_budget", since=run.now, detail=detail))
        patch["streaks"] = {**run.memory.streaks, _BREACHES: 0}
        return holds
    patch["streaks"] = {**run.memory.streaks, _BREACHES: nth}
    return holds or _backoff(run, run.tick.counted_attempts + 1, "over budget")


def _pause_after_deaths(run: _Run, patch: dict[str, Any]) -> list[Hold]:
    """Count a dead tick; `pause_after` of them in a row pause the cadence until somebody looks."""
    if run.fate is not Fate.DEAD:
        return []
    dead = run.memory.dead_in_a_row + 1
    patch["dead_in_a_row"] = dead
    if not run.cadence.pause_after or dead < run.cadence.pause_after:
        return []
    patch["dead_in_a_row"] = 0
    detail = f"{dead} failed ticks in a row: look at `cadence dead`, then resume"
    return [Hold(scope=run.scope, reason="failures", since=run.now, detail=detail)]


def _backoff(run: _Run, nth: int, when: str) -> list[Hold]:
    """The hold before the next try, after the n-th failure; none where the cadence does not wait."""
    wait = wait_after(nth, run.cadence.backoff, run.rng)
    if wait <= 0:
        return []
    detail = f"{when}: {run.verdict.reason}"
    return [Hold(scope=run.scope, reason="backoff", since=run.now, until=run.now + wait, detail=detail)]


def _pace(run: _Run) -> list[Hold]:
    """The pause before a tick that comes back uncounted again and again: none the first time, then longer."""
    if run.fate is not Fate.AGAIN or run.verdict.klass not in _AT_ONCE:
        return []
    nth = len(list(takewhile(lambda attempt: attempt.get("class") in _AT_ONCE, reversed(run.tick.attempts))))
    if not nth:
        return []
    until = run.now + doubling(nth, _PACE_FIRST, _PACE_MOST)
    detail = f"back for the {nth + 1}. time in a row: {run.verdict.reason}"
    hold = Hold(scope=run.scope, reason="backoff", since=run.now, until=until, detail=detail)
    # Another run of the cadence may have failed meanwhile, whose pause must not become shorter.
    longer = (one for one in run.remembered.holds if one.file == hold.file)
    return [] if any(one.until is None or one.until > until for one in longer) else [hold]
