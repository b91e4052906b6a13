"""A run whose consumer died before it had told of it is told of by the next one."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.model.tick import Tick
from cadencebus.session.identity import boot_id
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


def test_a_run_that_ended_in_a_downtime_took_as_long_as_it_took(home: Path, cadence: Cadence) -> None:
    """Found an hour later, it was no run of an hour: estimates and statistics would believe that."""
    (home / "prompts" / "quick.md").write_text("---\nrunner: command\ncommand: ['true']\n---\nDo it.\n")
    at, began, since_boot = Home(str(home)), time.time() - 3600, time.monotonic() - 3600
    tick = Tick(id=new_id(began), cadence="quick", created_at=began)
    with open(f"{at.claimed}/{tick.name.file}", "wb") as file:
        file.write(tick.bytes())
    run = runs.make(at, tick)
    clocks = {"boot_id": boot_id(), "monotonic": since_boot, "started_at": rfc3339(began)}
    runs.furnish(at, run, tick.bytes(), b"", {"pid": None, "runner": "command", **clocks})
    os.rename(run.file(runs.PENDING), run.file("exit.0"))
    ended = {"at": rfc3339(began + 2), "monotonic": since_boot + 2, "peak_rss": 0, "cpu_s": 0.0}
    with open(run.file("exit.0"), "w") as file:
        json.dump(ended, file)
    assert cadence("run", "--drain").returncode == 0
    (done,) = home.glob("state/done/*/*")
    (attempt,) = json.loads(done.read_text())["attempts"]
    assert (attempt["started_at"], attempt["ended_at"]) == (rfc3339(began), rfc3339(began + 2))
    memory = json.loads((home / "state/cadences/quick.json").read_text())
    assert (memory["last_run"]["seconds"], memory["averages"]["seconds"]) == (2.0, 2.0)
    lines = [line for path in home.glob("state/events/*") for line in path.read_text().splitlines()]
    (told,) = [fact for fact in map(json.loads, lines) if fact["event"] == "run.ended"]
    assert told["seconds"] == 2.0
