"""The whole home in one value: what `cadence status` shows, and what a program gets as JSON."""

from __future__ import annotations

import os
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from cadencebus.checkup.consumer import silent_for
from cadencebus.clock import day, parse_stamp, rfc3339
from cadencebus.desk import ended_runs, forecast, holding, human_time
from cadencebus.desk.dead_letters import letter_of
from cadencebus.desk.dead_retry import is_tick
from cadencebus.desk.health import judge, notes
from cadencebus.desk.lookup import Found, listing, names
from cadencebus.desk.reasons import Reasons, cure
from cadencebus.errors import CadenceError, NoSuch
from cadencebus.model.foreign import amount
from cadencebus.model.naming import name_in, parse_deferred
from cadencebus.session import identity, life, reap
from cadencebus.store import runs
from cadencebus.store.corrupt import load_object
from cadencebus.store.memory import Memory
from cadencebus.store.paths import FOLDERS
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.desk.dead_letters import Letter
    from cadencebus.desk.snapshot import Snapshot
    from cadencebus.store.paths import Home

T = TypeVar("T")

# So many letters are read to say what they died of, the newest; the rest is counted.
_LETTERS_READ = 1000
_FAILURES_SHOWN = 5
_FAILURES_SINCE = 86400.0
_DUE_SHOWN = 5
_SAID_MOST = 160


def overview(home: Home, now: float | None = None) -> dict[str, Any]:
    """Everything about a home, looked at once."""
    return Overview(home).look(now)


class Overview:
    """A home that is looked at again and again; what did not change since is not read again."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._reasons: Reasons | None = None

    def look(self, now: float | None = None) -> dict[str, Any]:
        """Everything as it is now. What can't be read is a problem that is told, not the end of the rest."""
        now = time.time() if now is None else now
        home, problems = self._home, list[str]()
        self._reasons = reasons = Reasons(home, now, before=self._reasons)
        cached = reasons.cache.get
        journal = (home.events, f"{home.events}/{day(now)}.jsonl")

        def part(what: str, read: Callable[[], T], otherwise: T) -> T:
            try:
                return read()
            except (OSError, CadenceError) as error:
                problems.append(f"{what}: {getattr(error, 'strerror', None) or error}")
                return otherwise

        facts: dict[str, Any] = {
            "home": home.root,
            "at": rfc3339(now),
            "stop": reasons.stopped,
            "consumer": _consumer(home, now, alive=reasons.consumed),
            "slots": reasons.settings.max_sessions,
            "max_inbox": reasons.settings.max_inbox,
            "running": part("claimed/", lambda: _all_running(reasons), _NONE),
            "arriving": reasons.arriving,
            "queue": part("inbox/", lambda: _queue(reasons), _NONE),
            "holds": part("holds/", lambda: _holds(home, now), _NONE),
            "circuits": part("cadences/", lambda: [one.dump() for one in holding.circuits(home, now)], _NONE),
            "dead": part("dead/", lambda: cached("dead", (home.dead,), lambda: _dead(home)), _NONE_DEAD),
            "failures": part(
                "events/", lambda: cached("failures", journal, lambda: _failures(home, now)), _NONE
            ),
            "broken": part("prompts/", lambda: _broken(reasons), _NONE),
            "next_due": part("prompts/", lambda: _next_due(reasons), _NONE),
        }
        torn = part("cadences/", lambda: cached("torn", (home.cadences,), lambda: _torn(home)), _NOTHING)
        problems = [*filter(None, [reasons.problem]), *_no_folders(home), *reasons.unseen, *problems, *torn]
        facts["problems"] = problems
        return _verdict(facts, home, now) | facts


def _verdict(facts: dict[str, Any], home: Home, now: float) -> dict[str, Any]:
    health, complaints = judge(facts, home, now)
    return {
        "health": health,
        "why": [str(one) for one in complaints],
        "cures": [one.dump() for one in complaints],
        "notes": [one.dump() for one in notes(facts, home, now)],
    }


_NONE: list[dict[str, Any]] = []
_NOTHING: list[str] = []
_NONE_DEAD: dict[str, Any] = {"count": 0, "classes": {}, "cadences": {}, "newest_at": None, "newest": None}


def _no_folders(home: Home) -> list[str]:
    """What must be a folder of state/ and is none: nothing can be queued, claimed or buried there."""
    wrong = []
    for folder in FOLDERS:
        path = f"{home.state}/{folder}"
        if os.path.islink(path) or not os.path.isdir(path):
            wrong.append(f"state/{folder} is {'no folder' if os.path.lexists(path) else 'missing'}")
    return wrong


def _torn(home: Home) -> list[str]:
    """Memories that can't be read: the consumer sets them aside when it needs them."""
    wrong = []
    for name in Memory(home).names():
        try:
            load_object(home.memory(name))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            wrong.append(f"state/cadences/{name}.json can't be read: {error}")
    return wrong


def _broken(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Cadences whose files can't be read: what was never good fires nothing, so nothing of it would wait."""
    found = []
    for name in snapshot.prompts.names():
        try:
            snapshot.prompts.load(name)
        except CadenceError as error:
            # A file that went while we looked is nobody's fault; a link that leads nowhere stays.
            if not isinstance(error, NoSuch) or os.path.islink(snapshot.home.prompt(name)):
                found.append({"cadence": name, "why": error.message})
        except OSError as error:
            found.append({"cadence": name, "why": f"prompts/{name}.md: {error.strerror}"})
    return found


def _consumer(home: Home, now: float, *, alive: bool) -> dict[str, Any] | None:
    """What the consumer says of itself; one that left its file without holding the lock has crashed."""
    try:
        note = load_object(home.consumer)
    except (OSError, ValueError):
        return {"alive": True} if alive else None
    keys = ("pid", "started_at", "version", "heartbeat_at", "slots", "gates", "starving")
    return {"alive": alive, **{key: note.get(key) for key in keys}, "silent_seconds": silent_for(note, now)}


def _all_running(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [_running(snapshot, found) for found in listing(snapshot.home, ("claimed",))]


def _running(snapshot: Snapshot, found: Found) -> dict[str, Any]:
    run = runs.latest(snapshot.home, found.name.id)
    record = (runs.record(run) if run else None) or {}
    began, limit = human_time.instant(record.get("started_at")), amount(record.get("deadline_s"))
    awake = identity.seconds_since(record)
    seconds = snapshot.now - began if awake is None and began is not None else awake
    return {
        "tick": found.name.id,
        "cadence": found.name.cadence,
        "run": run.id if run else None,
        "alive": run is not None and life.is_alive(run.path),
        "started_at": record.get("started_at"),
        "seconds": None if seconds is None else round(seconds, 1),
        "deadline_at": None if seconds is None or limit is None else rfc3339(snapshot.now - seconds + limit),
        "runner": record.get("runner"),
        "unkillable": reap.survivors(run.path) if run is not None else [],
        "says": _says(snapshot, run, record) if run is not None else "",
    }


def _says(snapshot: Snapshot, run: runs.RunFolder, record: dict[str, Any]) -> str:
    """The last thing that a run printed, as people read it."""
    stream = snapshot.settings.stream_of(record.get("runner"))
    for line in reversed(runs.tail(run.file("stdout.log")).splitlines()):
        if shown := [text for text in render(stream, line) if text.strip()]:
            return shown[-1].strip()[:_SAID_MOST]
    return ""


def _queue(reasons: Reasons) -> list[dict[str, Any]]:
    """What waits, by cadence, the longest wait first."""
    late, first = reasons.cache.get("deferred", (reasons.home.deferred,), lambda: _deferred(reasons.home))
    oldest, rows = reasons.oldest, []
    for cadence in sorted({*reasons.counts, *late}, key=lambda c: (oldest.get(c, "9"), c)):
        wait = reasons.of_cadence(cadence) if reasons.counts[cadence] else None
        rows.append(
            {
                "cadence": cadence,
                "ready": reasons.counts[cadence],
                "deferred": late[cadence],
                "oldest_at": rfc3339(parse_stamp(oldest[cadence])) if cadence in oldest else None,
                "due_at": rfc3339(parse_stamp(first[cadence])) if cadence in first else None,
                "wait": wait
                and {
                    "reason": wait.reason,
                    "detail": wait.detail,
                    "until": _spelled(wait.until),
                    "do": cure(wait.reason, cadence),
                },
            }
        )
    return rows


def _deferred(home: Home) -> tuple[Counter[str], dict[str, str]]:
    """Of each cadence: how many ticks are not due yet, and when the first of them is."""
    late: Counter[str] = Counter()
    first: dict[str, str] = {}
    for file in names(home, "deferred"):
        parsed = parse_deferred(file)
        if parsed is not None:
            due, name = parsed
            late[name.cadence] += 1
            first[name.cadence] = min(first.get(name.cadence, due), due)
        elif (stranger := name_in(file)) is not None:
            late[stranger.cadence] += 1
    return late, first


def _spelled(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _holds(home: Home, now: float) -> list[dict[str, Any]]:
    return [holding.dump(hold, now) for hold in holding.held(home, now) if not hold.over(now)]


def _dead(home: Home) -> dict[str, Any]:
    letters = list(listing(home, ("dead",)))
    newest = sorted(letters, key=lambda found: found.name.stamp)[-_LETTERS_READ:]
    read = [letter_of(home, found) for found in newest]
    died = [(at, letter) for letter in read if (at := letter.died_at) is not None]
    last = max(died, key=lambda one: one[0], default=None)
    return {
        "count": len(letters),
        "classes": dict(Counter(letter.klass for letter in read).most_common()),
        "cadences": dict(Counter(found.name.cadence for found in letters).most_common()),
        "newest_at": last and rfc3339(last[0]),
        "newest": last and _letter(home, last[1]),
    }


def _letter(home: Home, letter: Letter) -> dict[str, Any]:
    tick, said = letter.found.name, letter.outcome.get("reason")
    return {
        "tick": tick.id,
        "cadence": tick.cadence,
        "class": letter.klass,
        "reason": str(said or ""),
        "retriable": is_tick(home, letter),
    }


def _failures(home: Home, now: float) -> list[dict[str, Any]]:
    return ended_runs.failures(home, now - _FAILURES_SINCE, _FAILURES_SHOWN)


def _next_due(snapshot: Snapshot) -> list[dict[str, Any]]:
    """What comes next: put-off ticks, and the schedules."""
    found: list[tuple[float, dict[str, Any]]] = []
    # Taken apart as far as they are shown: a hundred thousand may lie there.
    parsed = filter(None, map(parse_deferred, sorted(names(snapshot.home, "deferred"))))
    for due, name in islice(parsed, _DUE_SHOWN):
        at = parse_stamp(due)
        found.append((at, {"cadence": name.cadence, "tick": name.id, "by": "deferred"}))
    for schedule in _schedules(snapshot):
        at_next = schedule.next_at(snapshot.now)
        if at_next is not None:
            found.append((at_next, {"cadence": schedule.cadence, "tick": None, "by": schedule.by}))
    found.sort(key=lambda one: one[0])
    rows = [{"at": rfc3339(at), **about} for at, about in found[:_DUE_SHOWN]]
    shown = {row["tick"] for row in rows}
    return rows + [row for row in forecast.far_off(snapshot.home, snapshot.now) if row["tick"] not in shown]


def _schedules(snapshot: Snapshot) -> list[forecast.Schedule]:
    home = snapshot.home
    paths = (home.prompts, home.cadences, home.settings, f"{home.root}/HEARTBEAT.md", *_prompt_files(home))
    return snapshot.cache.get("schedules", paths, lambda: forecast.schedules(snapshot))


def _prompt_files(home: Home) -> list[str]:
    try:
        return sorted(entry.path for entry in os.scandir(home.prompts))
    except OSError:
        return []
