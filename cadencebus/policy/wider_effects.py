"""What the end of a run changes beyond its cadence: for its credentials, the network, the machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model.hold import BUS, Hold, hold_file, on_cadence, on_credentials
from cadencebus.model.memory import Outage
from cadencebus.model.settlement import Effects
from cadencebus.policy.backoff import doubling
from cadencebus.policy.classes import Class

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from cadencebus.model.memory import CredentialsMemory, Streak
    from cadencebus.model.settlement import Remembered, RunFacts
    from cadencebus.policy.classes import Verdict

_RATE_FIRST, _RATE_MOST = 300.0, 3600.0
# After a limit's end one session goes first; this is how long the others wait to see what becomes of it.
_GOES_FIRST = 60.0
_RESOURCES_FIRST, _RESOURCES_MOST = 1.0, 60.0
# The network is down when no agent got through for this long, and this many have tried.
_DOWN_AFTER, _DOWN_TRIES = 1800.0, 3
_PROBE_FIRST, _PROBE_MOST = 300.0, 1800.0
_NETWORK_HOLD = hold_file(BUS, "network")
# Ends by which somebody at the other end has answered.
_ANSWERED = frozenset(
    {
        *(Class.OK, Class.CONTRACT_MISSING, Class.RATE_LIMITED, Class.AUTH, Class.BILLING, Class.OVERLOADED),
        *(Class.TURN_LIMIT, Class.BUDGET, Class.PROMPT_TOO_LONG, Class.REFUSED, Class.OUTPUT_LIMIT),
        Class.INVALID_REQUEST,
    }
)
# Ends by which an account's limit let the run through.
_SERVED = _ANSWERED - {Class.RATE_LIMITED, Class.AUTH, Class.BILLING, Class.OVERLOADED}


def excused(verdict: Verdict, remembered: Remembered) -> Verdict:
    """A verdict, less what it counts where the bus knows that the network is down: that is nobody's fault."""
    outage = remembered.bus.outage
    if verdict.klass is Class.NETWORK and outage and outage.held:
        return replace(verdict, counted=False, counts_circuit=False)
    return verdict


def after(
    verdict: Verdict,
    cadence: str,
    credentials: str,
    facts: RunFacts,
    remembered: Remembered,
    *,
    now: float,
    rng: random.Random,
) -> Effects:
    """Work out what a run's end holds, releases and changes in memory beyond its cadence."""
    klass = verdict.klass
    marks = {"cadence": cadence, "fingerprints": dict(facts.fingerprints or {})}
    if klass is Class.NETWORK:
        return _unreachable(verdict, facts, remembered, now)
    if klass is Class.NO_RESOURCES:
        return _no_room(verdict, facts, remembered, now)
    if klass is Class.NEVER_RAN:
        hold = Hold(scope=on_cadence(cadence), reason="config", since=now, detail=verdict.reason, extra=marks)
        return Effects(holds=(hold,))
    holds: list[Hold] = []
    memory = _cleared(credentials, remembered) if klass is Class.OK else {}
    if klass in {Class.AUTH, Class.BILLING}:
        scope, reason = on_credentials(credentials), str(klass)
        holds.append(Hold(scope=scope, reason=reason, since=now, detail=verdict.reason, extra=marks))
    elif klass is Class.RATE_LIMITED:
        limit, met = _rate_limited(verdict, credentials, facts, remembered, now=now, rng=rng)
        holds += limit
        memory |= met
    releases: tuple[str, ...] = ()
    if klass in _SERVED:
        releases = tuple(hold.file for hold in remembered.holds if _tested(hold, credentials, facts))
    outage = remembered.bus.outage
    if outage and facts.agent and klass in _ANSWERED:
        memory["_bus"] = {**memory.get("_bus", {}), "network": None}
        releases += (_NETWORK_HOLD,) if outage.held else ()
    return Effects(holds=tuple(holds), releases=releases, memory=memory)


def _unreachable(verdict: Verdict, facts: RunFacts, remembered: Remembered, now: float) -> Effects:
    """One more agent that reached nobody: after half an hour the bus holds, and probes one run at a time."""
    known = remembered.bus.outage or Outage(since=now, tries=0, held=0)
    # A clock that was set back: begin to count anew.
    since = min(known.since, now)
    outage = replace(known, since=since, tries=known.tries + 1)
    # What had started before the bus was held is no probe: eight at once must not make the next one rare.
    no_news = known.held_at is not None and facts.started_at < known.held_at <= now
    if no_news or outage.tries < _DOWN_TRIES or now - since < _DOWN_AFTER:
        return Effects(memory={"_bus": {"network": outage.dump()}})
    outage = replace(outage, held=outage.held + 1, held_at=now)
    every = doubling(outage.held, _PROBE_FIRST, _PROBE_MOST)
    extra = {"at_most": 1, "probe_at": rfc3339(now + every), "probe_every": every}
    detail = (
        f"no agent has reached its API since {rfc3339(since)[:16]}Z, one at a time tries: {verdict.reason}"
    )
    hold = Hold(scope=BUS, reason="network", since=since, detail=detail, extra=extra)
    return Effects(holds=(hold,), memory={"_bus": {"network": outage.dump()}})


def _no_room(verdict: Verdict, facts: RunFacts, remembered: Remembered, now: float) -> Effects:
    nth = _nth(remembered.bus.no_resources, facts)
    until = now + doubling(nth, _RESOURCES_FIRST, _RESOURCES_MOST)
    hold = Hold(scope=BUS, reason="resources", since=now, until=until, detail=verdict.reason)
    return Effects(holds=(hold,), memory={"_bus": {"no_resources": nth, "no_resources_at": rfc3339(now)}})


def _rate_limited(
    verdict: Verdict,
    credentials: str,
    facts: RunFacts,
    remembered: Remembered,
    *,
    now: float,
    rng: random.Random,
) -> tuple[list[Hold], dict[str, Mapping[str, Any]]]:
    met = remembered.credentials
    nth = _nth(met.rate_limited, facts)
    until = now + doubling(nth, _RATE_FIRST, _RATE_MOST)
    if verdict.retry_at and verdict.retry_at > now:
        # A rate limit says when to come back; guessing earlier only burns the budget.
        until = verdict.retry_at + rng.uniform(1, 15)
    if until <= _known_end(met, facts, now):
        # Another session met this limit, too, and was told more of its end.
        return [], {}
    scope = on_credentials(credentials)
    hold = Hold(scope=scope, reason="rate_limited", since=now, until=until, detail=verdict.reason)
    streak = {"rate_limited": nth, "rate_limited_at": rfc3339(now), "rate_limited_until": rfc3339(until)}
    return [hold], {f"_credentials-{credentials}": streak}


def _known_end(met: CredentialsMemory, facts: RunFacts, now: float) -> float:
    """When the limit is over that was met while this run went on; 0 for one that began later."""
    at, until = met.rate_limited.at, met.limited_until
    # A clock that was set back: what was met in times to come holds nobody.
    return until if at and until and facts.started_at < at <= now else 0.0


def one_first(hold: Hold, now: float) -> Hold | None:
    """The hold that follows one which is over: after a limit not all slots try at once, one goes first."""
    if hold.reason != "rate_limited" or hold.by != "consumer" or (hold.extra or {}).get("at_most"):
        return None
    detail = "the limit should be over: one session goes first"
    return replace(hold, since=now, until=now + _GOES_FIRST, detail=detail, extra={"at_most": 1})


def _tested(hold: Hold, credentials: str, facts: RunFacts) -> bool:
    """Whether this run was let through first after a limit: how it was served says that all may go."""
    probing = hold.reason == "rate_limited" and bool((hold.extra or {}).get("at_most"))
    return probing and hold.scope == on_credentials(credentials) and facts.started_at >= hold.since


def _nth(streak: Streak, facts: RunFacts) -> int:
    """Which time in a row it is; a run that had started before the last time says nothing new."""
    known = bool(streak.count) and streak.at is not None and facts.started_at < streak.at
    return streak.count if known else streak.count + 1


def _cleared(credentials: str, remembered: Remembered) -> dict[str, Mapping[str, Any]]:
    """A success ends the streaks that made holds longer."""
    cleared: dict[str, Mapping[str, Any]] = {}
    if remembered.credentials.rate_limited.count:
        cleared[f"_credentials-{credentials}"] = {"rate_limited": 0}
    if remembered.bus.no_resources.count:
        cleared["_bus"] = {"no_resources": 0}
    return cleared
