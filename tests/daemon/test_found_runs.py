"""A run whose consumer died before it had told of it is told of by the next one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.model.tick import Tick
from cadencebus.store import runs
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cadence

NOW = 1_800_000_000.0


def test_a_run_without_a_line_in_the_journal_gets_one(home: Path, cadence: Cadence) -> None:
    """Killed between the folder and the journal: the attempt stands in the tick, so it stands there, too."""
    (home / "prompts" / "quick.md").write_text("---\nrunner: command\ncommand: ['true']\n---\nDo it.\n")
    at, tick = Home(str(home)), Tick(id=new_id(NOW), cadence="quick", created_at=NOW)
    with open(f"{at.claimed}/{tick.name.file}", "wb") as file:
        file.write(tick.bytes())
    os.chmod(f"{at.claimed}/{tick.name.file}", 0o600)
    run = runs.make(at, tick)
    runs.furnish(at, run, tick.bytes(), b"", {"pid": None, "runner": "command", "started_at": rfc3339(NOW)})
    ended = cadence("run", "--drain")
    assert ended.returncode == 0, ended.stderr
    lines = [line for path in home.glob("state/events/*") for line in path.read_text().splitlines()]
    told = {(fact["event"], fact.get("run")) for fact in map(json.loads, lines)}
    assert {("run.started", run.id), ("run.ended", run.id)} <= told
    assert ("run.started", f"{tick.id}.2") in told
