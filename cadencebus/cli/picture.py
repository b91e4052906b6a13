"""The whole home in one value: what `cadence status` shows, and what a program gets as JSON."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from cadencebus.cli import chronicle, clockface, holding
from cadencebus.cli.circuit import circuits
from cadencebus.cli.finding import Found, listing, name_in, names
from cadencebus.cli.health import judge
from cadencebus.cli.letters import letter_of
from cadencebus.cli.reasons import Reasons
from cadencebus.clock import parse_stamp, rfc3339
from cadencebus.model.naming import parse_deferred
from cadencebus.session import launch, reap
from cadencebus.store import runs
from cadencebus.store.corrupt import load_object

if TYPE_CHECKING:
    from cadencebus.store.paths import Home

# So many letters are read to say what they died of, the newest; the rest is counted.
_LETTERS_READ = 1000
_FAILURES_SHOWN = 5
_FAILURES_SINCE = 86400.0


def picture(home: Home, now: float | None = None) -> dict[str, Any]:
    """Look once at everything."""
    now = time.time() if now is None else now
    scene = Reasons(home, now)
    facts: dict[str, Any] = {
        "home": home.root,
        "at": rfc3339(now),
        "stop": scene.stopped,
        "consumer": _consumer(home, alive=scene.consumed),
        "slots": scene.settings.max_sessions,
        "running": [_running(home, found, now) for found in listing(home, ("claimed",))],
        "queue": _queue(scene),
        "holds": [one.dump(now) for one in holding.held(home, now) if not one.hold.over(now)],
        "circuits": circuits(home, now),
        "dead": _dead(home),
        "failures": _failures(home, now),
        "next_due": _next_due(home),
        "problems": [scene.problem] if scene.problem else [],
    }
    health, why = judge(facts, home, now)
    return {"health": health, "why": why, **facts}


def _consumer(home: Home, *, alive: bool) -> dict[str, Any] | None:
    """What the consumer says of itself; one that left its file without holding the lock has crashed."""
    try:
        note = load_object(home.consumer)
    except (OSError, ValueError):
        return {"alive": True} if alive else None
    keys = ("pid", "started_at", "version", "heartbeat_at", "slots")
    return {"alive": alive, **{key: note.get(key) for key in keys}}


def _running(home: Home, found: Found, now: float) -> dict[str, Any]:
    run = runs.latest(home, found.name.id)
    record = (runs.record(run) if run else None) or {}
    began = clockface.instant(record.get("started_at"))
    return {
        "tick": found.name.id,
        "cadence": found.name.cadence,
        "run": run.id if run else None,
        "alive": run is not None and launch.is_alive(run.path),
        "started_at": record.get("started_at"),
        "seconds": None if began is None else round(now - began, 1),
        "runner": record.get("runner"),
        "unkillable": reap.survivors(run.path) if run is not None else [],
    }


def _queue(scene: Reasons) -> list[dict[str, Any]]:
    """What waits, by cadence, the longest wait first."""
    late = Counter(name.cadence for file in names(scene.home, "deferred") if (name := name_in(file)))
    oldest: dict[str, str] = {}
    for file in names(scene.home, "inbox"):
        name = name_in(file)
        if name is not None:
            oldest[name.cadence] = min(oldest.get(name.cadence, name.stamp), name.stamp)
    rows = []
    for cadence in sorted({*scene.counts, *late}, key=lambda c: (oldest.get(c, "9"), c)):
        wait = scene.of_cadence(cadence) if scene.counts[cadence] else None
        rows.append(
            {
                "cadence": cadence,
                "ready": scene.counts[cadence],
                "deferred": late[cadence],
                "oldest_at": rfc3339(parse_stamp(oldest[cadence])) if cadence in oldest else None,
                "wait": wait
                and {"reason": wait.reason, "detail": wait.detail, "until": _spelled(wait.until)},
            }
        )
    return rows


def _spelled(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _dead(home: Home) -> dict[str, Any]:
    letters = list(listing(home, ("dead",)))
    newest = sorted(letters, key=lambda found: found.name.stamp)[-_LETTERS_READ:]
    read = [letter_of(home, found) for found in newest]
    died = [at for letter in read if (at := letter.died_at) is not None]
    return {
        "count": len(letters),
        "classes": dict(Counter(letter.klass for letter in read).most_common()),
        "newest_at": _spelled(max(died, default=None)),
    }


def _failures(home: Home, now: float) -> list[dict[str, Any]]:
    told = [
        run.line for run in chronicle.runs(home, now - _FAILURES_SINCE) if run.klass not in {"ok", "skipped"}
    ]
    return told[-_FAILURES_SHOWN:]


def _next_due(home: Home) -> dict[str, Any] | None:
    first = min((file for file in names(home, "deferred") if parse_deferred(file)), default=None)
    parsed = parse_deferred(first) if first else None
    if parsed is None:
        return None
    due, name = parsed
    return {"tick": name.id, "cadence": name.cadence, "at": rfc3339(parse_stamp(due))}
