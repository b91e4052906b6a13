"""What the journal tells of runs that ended, whatever else somebody has written into it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.desk.ended_runs import failures
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1795262400.0


def test_lines_that_somebody_wrote_by_hand_are_no_trouble(home: Path) -> None:
    """A class that is a list, a run that is none: what went wrong is told all the same."""
    odd: list[dict[str, object]] = [{"class": ["ok"]}, {"class": {}}, {"at": []}, {"run": [1]}]
    lines = [{"event": "run.ended", "class": "crash", "at": rfc3339(NOW), "run": "b.1"} | one for one in odd]
    lines += [
        {"event": "run.ended", "class": klass, "at": rfc3339(NOW), "run": "a.1"} for klass in ("ok", "crash")
    ]
    journal = home / "state" / "events" / "2026-11-21.jsonl"
    journal.write_text("".join(json.dumps(line) + "\n" for line in [*lines, "run.ended", ["run.ended"]]))
    found = failures(Home(str(home)), NOW - 60, 10)
    assert {str(run.line["run"]) for run in found} == {"a.1", "b.1", "[1]"}
