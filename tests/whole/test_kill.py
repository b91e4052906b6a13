"""SIGKILL anywhere: nothing is lost, doubled, run twice or left alive."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cadence
    from tests.whole.conftest import Torture

ROOT = Path(__file__).parents[2]
QUICK = "settle: 200ms\ndefaults: {runner: command, backoff: [20ms], circuit: {failures: 0}}\n"
# One of each kind: before a folder's sync, a claim, the start, the record, the commit, the final move.
POINTS = ("enqueue:linkat:1", "consumer:fsync:9", "consumer:rename:6", "consumer:sendmsg:2")


@pytest.mark.usefixtures("strace")
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_before_a_system_call_breaks_no_promise(torture: Torture, point: str) -> None:
    """The next consumer brings everything to its one end."""
    done = torture("kill", "--point", point)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_run_that_began_after_the_last_settlement_is_not_forgotten(home: Path, cadence: Cadence) -> None:
    """A tick goes back to inbox/ with its old plan inside; its new run counts, not that plan."""
    (home / "cadence.yaml").write_text(QUICK)
    (home / "prompts" / "twice.md").write_text('---\ncommand: [sh, -c, "exit 1"]\nretries: 1\n---\nHello\n')
    tick = cadence("enqueue", "twice").stdout.strip()
    state = home / "state"
    cadence("run", "--for", "0s")
    assert cadence("run", "--drain").returncode == 0
    (letter,) = (state / "dead").glob("*.json")
    ended = json.loads(letter.read_text())
    # As a kill leaves it: claimed for its second run, which ended well, still with the plan of the first.
    first = ended["attempts"][0]
    plan = {"run": first["run"], "target": "inbox", "outcome": None, "attempt": first}
    settling = ended["settling"] | plan
    claimed = {**ended, "attempts": [first], "settling": settling}
    del claimed["outcome"]
    (state / "claimed" / letter.name).write_text(json.dumps(claimed))
    letter.unlink()
    (run,) = state.glob(f"runs/*/{tick}.2")
    (run / "exit.1").rename(run / "exit.0")
    assert cadence("run", "--drain").returncode == 0
    (done,) = state.glob(f"done/*/{letter.name}")
    outcome = json.loads(done.read_text())["outcome"]
    assert outcome["status"] == "ok"
    assert not list(state.glob(f"runs/*/{tick}.3"))


def test_what_a_kill_left_of_a_follow_up_does_not_pass_for_it(home: Path, cadence: Cadence) -> None:
    """Its name is the same on a replay: a torn beginning in tmp/ is in the way, not a tick."""
    (home / "cadence.yaml").write_text(QUICK)
    (home / "prompts" / "works.md").write_text('---\ncommand: ["true"]\nthen: after\n---\nHello\n')
    (home / "prompts" / "after.md").write_text('---\ncommand: ["true"]\n---\nHello\n')
    cadence("enqueue", "works")
    assert cadence("run", "--drain").returncode == 0
    (parent,) = home.glob("state/done/*/*-works-*.json")
    (child,) = home.glob("state/done/*/*-after-*.json")
    # As a kill leaves it: committed, the follow-up begun in tmp/ and not yet named.
    parent.rename(home / "state" / "claimed" / parent.name)
    child.unlink()
    (home / "state" / "tmp" / child.name).write_text("")
    assert cadence("run", "--drain").returncode == 0
    assert child.exists()


def test_a_drain_waits_for_a_follow_up_that_no_event_told_of(home: Path, cadence: Cadence) -> None:
    """On a loaded machine the event came after the consumer had found that nothing was left."""
    (home / "cadence.yaml").write_text(QUICK)
    (home / "prompts" / "works.md").write_text('---\ncommand: ["true"]\nthen: after\n---\nHello\n')
    (home / "prompts" / "after.md").write_text('---\ncommand: ["true"]\n---\nHello\n')
    cadence("enqueue", "works")
    deaf = (
        "from cadencebus.cli.main import main; from cadencebus.daemon.wakeups import Wakeups; "
        "Wakeups.start = Wakeups.stop = lambda self: None; raise SystemExit(main(['run', '--drain']))"
    )
    environment = {**os.environ, "CADENCE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", deaf], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(home.glob("state/done/*/*-after-*.json")), list(home.glob("state/inbox/*"))


def test_a_tick_that_waited_for_its_time_is_told_of_as_accepted(home: Path, cadence: Cadence) -> None:
    """The journal has every transition, also of what came by way of deferred/."""
    (home / "cadence.yaml").write_text(QUICK)
    (home / "prompts" / "works.md").write_text('---\ncommand: ["true"]\n---\nHello\n')
    tick = cadence("enqueue", "works", "--in", "300ms").stdout.strip()
    assert cadence("run", "--drain").returncode == 0
    told = "".join(path.read_text() for path in home.glob("state/events/*"))
    lines = [json.loads(line) for line in told.splitlines()]
    assert "tick.accepted" in {line["event"] for line in lines if line.get("tick") == tick}
