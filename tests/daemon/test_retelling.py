"""The journal is made whole beside the turns: gently, in no time where asked to, and not for ever."""

from __future__ import annotations

import itertools
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.retelling import Retelling
from cadencebus.model.naming import name_of
from cadencebus.model.tick import Tick
from cadencebus.store import inlet, journal
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.daemon.gear import Gear


@pytest.fixture
def gear(home: Path) -> Gear:
    """What a consumer of this home would work with."""
    return assemble(Home(str(home)), flags={}, say=print)


def waiting() -> Iterator[str]:
    """Names of ticks of which nobody told, without end."""
    now = time.time()
    for number in itertools.count():
        yield name_of(inlet.new_id(now - number * 1e-4), "brief", 5).file


def test_a_consumer_that_goes_does_not_wait_for_it(gear: Gear) -> None:
    """Given up in the midst of ticks without end, it ends; what it told until then stands."""
    asked = itertools.count()
    count = Retelling(gear, lambda: next(asked) > 3).retell(waiting())
    assert 0 < count == sum(1 for _ in journal.facts(gear.home, ""))


def test_it_leaves_the_interpreter_to_the_runs(gear: Gear) -> None:
    """Most of the time it sleeps; a second look finds nothing to tell."""
    files = list(itertools.islice(waiting(), 3000))
    began, worked = time.monotonic(), time.thread_time()
    retelling = Retelling(gear, lambda: False)
    assert retelling.retell(files) == 3000
    assert time.thread_time() - worked < 0.4 * (time.monotonic() - began)
    assert retelling.retell(files) == 0


def test_a_lost_journal_gets_the_runs_of_what_has_ended_back(gear: Gear) -> None:
    """The tick itself says when each began and how it ended; what is still told is not told again."""
    started, ended = "2026-11-21T02:30:00.000000Z", "2026-11-21T02:30:07.000000Z"
    attempt = {
        "n": 1,
        "started_at": started,
        "ended_at": ended,
        "exit_code": 3,
        "class": "crash",
        "run": "r.1",
    }
    now = gear.clock.wall()
    outcome = {"status": "dead", "class": "crash", "reason": "it failed", "finished_at": ended}
    tick = Tick(id=inlet.new_id(now), cadence="x", created_at=now, attempts=(attempt,), outcome=outcome)
    Path(f"{gear.home.dead}/{tick.name.file}").write_bytes(tick.bytes())
    retelling = Retelling(gear, lambda: False)
    assert retelling.retell([]) == 5
    (day,) = Path(gear.home.events).iterdir()
    lines = [json.loads(line) for line in day.read_text().splitlines()]
    assert [line["event"] for line in lines] == [
        "tick.accepted",
        "tick.claimed",
        "run.started",
        "run.ended",
        "tick.dead",
    ]
    assert [line["at"] for line in lines[1:4]] == [started, started, ended]
    assert (lines[3]["class"], lines[3]["exit_code"], lines[3]["run"]) == ("crash", 3, "r.1")
    assert retelling.retell([]) == 0
