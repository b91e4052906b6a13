"""A run that is over: what it left is read, judged and settled, and its record told to the end."""

from __future__ import annotations

import json
import shutil
import socket
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.daemon import boarding, landing
from cadencebus.model.cadence import Cadence
from cadencebus.model.ending import Report, Tokens
from cadencebus.model.tick import Tick
from cadencebus.session.launch import Shim
from cadencebus.store import journal, runs
from cadencebus.store.inlet import new_id

if TYPE_CHECKING:
    from cadencebus.daemon.boarding import Boarded
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.settlement import Settlement

PLAIN = Cadence(name="x", prompt="Do it.", runner="command", command=("true",), retries=2)


class Run:
    """A run of a tick, as far as its end."""

    def __init__(self, gear: Gear, cadence: Cadence = PLAIN, *, guard: bool = False, **changes: Any) -> None:
        members: dict[str, Any] = {"id": new_id(time.time()), "cadence": "x", "created_at": time.time()}
        self.gear, self.cadence = gear, cadence
        self.tick = Tick(**members | changes)
        Path(gear.home.claimed, self.tick.name.file).write_bytes(self.tick.bytes())
        boarded = boarding.board(gear, self.tick, cadence, probe=False, guard=guard)
        self.boarded = replace(boarded, record=boarding.furnish(gear, boarded)[1])
        self.folder = Path(self.boarded.run.path)

    def ended(self, word: str = "0", **facts: Any) -> Run:
        """Leave the record that the shim leaves."""
        (self.folder / "exit.pending").unlink()
        whole = {"at": rfc3339(time.time()), "monotonic": time.monotonic(), "peak_rss": 4096, "cpu_s": 0.5}
        (self.folder / f"exit.{word}").write_text(json.dumps(whole | facts))
        return self

    def land(self, report: Report | None = None, boarded: Boarded | None = None) -> Settlement:
        """See to its end."""
        return landing.land(self.gear, boarded or self.boarded, report=report)

    @property
    def record(self) -> dict[str, Any]:
        """Read run.json."""
        return json.loads((self.folder / "run.json").read_text())  # type: ignore[no-any-return]

    @property
    def attempt(self) -> dict[str, Any]:
        """Read the attempt that now stands in the tick."""
        (path,) = Path(self.gear.home.state).rglob(f"*{self.tick.name.file}")
        return json.loads(path.read_text())["attempts"][-1]  # type: ignore[no-any-return]

    def told(self, event: str) -> dict[str, Any]:
        """Read a line of the journal."""
        return next(fact for fact in journal.read(self.gear.home) if fact["event"] == event)


def test_a_run_that_ended_well_is_done(gear: Gear) -> None:
    """The record, the attempt and the journal say when, how and what it took."""
    at = time.time() - 5
    run = Run(gear).ended("0", at=rfc3339(at))
    settlement = run.land()
    assert (settlement.target, settlement.klass, settlement.run) == ("done", "ok", run.boarded.run.id)
    told = {key: run.record[key] for key in ("exit_code", "signal", "class", "peak_rss", "leaked", "usd")}
    assert told == {
        "exit_code": 0,
        "signal": None,
        "class": "ok",
        "peak_rss": 4096,
        "leaked": [],
        "usd": None,
    }
    assert run.record["ended_at"] == rfc3339(at)
    assert run.record["argv"] == ["true"], "what was known before is kept"
    ended = run.told("run.ended")
    assert (ended["peak_rss"], ended["runner"], ended["credentials"]) == (
        4096,
        "command",
        run.boarded.runner.credentials,
    )
    assert ended["running"] == 0


def test_an_end_without_a_time_ended_now(gear: Gear) -> None:
    """On a full disk the record is its name alone."""
    run = Run(gear).ended("3")
    (run.folder / "exit.3").write_text("")
    settlement = run.land()
    assert (settlement.target, settlement.klass) == ("inbox", "crash")
    assert abs(parse_rfc3339(run.record["ended_at"]) - time.time()) < 60
    assert (run.record["exit_code"], run.record["peak_rss"]) == (3, None)
    assert run.told("run.ended").get("peak_rss") is None


def test_a_run_without_a_record_was_interrupted(gear: Gear) -> None:
    """The shim was killed, or the power went: back into the queue, uncounted."""
    run = Run(gear)
    assert run.land().target == "inbox"
    assert (run.attempt["class"], run.attempt["counted"]) == ("interrupted", False)
    assert (run.record["exit_code"], run.record["signal"]) == (None, None)


@pytest.mark.parametrize("note", ["", '{"shim": 4711, "pid": null, "monotonic": 1.5, "swept": false}'])
def test_a_shim_that_died_before_it_started_anything_is_a_start_that_failed(gear: Gear, note: str) -> None:
    """Where no shim can live the bus waits, and no tick dies of it."""
    run = Run(gear)
    (run.folder / "alive").write_text(note.ljust(255) + "\n")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        settlement = run.land(boarded=replace(run.boarded, shim=Shim(4711, ours)))
    assert (settlement.target, settlement.klass) == ("inbox", "no_resources")
    assert [hold.file for hold in settlement.holds] == ["bus.resources.json"]
    assert "died before it could start anything" in run.attempt["reason"]


def test_a_shim_that_died_with_its_run_is_an_interruption(gear: Gear) -> None:
    """Something was running; and of a run that was begun by a former consumer nobody knows."""
    started = '{"shim": 4711, "pid": 4712, "monotonic": 1.5, "swept": false}'
    with socket.socket() as line:
        for shim, note in ((Shim(4711, line), started), (Shim(4711, line), "scribble"), (None, "")):
            run = Run(gear)
            (run.folder / "alive").write_text(note.ljust(255) + "\n")
            assert run.land(boarded=replace(run.boarded, shim=shim)).klass == "interrupted"
        run = Run(gear)
        (run.folder / "alive").write_text(" " * 256)
        (run.folder / "stdout.log").touch()
        settlement = run.land(boarded=replace(run.boarded, shim=Shim(4711, line)))
        assert settlement.klass == "interrupted", "a session may be quicker than its shim's note of it"
        run = Run(gear)
        shutil.rmtree(run.folder)
        settlement = run.land(boarded=replace(run.boarded, shim=Shim(4711, line)))
        assert settlement.klass == "interrupted", (
            "a session has removed its folder: no fault of the machine's"
        )


def test_a_limit_is_read_as_of_the_end_of_the_run(gear: Gear) -> None:
    """`resets in 1 hour`, read by a consumer that was away for a day, is over."""
    at = time.time() - 86400
    run = Run(gear, replace(PLAIN, runner="claude", command=None))
    (run.folder / "stderr.log").write_text("Claude usage limit reached. Your limit will reset in 1 hour\n")
    settlement = run.ended("1", at=rfc3339(at)).land(Report(stream="claude"))
    assert settlement.klass == "rate_limited"
    (hold,) = settlement.holds
    assert hold.until is not None
    assert hold.scope == f"credentials-{run.boarded.runner.credentials}"


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_end_of_a_limit_is_told_by_the_clock_that_the_session_had(gear: Gear, zone: str) -> None:
    """Codex names a time of day and no zone: it is that of the run's own environment."""
    at = time.time()
    resets = datetime.fromtimestamp(at + 7200, ZoneInfo(zone))
    run = Run(gear, replace(PLAIN, runner="codex", command=None, env=(("TZ", zone),)))
    said = f"You've hit your usage limit. Try again at {resets:%I:%M %p}.\n"
    (run.folder / "stderr.log").write_text(said)
    settlement = run.ended("1", at=rfc3339(at)).land(Report(stream="codex"))
    (hold,) = settlement.holds
    assert hold.until == pytest.approx(at + 7200, abs=80)


@pytest.mark.parametrize(
    ("stderr", "stdout", "shown"), [("why\n", "what\n", "why"), (" \n", "what\n", "what"), ("", "", "")]
)
def test_the_attempt_shows_what_it_complained_of(gear: Gear, stderr: str, stdout: str, shown: str) -> None:
    """Its standard error, or, where that is blank, what it printed; logs without a byte are removed."""
    run = Run(gear).ended("1")
    (run.folder / "stderr.log").write_text(stderr)
    (run.folder / "stdout.log").write_text(stdout)
    run.land()
    assert run.attempt["stderr_tail"].strip() == shown
    left = {path.name for path in run.folder.glob("*.log")}
    assert left == {name for name, text in (("stderr.log", stderr), ("stdout.log", stdout)) if text}


def test_a_guard_that_says_there_is_nothing_to_do(gear: Gear) -> None:
    """Its 75 is no failure; anything else is, and so is the 75 of a plain command."""
    guarded = replace(PLAIN, guard=("false",))
    assert Run(gear, guarded, guard=True).ended("75").land().klass == "skipped"
    assert Run(gear, guarded, guard=True).ended("1").land().klass == "crash"
    assert Run(gear).ended("75").land().klass == "ex_tempfail"
    stopped = Run(gear, guarded, guard=True).ended("75")
    runs.write_ending(stopped.boarded.run, {"class": "timeout", "by": "shim", "at": rfc3339(time.time())})
    assert stopped.land().klass == "timeout"


def test_who_ended_it_says_whether_it_is_to_run_again(gear: Gear) -> None:
    """`cadence kill --requeue`: back into the queue, uncounted; without it the tick is done with."""
    for requeue, target in ((True, "inbox"), (False, "done")):
        run = Run(gear).ended("sig15")
        note = {"class": "killed", "by": "operator", "requeue": requeue, "at": rfc3339(time.time())}
        runs.write_ending(run.boarded.run, note)
        assert run.land().target == target
        assert (run.attempt["signal"], run.record["signal"]) == (15, 15)


def test_what_an_agent_told_is_remembered(gear: Gear) -> None:
    """Session, money, turns, tokens: in the record, and the session in the cadence's memory."""
    agent = Cadence(name="x", prompt="Do it.", resume=True)
    run = Run(gear, agent).ended("0")
    report = Report(stream="claude", session_id="s-1", usd=0.25, turns=3, tokens=Tokens(input=7))
    run.land(report)
    told = {key: run.record[key] for key in ("session_id", "usd", "turns")}
    assert told == {"session_id": "s-1", "usd": 0.25, "turns": 3}
    assert run.record["tokens"]["input"] == 7
    told = run.told("run.ended")
    assert (told["tokens"]["input"], told["usd"], told["turns"]) == (7, 0.25, 3)
    assert gear.memory.load("x", time.time())["session_id"] == "s-1"


def test_a_session_that_told_nothing_keeps_the_name_it_was_given(gear: Gear) -> None:
    """It was killed before its first line."""
    run = Run(gear, Cadence(name="x", prompt="Do it."))
    given = run.boarded.session_id
    assert given
    run.land(Report(stream="claude"))
    assert run.record["session_id"] == given


def test_a_record_that_was_torn_is_written_from_what_was_known(gear: Gear) -> None:
    """Somebody emptied run.json while it ran."""
    run = Run(gear).ended("0")
    (run.folder / "run.json").write_text("{")
    run.land()
    assert (run.record["argv"], run.record["class"]) == (["true"], "ok")
    assert [torn.read_text() for torn in run.folder.glob("run.json.corrupt-*")] == ["{"]


def test_a_wait_counts_from_when_the_tick_was_ready(gear: Gear) -> None:
    """Put in, due, or ended last: whichever came last; never less than nothing."""
    now = time.time()
    tried = {"ended_at": rfc3339(now - 60)}
    for changes, waited in (
        ({"created_at": now - 100}, 100),
        ({"created_at": now - 100, "not_before": now - 50}, 50),
        ({"created_at": now - 100, "attempts": (tried, {"ended_at": rfc3339(now - 20)}, {"run": "a"})}, 20),
        ({"created_at": now + 100}, 0),
    ):
        run = Run(gear, **changes).ended("0")
        run.land()
        told = [fact for fact in journal.read(gear.home) if fact["event"] == "run.ended"][-1]["waited"]
        assert waited <= told < waited + 15 * bool(waited) + 0.001, changes


def test_how_long_it_ran_does_not_grow_while_nobody_looks(gear: Gear) -> None:
    """A signal after a good minute counts against the circuit; the consumer came an hour later."""
    for boot, monotonic, failures in (("ours", 5, 0), ("ours", 3000, 1), ("another", 5, 1)):
        run = Run(gear).ended("sig9", monotonic=time.monotonic() - 3600 + monotonic)
        record = run.boarded.record if boot == "ours" else {**run.boarded.record, "boot_id": boot}
        run.land(boarded=replace(run.boarded, monotonic=time.monotonic() - 3600, record=record))
        assert run.attempt["class"] == "aborted"
        assert gear.memory.load("x", time.time())["failures"] == failures, (boot, monotonic)
        gear.memory.change("x", time.time(), {"failures": 0})


def test_what_never_became_a_run_is_settled_by_the_reason(gear: Gear) -> None:
    """Nothing to judge, and no folder: the hold says how to mend it."""
    run = Run(gear)
    settlement = landing.ground(gear, run.tick, run.cadence, "no such runner")
    assert (settlement.target, settlement.klass, settlement.run) == ("inbox", "never_ran", f"{run.tick.id}.0")
    assert [hold.reason for hold in settlement.holds] == ["config"]
    assert "runner" not in run.told("run.ended")


def test_all_that_a_run_stood_for_is_named_in_its_end(gear: Gear) -> None:
    """What was absorbed by this run, or by an earlier one of the same tick."""
    run = Run(gear).ended("0")
    runs.absorb(run.boarded.run, ["one", "two"])
    run.land()
    (path,) = Path(gear.home.done).rglob(run.tick.name.file)
    outcome = json.loads(path.read_text())["outcome"]
    assert outcome["absorbed"] == ["one", "two"]


def test_a_letter_says_where_the_logs_lie(gear: Gear) -> None:
    """Below state/, wherever the home is moved."""
    run = Run(gear, replace(PLAIN, retries=0)).ended("1")
    assert run.land().target == "dead"
    letter = json.loads(Path(gear.home.dead, run.tick.name.file).read_text())
    assert letter["outcome"]["logs"] == str(run.folder.relative_to(gear.home.state))
