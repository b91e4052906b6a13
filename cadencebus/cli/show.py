"""`cadence show`: a tick's whole story."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from cadencebus.desk import human_time, reasons
from cadencebus.desk.lookup import WAITING, Found, find, members_of
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Cell, Output, Painted, painted, safe
from cadencebus.desk.story import Story
from cadencebus.model.foreign import instant, mapping, sequence
from cadencebus.model.wording import count
from cadencebus.store import files, runs
from cadencebus.store.config import settings_or_default
from cadencebus.streams.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.context import Context
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence show 7f3k9q2m
  cadence show 7f3k --json | jq .attempts"""
# What a tick says of itself that a person may want to know, beside what is always shown.
_MORE = ("key", "not_before", "expires_at", "force", "hops", "origin_id", "file")
_TAIL_LINES = 8
_LEFT_OVER = 3
# One run may stand for thousands.
_ABSORBED = 20


def main(words: list[str], context: Context) -> int:
    """Tell where a tick is, why it waits, what was tried, how it ended, and where everything lies."""
    parser = Parser(
        "show", "Everything about a tick: state, why it waits, attempts, outcome, files.", EXAMPLES
    )
    parser.add_argument("tick", help="its id, or any unique part of it")
    asked = parser.parse_args(words)
    tell(context.home, find(context.home, asked.tick), Output(context))
    return 0


def tell(home: Home, found: Found, out: Output) -> None:
    """Tell the story of one tick."""
    now = time.time()
    members = members_of(home, found)
    folders = [os.path.relpath(run.path, home.state) for run in runs.every(home, found.name.id)]
    wait = reasons.Reasons(home, now).of_tick(found) if found.state in WAITING else None
    story = Story(home, found.name.id)
    if out.json:
        waits = wait and wait.dump()
        about: dict[str, Any] = {"state": found.state, "file": found.place, "waits": waits, "runs": folders}
        about |= {"story": story.lines, "follow_ups": story.follow_ups}
        out.document(about | members)
        return
    rows = list(_head(found, members))
    if found.state in WAITING:
        rows.append(("waits", reasons.spell(wait, now)))
    for at, attempt in enumerate(sequence(members.get("attempts")), 1):
        rows += _attempt(home, at, mapping(attempt))
    rows += _outcome(mapping(members.get("outcome")))
    rows += story.relatives(members)
    rows += _files(home, found, folders)
    out.facts(rows)
    story.tell(out, now)


def _head(found: Found, members: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    yield "tick", found.name.id
    yield "cadence", found.name.cadence
    yield "state", painted(found.state)
    yield (
        "created",
        f"{human_time.told(members.get('created_at'))} by {safe(members.get('source') or 'file')}",
    )
    yield "priority", str(found.name.priority)
    if members.get("payload"):
        yield "payload", json.dumps(members["payload"], ensure_ascii=False)
    for key in _MORE:
        if members.get(key):
            yield key, safe(members[key])


def _attempt(home: Home, at: int, attempt: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    klass = safe(attempt.get("class"))
    signal = attempt.get("signal")
    how = f"exit {attempt.get('exit_code')}" if signal is None else f"signal {signal}"
    began, ended = (instant(attempt.get(key)) for key in ("started_at", "ended_at"))
    took = "" if began is None or ended is None else f" after {ended - began:.1f} s"
    counted = "" if attempt.get("counted") or klass == "ok" else ", not counted"
    line = f"{human_time.told(attempt.get('started_at'))}  {klass} ({how}{took}{counted})"
    reason = safe(attempt.get("reason"))
    colour = "green" if klass == "ok" else "yellow"
    yield f"attempt {at}", Painted(line + (f": {reason}" if reason and klass != "ok" else ""), colour)
    record = runs.record(runs.named(home, attempt.get("run")))
    tail = _last_words(home, attempt, record) if klass != "ok" else []
    if tail:
        yield " ", Painted("\n".join(f"| {line}" for line in tail), "dim")
    if left := [mapping(one) for one in sequence(record.get("leaked"))]:
        named = "; ".join(safe(one.get("cmdline") or one.get("name")) for one in left[:_LEFT_OVER])
        more = f"; {len(left) - _LEFT_OVER} more" if len(left) > _LEFT_OVER else ""
        processes = count(len(left), "process", "processes")
        yield "left over", f"{processes}, ended by the bus: {named}{more}"


def _last_words(home: Home, attempt: dict[str, Any], record: dict[str, Any]) -> list[str]:
    """The end of what it printed; where that is an agent's stream, as `cadence logs` shows it."""
    stream = settings_or_default(home)[0].stream_of(record.get("runner"))
    said = str(attempt.get("stderr_tail") or "").splitlines()
    return [shown for line in said for shown in render(stream, line.encode(errors="replace"))][-_TAIL_LINES:]


def _outcome(outcome: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    if not outcome:
        return
    status = safe(outcome.get("status"))
    colour = {"ok": "green", "dead": "red"}.get(status, "yellow")
    reason = safe(outcome.get("reason"))
    said = status if status == "ok" or not reason else f"{status}: {reason}"
    yield "outcome", Painted(f"{said}  ({human_time.told(outcome.get('finished_at'))})", colour)
    if outcome.get("class") not in {None, status}:
        yield "class", safe(outcome["class"])
    for key in ("cure", "absorbed_by"):
        if outcome.get(key):
            yield key, safe(outcome[key])
    absorbed = sequence(outcome.get("absorbed"))
    if absorbed:
        more = len(absorbed) - _ABSORBED
        counted = f" and {more} more: --json has them all" if more > 0 else ""
        yield "absorbed", ", ".join(safe(tick) for tick in absorbed[:_ABSORBED]) + counted


def _files(home: Home, found: Found, folders: list[str]) -> Iterator[tuple[str, Cell]]:
    yield "file", f"{home.state}/{found.place}"
    if files.exists(f"{home.state}/{found.place}.raw"):
        yield "as it came", f"{home.state}/{found.place}.raw"
    for folder in folders:
        try:
            # The lock of a living run is no answer to anybody.
            names = (entry.name for entry in os.scandir(f"{home.state}/{folder}"))
            inside = sorted(name for name in names if name != "alive")
        except OSError:
            inside = []
        yield "run", "\n".join([f"{home.state}/{folder}/", *([f"  {'  '.join(inside)}"] if inside else [])])
