"""A run is over: gather what it left, judge it, settle its tick."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.daemon.hold_causes import fingerprints
from cadencebus.daemon.settling import End
from cadencebus.model.settlement import RunFacts
from cadencebus.policy.classes import Class, Verdict, verdict_on
from cadencebus.policy.failure import classify
from cadencebus.session import aftermath, life, reap
from cadencebus.session.identity import boot_id
from cadencebus.store import runs
from cadencebus.store.zone import local_zone

if TYPE_CHECKING:
    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.ending import Ending, Report
    from cadencebus.model.settlement import Settlement
    from cadencebus.model.tick import Tick


def land(
    gear: Gear, boarded: Boarded, *, report: Report | None = None, end: life.ExitRecord | None = None
) -> Settlement:
    """Judge how the run ended and settle its tick: one commit, then all that follows."""
    now = gear.clock.wall()
    run, cadence = boarded.run, boarded.cadence
    end = end or life.exit_record(run.path) or _shim_died_first(boarded)
    ending = aftermath.gather(
        run,
        cadence,
        boarded.cwd,
        end,
        report,
        env={**gear.environ, **dict(boarded.runner.env), **dict(cadence.env)},
        started_at=boarded.started_at,
        ran_s=_lasted(gear, boarded, end),
    )
    ending = replace(ending, resumed=boarded.resumed)
    # Judged by the time of its end: read hours later, "resets 6:08am" would be taken for tomorrow's.
    ended_at = end.ended_at if end and end.ended_at else now
    verdict = judged(ending, boarded, ended_at)
    _record(boarded, _known(gear, boarded), ending, verdict, report, end, ended_at=ended_at)
    facts = replace(
        _facts(gear, boarded, ending, report, ended_at),
        fingerprints=fingerprints(gear, cadence, str(verdict.klass)),
        metrics=_metrics(boarded, report, end),
    )
    settlement = gear.settling.settle(
        End(
            tick=boarded.tick,
            verdict=verdict,
            cadence=cadence,
            credentials=boarded.runner.credentials,
            facts=facts,
            at=now,
        )
    )
    runs.drop_empty_logs(run)
    return settlement


def _shim_died_first(boarded: Boarded) -> life.ExitRecord | None:
    """The record of a start that failed, where the shim died before it had started anything.

    No tick should die because no shim can live. It is not known of a run that a former consumer started.
    """
    if boarded.shim is None or not life.nothing_begun(boarded.run.path):
        return None
    return life.ExitRecord(spawn_what="shim", spawn_error="EOWNERDEAD")


def ground(gear: Gear, tick: Tick, cadence: Cadence, reason: str) -> Settlement:
    """Settle a tick whose run can't start as things are configured."""
    now = gear.clock.wall()
    verdict = verdict_on(Class.NEVER_RAN, reason)
    marks = fingerprints(gear, cadence, str(verdict.klass))
    facts = RunFacts(run=f"{tick.id}.0", started_at=now, ended_at=now, fingerprints=marks)
    return gear.settling.settle(
        End(tick=tick, verdict=verdict, cadence=cadence, credentials=cadence.runner, facts=facts, at=now)
    )


def judged(ending: Ending, boarded: Boarded, now: float) -> Verdict:
    """The verdict on a run; a guard's 75 means "nothing to do", which is no failure."""
    if boarded.guard and ending.stop is None and ending.exit_code == os.EX_TEMPFAIL:
        return verdict_on(Class.SKIPPED, "its guard says there is nothing to do")
    # A CLI tells times of day by the clock that its environment gives it.
    given = dict((*boarded.runner.env, *boarded.cadence.env))
    return classify(ending, now=now, tz=local_zone(given) if "TZ" in given else None)


def _facts(gear: Gear, boarded: Boarded, ending: Ending, report: Report | None, ended_at: float) -> RunFacts:
    return RunFacts(
        run=boarded.run.id,
        started_at=boarded.started_at,
        ended_at=ended_at,
        seconds=ending.ran_s,
        exit_code=ending.exit_code,
        signal=ending.signal,
        stderr_tail=ending.stderr_tail if ending.stderr_tail.strip() else ending.stdout_tail,
        requeue=bool(ending.stop and ending.stop.requeue),
        probe=boarded.probe,
        resumed=boarded.resumed,
        session_id=report.session_id if report else None,
        usd=report.usd if report else None,
        turns=report.turns if report else None,
        agent=boarded.runner.agent,
        absorbed=tuple(runs.absorbed(gear.home, boarded.run)),
        logs=boarded.run.path.removeprefix(f"{gear.home.state}/"),
    )


def _metrics(boarded: Boarded, report: Report | None, end: life.ExitRecord | None) -> dict[str, Any]:
    """What the journal tells of a firing beside its end."""
    tick = boarded.tick
    tried = [str(a["ended_at"]) for a in tick.attempts if a.get("ended_at")]
    ready = max(tick.created_at, tick.not_before or 0.0, parse_rfc3339(tried[-1]) if tried else 0.0)
    return {
        "waited": round(max(0.0, boarded.started_at - ready), 3),
        "running": boarded.record.get("running"),
        "tokens": _tokens(report),
        "peak_rss": end.peak_rss if end else None,
        "runner": boarded.runner.name,
        "credentials": boarded.runner.credentials,
    }


def _lasted(gear: Gear, boarded: Boarded, end: life.ExitRecord | None) -> float:
    """How long it ran; time in which no consumer was up after its end does not count."""
    until = gear.clock.monotonic()
    if end is not None and end.monotonic is not None and boarded.record.get("boot_id") == boot_id():
        until = min(until, end.monotonic)
    return max(0.0, until - boarded.monotonic)


def _known(gear: Gear, boarded: Boarded) -> dict[str, Any]:
    """What run.json says, or, where it can't be read, what was known at the start."""
    known = runs.record(boarded.run)
    if not known and (told := runs.set_torn_record_aside(boarded.run, gear.clock.wall())):
        gear.say(told)
    return known or boarded.record


def _record(
    boarded: Boarded,
    known: dict[str, Any],
    ending: Ending,
    verdict: Verdict,
    report: Report | None,
    end: life.ExitRecord | None,
    *,
    ended_at: float,
) -> None:
    """Write run.json anew with how it ended."""
    runs.rewrite(
        boarded.run,
        {
            **known,
            "ended_at": rfc3339(ended_at),
            "exit_code": ending.exit_code,
            "signal": ending.signal,
            "class": str(verdict.klass),
            "reason": verdict.reason,
            "session_id": (report.session_id if report else None) or known.get("session_id"),
            "turns": report.turns if report else None,
            "tokens": _tokens(report),
            "usd": report.usd if report else None,
            "peak_rss": end.peak_rss if end else None,
            "leaked": reap.leaks(boarded.run.path),
        },
    )


def _tokens(report: Report | None) -> Any:  # noqa: ANN401
    if report is None or report.tokens is None:
        return None
    return report.tokens.dump() if hasattr(report.tokens, "dump") else report.tokens
