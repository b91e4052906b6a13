"""The whole home in one value: what `cadence status` shows, and what a program gets as JSON."""

from __future__ import annotations

import os
import time
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from cadencebus.clock import day, parse_stamp
from cadencebus.desk import ended_runs, forecast, holding
from cadencebus.desk.dead_letters import letter_of
from cadencebus.desk.dead_retry import is_tick
from cadencebus.desk.facts import Dead, Facts, Faults, Queue, Run
from cadencebus.desk.forecast import Upcoming
from cadencebus.desk.health import Verdict, judge
from cadencebus.desk.lookup import Found, listing, names
from cadencebus.desk.reasons import Reasons
from cadencebus.errors import CadenceError, NoSuch
from cadencebus.model.foreign import amount, instant
from cadencebus.model.naming import name_in, parse_deferred
from cadencebus.model.wording import some
from cadencebus.session import identity, life, reap
from cadencebus.store import files, fitness, runs
from cadencebus.store.json_file import load_object
from cadencebus.store.memory import Memories
from cadencebus.store.paths import FOLDERS
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.desk.ended_runs import EndedRun
    from cadencebus.desk.snapshot import Snapshot
    from cadencebus.store.paths import Home

T = TypeVar("T")

# How many of the newest letters are read to say what they died of; the rest is counted.
_LETTERS_READ = 1000
_FAILURES_SHOWN = 5
_FAILURES_SINCE = 86400.0
_DUE_SHOWN = 5
_SAID_MOST = 160


class Overview(NamedTuple):
    """A home at one moment, and how it is."""

    facts: Facts
    verdict: Verdict

    def dump(self) -> dict[str, Any]:
        """As JSON: what `status --json` prints."""
        return self.verdict.dump() | self.facts.dump()


def overview(home: Home, now: float | None = None) -> Overview:
    """Everything about a home, looked at once."""
    return Onlooker(home).look(now)


class Onlooker:
    """Looks at a home again and again; what did not change since is not read again."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._reasons: Reasons | None = None

    def look(self, now: float | None = None) -> Overview:
        """Everything as it is now. What can't be read is a problem that is told, not the end of the rest."""
        now = time.time() if now is None else now
        home, unread = self._home, list[str]()
        self._reasons = reasons = Reasons(home, now, before=self._reasons)
        cached = reasons.cache.get
        journal = (home.events, home.journal(day(now)))

        def part(what: str, read: Callable[[], T], otherwise: T) -> T:
            try:
                return read()
            except (OSError, CadenceError) as error:
                unread.append(f"{what}: {getattr(error, 'strerror', None) or error}")
                return otherwise

        torn: list[str] = part("cadences/", lambda: cached("torn", (home.cadences,), lambda: _torn(home)), [])
        failures: list[EndedRun] = part(
            "events/", lambda: cached("failures", journal, lambda: _failures(home, now)), []
        )
        facts = Facts(
            home=home,
            at=now,
            stopped=reasons.stopped,
            consumer=reasons.consumer,
            slots=reasons.slots,
            max_inbox=reasons.settings.max_inbox,
            running=part("claimed/", lambda: _all_running(reasons), []),
            arriving=reasons.arriving,
            queue=part("inbox/", lambda: _queue(reasons), []),
            holds=reasons.holds,
            circuits=part("cadences/", lambda: holding.circuits(reasons.memory, reasons.holds, now), []),
            dead=part("dead/", lambda: cached("dead", (home.dead,), lambda: _dead(home)), Dead()),
            # As they were found, some time ago: by now the first may be too long ago.
            failures=[run for run in failures if run.at >= now - _FAILURES_SINCE],
            faults=part("prompts/", lambda: _faults(reasons), Faults({}, [], [])),
            next_due=part("prompts/", lambda: _next_due(reasons), []),
            # Last: by now every part has told what it can't read.
            problems=[*filter(None, [reasons.problem]), *_no_folders(home), *reasons.unseen, *unread, *torn],
        )
        return Overview(facts, judge(facts))


def _no_folders(home: Home) -> list[str]:
    """What must be a folder of state/ and is none: nothing can be queued, claimed or buried there."""
    wrong, missing = [], []
    sealed = fitness.shut(home.state) == fitness.READ_ONLY
    for folder in FOLDERS:
        path = f"{home.state}/{folder}"
        if not os.path.lexists(path):
            missing.append(f"state/{folder}")
        elif os.path.islink(path) or not os.path.isdir(path):
            wrong.append(f"state/{folder} is not a folder")
        elif not sealed and _shut_to_its_owner(path):
            wrong.append(f"state/{folder} can't be written by you")
    if missing:
        wrong.append(f"{some(missing, 1)} {'are' if missing[1:] else 'is'} missing")
    return wrong


def _shut_to_its_owner(path: str) -> bool:
    """Whether we can't write what is ours; who only looks on need not be able to."""
    try:
        ours = os.stat(path).st_uid == os.geteuid()
    except OSError:
        return False
    return ours and not os.access(path, os.W_OK | os.X_OK)


def _torn(home: Home) -> list[str]:
    """Memories that can't be read: the consumer sets them aside when it needs them."""
    wrong = []
    for name in Memories(home).names():
        try:
            load_object(home.memory(name))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            wrong.append(f"state/cadences/{name}.json can't be read: {error}")
    return wrong


def _faults(snapshot: Snapshot) -> Faults:
    """What was never good fires nothing, so nothing of it would wait."""
    faults = Faults({}, [], [str(problem) for problem in snapshot.prompts.heartbeat.problems()])
    for name in snapshot.prompts.names():
        try:
            cadence = snapshot.prompts.load(name)
        except CadenceError as error:
            # A file that went while we looked is nobody's fault; a link that leads nowhere stays.
            if not isinstance(error, NoSuch) or os.path.islink(snapshot.home.prompt(name)):
                faults.broken[name] = error.message
        except OSError as error:
            faults.broken[name] = f"prompts/{name}.md: {error.strerror}"
        else:
            runner = snapshot.settings.runners.get(cadence.runner)
            if cadence.enabled and runner and runner.agent and not cadence.prompt.strip():
                faults.empty.append(name)
    return faults


def _all_running(snapshot: Snapshot) -> list[Run]:
    return [_running(snapshot, found) for found in listing(snapshot.home, ("claimed",))]


def _running(snapshot: Snapshot, found: Found) -> Run:
    run = runs.latest(snapshot.home, found.name.id)
    record = runs.record(run)
    began, limit = instant(record.get("started_at")), amount(record.get("deadline_s"))
    awake = identity.seconds_since(record)
    seconds = snapshot.now - began if awake is None and began is not None else awake
    return Run(
        tick=found.name.id,
        cadence=found.name.cadence,
        run=run.id if run else None,
        alive=run is not None and life.is_alive(run.path),
        started_at=record.get("started_at"),
        seconds=None if seconds is None else round(seconds, 1),
        deadline_at=None if seconds is None or limit is None else snapshot.now - seconds + limit,
        runner=record.get("runner"),
        unkillable=reap.survivors(run.path) if run is not None else [],
        says=_says(snapshot, run, record) if run is not None else "",
    )


def _says(snapshot: Snapshot, run: runs.RunFolder, record: dict[str, Any]) -> str:
    """The last thing that a run printed, as people read it."""
    stream = snapshot.settings.stream_of(record.get("runner"))
    for line in reversed(runs.tail(run.file("stdout.log")).splitlines()):
        if shown := [text for text in render(stream, line) if text.strip()]:
            return shown[-1].strip()[:_SAID_MOST]
    return ""


def _queue(reasons: Reasons) -> list[Queue]:
    """What waits, by cadence, the longest wait first."""
    late, first = reasons.cache.get("deferred", (reasons.home.deferred,), lambda: _deferred(reasons.home))
    oldest = reasons.oldest
    return [
        Queue(
            cadence=cadence,
            ready=reasons.counts[cadence],
            deferred=late[cadence],
            oldest_at=parse_stamp(oldest[cadence]) if cadence in oldest else None,
            due_at=parse_stamp(first[cadence]) if cadence in first else None,
            wait=reasons.of_cadence(cadence) if reasons.counts[cadence] else reasons.orphaned(cadence),
            free_since=reasons.free_since(cadence) if reasons.counts[cadence] else None,
        )
        for cadence in sorted({*reasons.counts, *late}, key=lambda c: (oldest.get(c, "9"), c))
    ]


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


def _dead(home: Home) -> Dead:
    letters = list(listing(home, ("dead",)))
    newest = sorted(letters, key=lambda found: found.name.stamp)[-_LETTERS_READ:]
    read = [letter_of(home, found) for found in newest]
    died = [(at, letter) for letter in read if (at := letter.died_at) is not None]
    last = max(died, key=lambda one: one[0])[1] if died else None
    hopeless = sum(files.exists(one.raw) and not is_tick(home, one) for one in read)
    return Dead(
        count=len(letters),
        classes=dict(Counter(letter.klass for letter in read).most_common()),
        cadences=dict(Counter(found.name.cadence for found in letters).most_common()),
        newest=last,
        retriable=last is not None and is_tick(home, last),
        # Where all that were read are rubbish, a flood of it is meant.
        hopeless=hopeless if hopeless < len(read) else len(letters),
    )


def _failures(home: Home, now: float) -> list[EndedRun]:
    return ended_runs.failures(home, now - _FAILURES_SINCE, _FAILURES_SHOWN)


def _next_due(snapshot: Snapshot) -> list[Upcoming]:
    """What comes next: put-off ticks, and the schedules."""
    # Taken apart as far as they are shown: a hundred thousand may lie there.
    parsed = filter(None, map(parse_deferred, sorted(names(snapshot.home, "deferred"))))
    found = [forecast.put_off(due, name) for due, name in islice(parsed, _DUE_SHOWN)]
    for schedule in _schedules(snapshot):
        at = schedule.next_at(snapshot.now)
        if at is not None:
            found.append(Upcoming(at=at, cadence=schedule.cadence, by=schedule.by))
    found.sort(key=lambda one: one.at)
    first = found[:_DUE_SHOWN]
    shown = {one.tick for one in first}
    return first + [one for one in forecast.far_off(snapshot.home, snapshot.now) if one.tick not in shown]


def _schedules(snapshot: Snapshot) -> list[forecast.Schedule]:
    home = snapshot.home
    said = (home.settings, f"{home.root}/HEARTBEAT.md", f"{home.state}/producers.json")
    paths = (home.prompts, home.cadences, *said, *_prompt_files(home))
    return snapshot.cache.get("schedules", paths, lambda: forecast.schedules(snapshot))


def _prompt_files(home: Home) -> list[str]:
    try:
        return sorted(entry.path for entry in os.scandir(home.prompts))
    except OSError:
        return []
