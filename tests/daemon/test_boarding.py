"""Before a process starts: who may have a run at all, and what of it lies safely on the disk."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.daemon import boarding
from cadencebus.model.cadence import Cadence
from cadencebus.model.tick import Tick
from cadencebus.session import life
from cadencebus.session.identity import boot_id
from cadencebus.store import runs
from cadencebus.store.inlet import new_id

if TYPE_CHECKING:
    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.session.launch import LaunchRequest
    from tests.conftest import Witness

NOW = 1_800_000_000.0
PLAIN = Cadence(name="x", prompt="Do it.", runner="command", command=("true",))
AGENT = Cadence(name="x", prompt="Do it.", resume=True)


def claimed(gear: Gear, **changes: Any) -> Tick:
    """Let a tick be claimed."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW, **changes)
    Path(gear.home.claimed, tick.name.file).write_bytes(tick.bytes())
    return tick


def board(gear: Gear, tick: Tick, cadence: Cadence = PLAIN, *, guard: bool = False) -> Boarded:
    """Give it a run."""
    return boarding.board(gear, tick, cadence, probe=False, guard=guard)


def furnished(gear: Gear, cadence: Cadence, *, guard: bool = False) -> tuple[Boarded, LaunchRequest]:
    """Give a tick a run, up to where its process would be started."""
    boarded = board(gear, claimed(gear, payload={"week": 47}), cadence, guard=guard)
    request, record = boarding.furnish(gear, boarded)
    return replace(boarded, record=record), request


def test_all_that_judges_a_run_is_safe_before_it_starts(gear: Gear, witness: Witness) -> None:
    """Files, their folder, its folder, and the claim; `exit.pending`, so that the record needs no room."""
    boarded, _ = furnished(gear, PLAIN)
    run = boarded.run.path.removeprefix(f"{gear.home.state}/")
    day = os.path.dirname(run)
    wanted = [f"sync {run}/{name}" for name in ("tick.json", "prompt.md", "run.json")]
    wanted += ["sync runs", f"sync {day}", f"sync {run}", "sync claimed", "sync inbox"]
    assert not set(wanted) - set(witness.seen)
    assert witness.in_order("sync claimed", "sync inbox")
    assert set(os.listdir(boarded.run.path)) == {"tick.json", "prompt.md", "run.json", "exit.pending"}
    assert Path(boarded.run.file("tick.json")).read_bytes() == boarded.tick.bytes()


def test_the_record_says_what_is_about_to_run(gear: Gear) -> None:
    """With room for the pid, the names of the environment alone, and no path of the home: it may be moved."""
    cadence = replace(PLAIN, command=("true", f"{gear.home.root}/x"), env=(("SECRET", "hush"),), timeout=7.0)
    before = time.time()
    boarded, request = furnished(gear, cadence)
    text = Path(boarded.run.file("run.json")).read_text()
    record = json.loads(text)
    assert gear.home.root not in text
    assert "hush" not in text
    assert "SECRET" in record["env"]
    assert record["env"] == sorted(request.env)
    told = {key: record[key] for key in ("tick", "cadence", "run", "attempt", "runner", "argv", "cwd", "pid")}
    assert told == {
        "tick": boarded.tick.id,
        "cadence": "x",
        "run": f"{boarded.tick.id}.1",
        "attempt": 1,
        "runner": "command",
        "argv": ["true", "{home}/x"],
        "cwd": "{home}",
        "pid": None,
    }
    assert (record["boot_id"], record["deadline_s"]) == (boot_id(), 7.0)
    assert before - 1 <= parse_rfc3339(record["started_at"]) <= time.time()
    assert abs(record["monotonic"] - time.monotonic()) < 60
    assert request.pid_at is not None
    offset, width = request.pid_at
    assert text[offset : offset + width].strip() == "null"


def test_a_neighbour_of_the_home_is_called_by_its_own_name(gear: Gear) -> None:
    """`bus-tools` beside `bus` is outside, and does not move with it."""
    root = gear.home.root
    beside = Path(f"{root}-work")
    beside.mkdir()
    words = (f"{root}-tools/x", f"--at={root}", f"cd {root}; ls {root}/a:{root}")
    boarded, _ = furnished(gear, replace(PLAIN, command=words, cwd=str(beside)))
    record = json.loads(Path(boarded.run.file("run.json")).read_text())
    assert record["argv"] == [f"{root}-tools/x", "--at={home}", "cd {home}; ls {home}/a:{home}"]
    assert record["cwd"] == str(beside)


def test_a_run_is_told_where_it_is_and_what_of(gear: Gear) -> None:
    """By its environment, whatever the cadence sets; its prompt is in a file."""
    cadence = replace(PLAIN, env=(("CADENCE_RUN_ID", "mine"), ("MORE", "1")), timeout=7.0, kill_grace=2.0)
    boarded, request = furnished(gear, cadence)
    run = boarded.run
    told = {
        "CADENCE_HOME": gear.home.root,
        "CADENCE_NAME": "x",
        "CADENCE_TICK_ID": boarded.tick.id,
        "CADENCE_TICK_FILE": run.file("tick.json"),
        "CADENCE_RUN_ID": run.id,
        "CADENCE_RUN_DIR": run.path,
        "CADENCE_ATTEMPT": "1",
        "CADENCE_HOPS": "0",
    }
    assert told.items() <= request.env.items()
    assert request.env["MORE"] == "1"
    assert (request.argv, request.cwd, request.run_dir) == (("true",), gear.home.root, run.path)
    assert (request.timeout_s, request.ladder) == (7.0, (("SIGTERM", 2.0), ("SIGKILL", 10.0)))
    prompt = Path(run.file("prompt.md")).read_text()
    assert prompt.startswith("Do it.")
    assert '"week": 47' in prompt
    assert request.stdin == "prompt.md"


def test_an_attempt_is_one_more_than_were_told_of(gear: Gear) -> None:
    """In the record and in the environment."""
    tick = claimed(gear, attempts=({"run": "a"}, {"run": "b"}), hops=3)
    request, told = boarding.furnish(gear, board(gear, tick))
    record = json.loads(Path(request.run_dir, "run.json").read_text())
    assert told == record
    assert (record["attempt"], request.env["CADENCE_ATTEMPT"], request.env["CADENCE_HOPS"]) == (3, "3", "3")


def test_an_agent_is_ended_by_its_own_gentle_signal_first(gear: Gear) -> None:
    """Claude Code cleans up after SIGINT only; it is given a session of its own, and its prompt to read."""
    boarded, request = furnished(gear, replace(AGENT, model="m", kill_grace=2.0))
    assert request.ladder == (("SIGINT", 5.0), ("SIGTERM", 2.0), ("SIGKILL", 10.0))
    assert boarded.session_id is not None
    assert not boarded.resumed
    assert boarded.session_id in request.argv
    assert "m" in request.argv
    assert request.stdin == "prompt.md"
    assert boarded.record["session_id"] == boarded.session_id


def test_a_guard_gets_no_prompt_and_no_session(gear: Gear) -> None:
    """It is a command of its own; what it says is looked up in its record."""
    boarded, request = furnished(gear, replace(AGENT, guard=("test", "-e", "work")), guard=True)
    assert (request.argv, request.stdin, boarded.session_id) == (("test", "-e", "work"), None, None)
    assert Path(boarded.run.file("prompt.md")).read_bytes() == b""
    assert boarded.record["runner"] == "guard"
    found = boarding.found(gear, boarded.tick, boarded.run, boarded.cadence)
    assert found.guard
    assert found.runner.argv == ("test", "-e", "work")


@pytest.mark.parametrize(("record", "stopped", "go"), [("0", 0, True), ("1", 0, False), ("0", 1, False)])
def test_a_guard_that_ends_well_by_itself_lets_the_session_follow(
    gear: Gear, record: str, stopped: int, go: bool
) -> None:
    """Ended by the bus it says nothing, and without a record nobody knows."""
    boarded, _ = furnished(gear, replace(PLAIN, guard=("true",)), guard=True)
    assert not boarding.guard_says_go(boarded)
    os.rename(boarded.run.file("exit.pending"), boarded.run.file(f"exit.{record}"))
    if stopped:
        runs.write_ending(boarded.run, {"class": "timeout"})
    assert boarding.guard_says_go(boarded) == go


def test_no_second_run_while_the_first_lives(gear: Gear) -> None:
    """Wherever the tick was found; once it is over, the next one is the second."""
    tick = claimed(gear)
    first, request = board(gear, tick), None
    alive = life.open_alive(first.run.path)
    try:
        with pytest.raises(boarding.StillAlive) as former:
            board(gear, tick)
    finally:
        os.close(alive)
    assert (former.value.run, former.value.tick, request) == (first.run, tick, None)
    assert board(gear, tick).run.number == 2


def test_what_can_never_run_is_said_to_be_dead(gear: Gear) -> None:
    """A prompt with control bytes, fifty runs: the tick's own fault, and no folder is made for it."""
    with pytest.raises(boarding.Doomed) as doom:
        board(gear, claimed(gear), replace(PLAIN, prompt="a\0b"))
    assert doom.value.klass == "bad_prompt"
    with pytest.raises(boarding.Doomed) as doom:
        board(gear, claimed(gear, attempts=({"run": f"{new_id(NOW)}.50"},)))
    assert doom.value.klass == "too_many_runs"
    assert not [path for path in Path(gear.home.state, "runs").rglob("*.*") if path.is_dir()]


def test_what_is_configured_wrongly_is_nobodys_fault(gear: Gear) -> None:
    """A runner that nobody knows; a key that is asked for and not there."""
    with pytest.raises(boarding.NeverRan, match="runner: found"):
        board(gear, claimed(gear), replace(PLAIN, runner="nobody"))
    gear.environ = {"PATH": "/bin"}
    with pytest.raises(boarding.NeverRan, match="ANTHROPIC_API_KEY"):
        boarding.furnish(gear, board(gear, claimed(gear), replace(AGENT, auth="api-key")))


def test_a_folder_of_its_own_is_below_the_home(gear: Gear) -> None:
    """`cwd` is read from the home, `~` is the user's."""
    assert board(gear, claimed(gear), replace(PLAIN, cwd="a/../b")).cwd == f"{gear.home.root}/b"
    assert board(gear, claimed(gear), replace(PLAIN, cwd="~/b")).cwd == os.path.expanduser("~/b")
    assert board(gear, claimed(gear)).cwd == gear.home.root


SESSION = "6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b"


@pytest.mark.parametrize(
    ("changes", "resumed"),
    [
        ({}, True),
        ({"runner": "codex"}, False),
        ({"cwd": "elsewhere"}, False),
        ({"resume": False}, False),
        ({"runner": "command", "command": ("true",)}, False),
    ],
)
def test_a_session_is_resumed_where_it_can_be_found(
    gear: Gear, changes: dict[str, Any], resumed: bool
) -> None:
    """By the same runner in the same folder, if the cadence says so; a guard's run in between is none."""
    boarded, _ = furnished(gear, AGENT)
    memory = {"session_id": SESSION, "session_run": boarded.run.id, "last_run": {"run": "a.guard"}}
    gear.memory.change("x", NOW, memory)
    again = board(gear, claimed(gear), replace(AGENT, **changes))
    assert again.resumed == resumed
    assert (again.session_id == SESSION) == resumed
    assert boarding.furnish(gear, again)[1]["resumed"] == resumed


def test_a_session_whose_run_is_gone_is_resumed_all_the_same(gear: Gear) -> None:
    """Retention took the folder, or the memory is of older make; nonsense is no session."""
    for memory in ({"session_id": SESSION}, {"session_run": "gone.7"}, {"session_run": "nonsense"}):
        gear.memory.change("x", NOW, memory)
        assert board(gear, claimed(gear), AGENT).resumed, memory
    gear.memory.change("x", NOW, {"session_id": "--evil"})
    assert not board(gear, claimed(gear), AGENT).resumed


def test_a_run_that_is_found_goes_on_by_its_own_record(gear: Gear) -> None:
    """The deadline of its start, not of the cadence as it reads now; the same boot's clock still runs."""
    boarded, _ = furnished(gear, replace(AGENT, timeout=7.0))
    found = boarding.found(gear, boarded.tick, boarded.run, replace(AGENT, timeout=99.0))
    assert found.cadence.timeout == 7.0
    assert (found.monotonic, found.cwd) == (boarded.monotonic, boarded.cwd)
    assert found.started_at == parse_rfc3339(rfc3339(boarded.started_at))
    assert (found.session_id, found.runner.name, found.guard) == (boarded.session_id, "claude", False)


def test_of_another_boot_only_the_wall_clock_is_left(gear: Gear) -> None:
    """And of a run without a record, or of a runner that is gone, nothing but its folder."""
    boarded, _ = furnished(gear, AGENT)
    record = {**boarded.record, "boot_id": "another", "monotonic": 1.0, "runner": "gone"}
    runs.rewrite(boarded.run, record)
    found = boarding.found(gear, boarded.tick, boarded.run, AGENT)
    assert abs(found.monotonic - time.monotonic()) < 60
    assert (found.runner.name, found.runner.argv, found.runner.agent) == ("gone", (), False)
    os.unlink(boarded.run.file("run.json"))
    found = boarding.found(gear, boarded.tick, boarded.run, AGENT)
    assert (found.cadence.timeout, found.cwd) == (AGENT.timeout, gear.home.root)
    assert found.runner.agent, "its end would be taken for a command's, which needs no result"
    assert found.record["run"] == boarded.run.id
    assert abs(found.started_at - time.time()) < 60
    assert abs(found.monotonic - time.monotonic()) < 60


def test_a_record_that_its_session_scribbled_in_holds_up_nobody(gear: Gear) -> None:
    """What makes no sense is as good as not there: the run is adopted, and its tick comes to its end."""
    boarded, _ = furnished(gear, PLAIN)
    record = Path(boarded.run.file("run.json"))
    whole = json.loads(record.read_text())
    keys = ("started_at", "deadline_s", "monotonic", "cwd", "session_id", "runner")
    for key, nonsense in product(keys, ("x", -1, [], {}, True, 1e999, "a\0b")):
        record.write_text(json.dumps({**whole, key: nonsense}))
        found = boarding.found(gear, boarded.tick, boarded.run, PLAIN)
        assert 0 < found.cadence.timeout <= PLAIN.timeout, (key, nonsense)
        assert 0 <= found.monotonic <= time.monotonic(), (key, nonsense)
        assert abs(found.started_at - time.time()) < 60, (key, nonsense)
        assert found.session_id is None or isinstance(found.session_id, str)
        assert "\0" not in found.cwd
