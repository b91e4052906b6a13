"""`cadence fire`: now, or not at all."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


def test_what_can_start_starts(
    cadence: Cadence, define: Define, ticks: Ticks, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """At the front of the queue; --wait ends as `cadence wait` does."""
    define("work", 'test "$(cat)" != ""')
    consumer()
    ended = cadence("fire", "work", "--set", "n=1", "--wait")
    assert ended.returncode == 0, ended.stderr
    tick, last = ended.stdout.splitlines()
    assert last == f"{tick} ok"
    assert (ticks("done")[tick]["source"], ticks("done")[tick]["priority"]) == ("fire", 0)


def test_what_would_wait_is_refused_with_the_expected_wait(
    home: Path, cadence: Cadence, define: Define, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """Exit 75, and nothing is enqueued."""
    define("work")
    alone = cadence("fire", "work").stderr
    assert "no consumer" in alone
    assert "--force" not in alone, "it would not help"
    consumer()
    cadence("pause", "work", "--for", "10m")
    ended = cadence("fire", "work")
    assert ended.returncode == 75
    found = re.search(r"work can't start now \(in (\S+ ?\S*)\): held by paused until", ended.stderr)
    assert found
    assert found[1] in {"10m", "9m 59s", "9m 58s"}
    assert ended.stderr.endswith("enqueue work, which waits for it, or cadence fire work --force\n")
    define("off", enabled=False)
    assert cadence("fire", "off").returncode == 75
    assert cadence("fire", "wrok").returncode == 66
    assert not list((home / "state" / "inbox").iterdir())


def test_force_passes_holds_and_full_slots_but_no_stop(
    home: Path,
    cadence: Cadence,
    define: Define,
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """And the journal says so."""
    (home / "cadence.yaml").write_text("max_sessions: 1\n")
    define("long", "touch started; sleep 60")
    define("work")
    consumer()
    assert cadence("fire", "long").returncode == 0
    eventually((home / "started").exists)
    cadence("pause")
    assert cadence("fire", "work").returncode == 75
    ended = cadence("fire", "work", "--force", "--wait", "--timeout", "20s", "--json")
    assert ended.returncode == 0, ended.stderr
    tick = json.loads(ended.stdout.splitlines()[0])["id"]
    told = "".join(path.read_text() for path in (home / "state" / "events").iterdir())
    started = [json.loads(line) for line in told.splitlines() if "run.started" in line]
    assert [line["force"] for line in started if line["tick"] == tick] == [True]
    cadence("stop")
    refused = cadence("fire", "work", "--force")
    assert refused.returncode == 75
    assert "stopped" in refused.stderr


def test_the_expected_wait_is_what_the_runs_before_took(
    home: Path,
    cadence: Cadence,
    define: Define,
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Where its own run goes on, or every slot is taken by others that were measured."""
    (home / "cadence.yaml").write_text("max_sessions: 1\n")
    define("long", "touch started; sleep 60")
    define("work")
    memory = home / "state" / "cadences" / "long.json"
    memory.write_text('{"averages": {"runs": 3, "seconds": 600}}')
    consumer()
    assert cadence("fire", "long").returncode == 0
    eventually((home / "started").exists)
    for name, why in (("long", "running"), ("work", "no slot is free")):
        refused = cadence("fire", name)
        assert refused.returncode == 75
        assert re.search(rf"{name} can't start now \(in about (10m|9m \d\ds)\): {why}", refused.stderr)
    memory.write_text('{"averages": {"runs": 3, "seconds": 0.001}}')
    # Longer than ever: all that is known is when it will be ended.
    refused = cadence("fire", "work")
    assert re.search(r"can't start now \(in at most (30m|29m \d\ds)\): no slot is free", refused.stderr)


def test_wait_shows_the_log_of_every_run_as_it_grows(
    home: Path, cadence: Cadence, define: Define, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """A retry's, too; what is printed last, without an end of its line, is not lost."""
    script = 'echo "try $CADENCE_ATTEMPT"; test "$CADENCE_ATTEMPT" = 2 && printf "the end"'
    define("work", script, backoff="20ms")
    consumer()
    ended = cadence("fire", "work", "--wait")
    tick, *log, last = ended.stdout.splitlines()
    assert (log, last) == (["try 1", "try 2", "the end"], f"{tick} ok")
    quiet = cadence("fire", "work", "--wait", "--quiet")
    assert [line.split()[-1] for line in quiet.stdout.splitlines()[1:]] == ["ok"]
    lines = [json.loads(line) for line in cadence("fire", "work", "--wait", "--json").stdout.splitlines()]
    assert [line.get("line") for line in lines] == [None, "try 1", "try 2", "the end", None]
    define("slow", "echo begun; sleep 60")
    late = cadence("fire", "slow", "--wait", "--timeout", "1s")
    assert (late.returncode, late.stdout.splitlines()[1:]) == (75, ["begun"])


def test_wait_says_why_a_tick_waits_after_a_run_that_came_to_nothing(
    home: Path, cadence: Cadence, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """The program is missing: who watches would watch for ever."""
    (home / "prompts" / "work.md").write_text("---\ncommand: [no-such-program]\n---\n", encoding="utf-8")
    consumer()
    ended = cadence("fire", "work", "--wait", "--timeout", "2s")
    assert ended.returncode == 75
    assert ended.stderr.count(" waits: held by config: the program could not start: no-such-program") == 1


def test_a_forced_tick_passes_a_brake_that_is_put_on_this_moment(
    home: Path, cadence: Cadence, define: Define, ticks: Ticks
) -> None:
    """The turn that finds its cadence braked looks at it once more: `run --once` has no other."""
    define("work", max_runs_per_hour=1, overlap="queue")
    hold = home / "state" / "holds" / "cadence-work.runs_per_hour.json"
    for said, done in (("{}", 1), ('{"force": true}', 2), ("{}", 2)):
        tick = json.loads(said) | {"cadence": "work"}
        (home / "state" / "inbox" / "tick.json").write_text(json.dumps(tick))
        assert cadence("run", "--once", "--quiet").returncode == 0
        assert (len(ticks("done")), hold.exists()) == (done, done > 1)
