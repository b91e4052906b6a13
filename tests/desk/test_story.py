"""A tick's story: each line of the journal once, in words, with what belongs to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cadencebus.desk.context import Context
from cadencebus.desk.output import Output
from cadencebus.desk.story import Story
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TICK = "20261121T023000.000000Z-7f3k9q2m"
NEXT = "20261121T023100.000000Z-7f3k9q2n"


def line(second: float, event: str, tick: str = TICK, **more: Any) -> str:
    """Write a line of the journal of that day."""
    at = f"2026-11-21T02:30:{second:09.6f}Z"
    return json.dumps({"at": at, "event": event, "cadence": "x", "tick": tick, **more}) + "\n"


def test_each_event_is_told_in_words_with_what_belongs_to_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was told twice is one fact, what is torn is none; whom it left behind is named, gone or not."""
    run: dict[str, Any] = {"attempt": 1, "run": f"{TICK}.1"}
    crash: dict[str, Any] = {"class": "crash", "exit_code": None, "signal": 9, "turns": 3, "reason": "no"}
    well: dict[str, Any] = {"class": "ok", "exit_code": 0, "turns": 1, "usd": 0.25, "attempt": 2}
    done: dict[str, Any] = {"class": "ok", "reason": "never shown"}
    lines = [
        line(0, "schedule.fired", late=0),
        line(1, "schedule.fired", late=90, run="again"),
        line(2, "tick.accepted", source="cli"),
        line(2.5, "tick.claimed", waited=0.5),
        line(2.5, "tick.claimed", waited=0.5),
        line(3, "run.started", runner="claude", **run),
        line(4, "run.ended", **crash, **run),
        line(5, "run.ended", **well),
        line(6, "tick.done", **done),
        line(7, "tick.accepted", NEXT, parent=TICK),
        f'{{"tick": "{TICK}", torn\n',
    ]
    (home / "state" / "events" / "2026-11-21.jsonl").write_text("".join(lines))
    story = Story(Home(str(home)), TICK)
    story.tell(Output(Context()), 1_800_000_000.0)
    _, heading, _, *rows = capsys.readouterr().out.splitlines()
    assert heading == "story"
    told = [" ".join(row.split()[2:]) for row in rows]
    assert told == [
        "fired by its schedule",
        "+1s fired by its schedule, 1m 30s late",
        "+1s accepted by cli",
        "+500ms claimed waited 500ms",
        "+500ms run starts claude, attempt 1",
        "+1s run ends crash (signal 9) 3 turns no",
        "+1s run ends ok (exit 0) 1 turn 0.25 USD",
        "+1s done",
    ]
    assert list(story.relatives({"parent": "gone", "retry_of": 7})) == [
        ("follows", "gone  (not there any more)"),
        ("followed by", f"{NEXT}  (not there any more)"),
    ]
    Story(Home(str(home)), NEXT[:-1] + "x").tell(Output(Context()), 0.0)
    assert capsys.readouterr().out == "", "nothing is known of it"
