"""A tick's story in order, from the journal: what happened when, whence it came, what came of it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from cadencebus.desk import human_time
from cadencebus.desk.columns import Column
from cadencebus.desk.lookup import find
from cadencebus.desk.output import Cell, Painted, safe
from cadencebus.errors import CadenceError
from cadencebus.model.duration import spell_duration
from cadencebus.model.foreign import amount, instant, mapping
from cadencebus.store import journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.desk.output import Output
    from cadencebus.store.paths import Home

COLUMNS = (Column("AT"), Column("AFTER", right=True), Column("WHAT"), Column("MORE", folds=True))
_WORDS = {
    "schedule.fired": "fired",
    "schedule.skipped": "another firing",
    "tick.accepted": "accepted",
    "tick.deferred": "put off",
    "tick.due": "due",
    "tick.claimed": "claimed",
    "run.started": "run starts",
    "run.ended": "run ends",
    "tick.again": "back to the queue",
    "tick.done": "done",
    "tick.dead": "dead",
    "dead.retried": "retried",
}
_COLOURS = {"dead": "red", "done": "green", "back to the queue": "yellow"}
# By which member a tick names the one that it came from, in words.
ORIGINS = {"parent": "follows", "retry_of": "retry of", "on_dead_of": "because of the death of"}


class Story:
    """What the journal tells of one tick."""

    def __init__(self, home: Home, tick: str) -> None:
        self._home = home
        self.lines: list[dict[str, Any]] = []
        self.follow_ups: list[str] = []
        seen: set[tuple[str, ...]] = set()
        for line in _naming(home, tick):
            # As text: a line that somebody wrote by hand may hold anything.
            fact = tuple(str(line.get(key)) for key in ("attempt", "event", "run"))
            if line.get("tick") == tick:
                # Equal lines are the same fact, told again by a replay.
                if fact not in seen:
                    self.lines.append(line)
                seen.add(fact)
            elif line.get("event") == "tick.accepted" and line.get("tick") not in self.follow_ups:
                self.follow_ups.append(str(line.get("tick")))

    def tell(self, out: Output, now: float) -> None:
        """Print it."""
        if not self.lines:
            return
        out.heading("story")
        rows, before = [], None
        for line in self.lines:
            at = instant(line.get("at"))
            rows.append(_row(line, at, before, now))
            before = before if at is None else at
        out.table(COLUMNS, rows)

    def relatives(self, members: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
        """Whence it came and what came of it, each with its state."""
        for key, words in ORIGINS.items():
            if isinstance(members.get(key), str):
                yield words, self._kin(members[key])
        for tick in self.follow_ups:
            yield "followed by", self._kin(tick)

    def _kin(self, tick: str) -> str:
        try:
            found = find(self._home, tick)
        except CadenceError:
            return f"{safe(tick)}  (not there any more)"
        return f"{found.name.id}  {found.name.cadence}, {found.state}"


def _row(line: dict[str, Any], at: float | None, before: float | None, now: float) -> list[Cell]:
    event = str(line.get("event"))
    words = _WORDS.get(event, safe(event))
    after = "" if at is None or before is None else spell_duration(max(0.0, round(at - before, 3)))
    return [
        "?" if at is None else human_time.clock(at, now),
        f"+{after}" if after not in {"", "0s"} else "",
        Painted(words, _COLOURS[words]) if words in _COLOURS else words,
        safe("  ".join(_more(line))),
    ]


def _more(line: dict[str, Any]) -> Iterator[str]:
    """What belongs to an event, in the order in which one wants to know it."""
    event = str(line.get("event"))
    if event == "run.ended":
        code = f"exit {line.get('exit_code')}" if line.get("signal") is None else f"signal {line['signal']}"
        yield f"{line.get('class')} ({code})"
        for key, unit in (("turns", "turn"), ("usd", "USD")):
            if (number := amount(line.get(key))) is not None:
                yield f"{number:g} {unit}{'s' if unit == 'turn' and number != 1 else ''}"
    if event == "tick.claimed" and (waited := amount(line.get("waited"))) is not None:
        yield f"waited {spell_duration(waited)}"
    if event == "run.started":
        yield f"{line.get('runner')}, attempt {line.get('attempt')}"
    if event == "tick.accepted" and line.get("source"):
        yield f"by {line['source']}"
    if event == "schedule.fired":
        late = amount(line.get("late"))
        yield "by its schedule" + (f", {spell_duration(late)} late" if late else "")
    if (
        event in {"tick.again", "tick.dead", "run.ended", "tick.done", "schedule.skipped"}
        and line.get("class") != "ok"
    ):
        yield str(line.get("reason") or "")


def _naming(home: Home, tick: str) -> Iterator[dict[str, Any]]:
    """Every line of the journal that has this id in it, from the tick's own day on."""
    day, wanted = f"{tick[:4]}-{tick[4:6]}-{tick[6:8]}", tick.encode()
    for line in journal.lines(home, day, passed_over=OSError):
        if wanted in line:
            with contextlib.suppress(ValueError, RecursionError):
                yield mapping(json.loads(line))
