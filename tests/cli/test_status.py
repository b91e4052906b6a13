"""`cadence status`: each story is told in one look."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import rfc3339
from cadencebus.daemon import supervision
from cadencebus.desk.overview import overview
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence, Eventually


def why(home: Path, at: float | None = None) -> tuple[str, list[str]]:
    """Give the health at a moment, and what speaks for it."""
    verdict = overview(Home(str(home)), at).verdict
    return verdict.health, [str(one) for one in verdict.complaints]


def test_an_empty_home_is_well(cadence: Cadence, home: Path) -> None:
    """Nobody has to work where nothing is to be done; monitoring hears nothing."""
    ended = cadence("status")
    assert ended.stdout.splitlines() == [f"well  {home}", "consumer  none"]
    check = cadence("status", "--check")
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_ticks_without_a_consumer_are_an_illness(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Exit 1 and the reason, with the command that cures it."""
    define("work")
    enqueue("work")
    check = cadence("status", "--check")
    assert (check.returncode, check.stdout) == (
        1,
        "ill: no consumer is up: 1 tick is ready: `cadence up`\n",
    )
    assert "no consumer: cadence up starts one" in cadence("status").stdout


def test_a_schedule_that_nobody_fires_is_an_illness(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """The home looks idle, and the brief never comes; a tick put off until tomorrow needs nobody yet."""
    define("work")
    enqueue("work", "--in", "1d")
    assert cadence("status", "--check").returncode == 0
    define("brief", schedule="0 7 * * *")
    check = cadence("status", "--check")
    assert (check.returncode, check.stdout) == (
        1,
        "ill: no consumer, so nothing fires brief when it is due: `cadence up`\n",
    )


def test_a_working_bus_is_well_and_shows_what_it_does(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
) -> None:
    """Who works since when, what runs for how long, what waits and why, what is due next."""
    (home / "cadence.yaml").write_text("max_sessions: 1\n")
    define("long", "touch started; sleep 60")
    define("work")
    process = consumer()
    running, late = enqueue("long"), enqueue("work", "--in", "2h")
    assert cadence("wait", running, "--timeout", "1s").returncode == 75
    enqueue("work")
    facts = json.loads(cadence("status", "--json").stdout)
    assert (facts["health"], facts["why"]) == ("well", [])
    assert facts["consumer"]["pid"] == process.pid
    assert [(row["tick"], row["alive"]) for row in facts["running"]] == [(running, True)]
    (queue,) = facts["queue"]
    assert (queue["cadence"], queue["ready"], queue["deferred"]) == ("work", 1, 1)
    assert queue["wait"]["reason"] == "full"
    assert facts["next_due"][0]["tick"] == late
    shown = cadence("status").stdout
    assert f"consumer  pid {process.pid} since " in shown
    assert "slots     1 of 1 taken" in shown


def test_a_bad_key_tells_its_story_in_one_look(
    home: Path, cadence: Cadence, define: Define, screen: Screen
) -> None:
    """Forty ticks wait for one login."""
    define("work")
    cadence("enqueue", "--batch", "-", stdin='{"cadence": "work"}\n' * 40)
    hold = {
        "since": "2026-11-21T02:30:00Z",
        "until": None,
        "detail": "401 invalid x-api-key",
        "by": "consumer",
    }
    (home / "state" / "holds" / "credentials-command.auth.json").write_text(json.dumps(hold))
    seen = screen("status", columns=100)
    assert "credentials-command is held by auth: 401 invalid x-api-key" in seen
    assert "held by auth" in seen.split("queue")[1]
    assert seen.count("401 invalid x-api-key") == 1
    assert max(len(line) for line in seen.splitlines()[2:]) <= 100


def test_dead_letters_count_by_class_and_alarm_for_a_day(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """A fresh one is an illness; one that was left lying since yesterday is known."""
    define("bad", "exit 3", retries=0, circuit={"failures": 0}, backoff=[0])
    enqueue("bad")
    cadence("run", "--drain", "--quiet")
    health, reasons = why(home)
    assert health == "ill"
    assert reasons[0].startswith("1 dead letter, the last 0s ago")
    assert "1: crash 1" in cadence("status").stdout
    assert "crash" in cadence("status").stdout.split("last failures")[1]
    assert why(home, time.time() + 2 * 86400) == ("well", [])


@pytest.mark.parametrize(
    ("hold", "alarm"),
    [("bus.paused", False), ("cadence-work.turn_budget", True), ("cadence-work.backoff", False)],
)
def test_only_what_needs_a_person_alarms(home: Path, hold: str, alarm: bool) -> None:
    """A pause was a person's own; a back-off ends by itself."""
    (home / "state" / "holds" / f"{hold}.json").write_text('{"since": "2026-11-21T02:30:00Z", "until": null}')
    assert (why(home)[0] == "ill") is alarm


def test_a_consumer_that_died_without_a_farewell_is_told(home: Path, cadence: Cadence) -> None:
    """Its file is there, its lock is not."""
    (home / "state" / "consumer.json").write_text('{"pid": 4711, "heartbeat_at": "2026-11-21T02:30:00Z"}')
    assert why(home) == ("ill", ["the consumer (pid 4711) is gone: it was killed, or crashed: `cadence up`"])
    assert "consumer  none" in cadence("status").stdout


def test_silence_can_not_be_told_from_health(
    home: Path, consumer: Callable[[], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is held, the heartbeat is old: nobody can tell."""
    consumer()
    steady = time.monotonic
    monkeypatch.setattr("cadencebus.clock.time.monotonic", lambda: steady() + 600)
    health, reasons = why(home, time.time() + 600)
    assert health == "can't tell"
    assert reasons == [
        "the consumer is alive, but has been silent for 10m: `cadence restart`, sessions go on"
    ]


def test_a_machine_that_slept_is_well_when_it_wakes(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Nine hours have passed by the clock on the wall, none of them for the consumer and what it runs."""
    define("work", "sleep 60", timeout="10m")
    define("other")
    process = consumer()
    enqueue("work")
    eventually(lambda: [run for run in overview(Home(str(home))).facts.running if run.deadline_at])
    # A consumer that has just woken up has not yet started what came due meanwhile.
    os.kill(process.pid, signal.SIGSTOP)
    try:
        enqueue("other")
        facts, verdict = overview(Home(str(home)), time.time() + 9 * 3600)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    assert facts.consumer.silent_seconds is not None
    assert facts.consumer.silent_seconds < 60
    assert not [one for one in verdict.complaints if "silent" in one.what or "nothing started" in one.what]
    (run,) = facts.running
    assert run.seconds is not None
    assert run.seconds < 60
    assert run.deadline_at is not None
    assert 500 < run.deadline_at - facts.at <= 600


def test_a_consumer_that_starts_nothing_is_ill(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
) -> None:
    """Ready ticks, free slots, no hold, and nothing started: it hangs, whatever its heartbeat says."""
    define("work")
    process = consumer()
    os.kill(process.pid, 19)
    try:
        enqueue("work")
        later = time.time() + 85
        note = home / "state" / "consumer.json"
        facts: dict[str, Any] = json.loads(note.read_text())
        facts["heartbeat_at"] = "2099-01-01T00:00:00Z"
        note.write_text(json.dumps(facts))
        frozen = f"the consumer (pid {process.pid}) was stopped by a signal: `kill -CONT {process.pid}`"
        assert why(home, later) == ("ill", [frozen])
        assert why(home, later + 10) == (
            "ill",
            [
                frozen,
                "1 ready, 2 slots free, no hold, nothing started for 2m: `cadence restart`, sessions go on",
            ],
        )
    finally:
        os.kill(process.pid, 18)


def test_a_frozen_consumer_is_known_at_once(
    home: Path, cadence: Cadence, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """Nobody has to wait for the third missed heartbeat; the cure is on the screen."""
    process = consumer()
    os.kill(process.pid, 19)
    try:
        shown = cadence("status").stdout
        assert f"was stopped by a signal: `kill -CONT {process.pid}`" in shown
        assert cadence("status", "--check").returncode == 1
    finally:
        os.kill(process.pid, 18)


def test_a_consumer_of_another_version_is_shown_and_is_no_illness(
    home: Path, cadence: Cadence, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """An upgrade interrupts nobody; what to type is said."""
    consumer()
    note = home / "state" / "consumer.json"
    note.write_text(note.read_text().replace('"version": "', '"version": "9.'))
    assert "of another version than this command: `cadence restart`" in cadence("status").stdout
    assert cadence("status", "--check").returncode == 0


def test_each_illness_says_what_to_type(home: Path, cadence: Cadence, define: Define) -> None:
    """The first command typed is enough to know the second."""
    define("work", every="10m")
    holds = home / "state" / "holds"
    for hold in ("credentials-claude.auth", "cadence-work.circuit_open", "cadence-work.turn_budget", "bus.x"):
        (holds / f"{hold}.json").write_text('{"since": "2026-11-21T02:30:00Z", "until": null}')
    (holds / "bus.disk_full.json").write_text("{torn")
    (home / "state" / "STOP").touch()
    facts = json.loads(cadence("status", "--json").stdout)
    assert all(cure["do"] for cure in facts["cures"])
    told = "\n".join(facts["why"])
    for cure in (
        "`cadence start`",
        "`cadence resume --credentials claude`",
        "`cadence circuit reset work`",
        "raise its max_turns or max_usd, then `cadence resume work`",
    ):
        assert cure in told
    assert [(row["cadence"], row["by"]) for row in facts["next_due"]] == [("work", "clock")]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_busy_screen_fits(home: Path, define: Define, screen: Screen, columns: int) -> None:
    """No line is longer than the terminal is wide, however long names and reasons are."""
    long = "a-rather-long-name-of-a-cadence-that-somebody-once-thought-of"
    for name in ("work", long):
        define(name, schedule="*/7 3-5 * * mon", description="x" * 300)
        stamp = "20261121T023000.000001Z"
        (home / "state" / "inbox" / f"5-{stamp}-{name}-7f3k9q2m.json").write_text("{}")
        hold = {"since": "2026-11-21T02:30:00Z", "until": None, "detail": "so it was " * 40, "by": "consumer"}
        (home / "state" / "holds" / f"cadence-{name}.auth.json").write_text(json.dumps(hold))
    lines = screen("status", columns=columns).splitlines()
    assert max(map(len, lines[1:])) <= columns
    assert "so it was so it was" in " ".join(lines)


@pytest.mark.parametrize(("rows", "shown"), [(24, range(5, 20)), (60, range(20, 21))])
def test_what_is_wrong_is_not_scrolled_away(
    home: Path, define: Define, screen: Screen, rows: int, shown: range
) -> None:
    """A small terminal shows fewer of each and counts the rest: the verdict and its cure stand above."""
    for number in range(30):
        define(f"work{number}")
        (home / "state" / "inbox" / f"5-20261121T023000.{number:06d}Z-work{number}-7f3k9q2m.json").write_text(
            "{}"
        )
    lines = screen("status", rows=rows).splitlines()
    assert len(lines) < rows
    assert "ill" in lines[0]
    assert "cadence up" in "".join(lines[1:4])
    queue = [line for line in lines if re.match(r"work\d+ ", line)]
    assert len(queue) in shown
    assert f"and {30 - len(queue)} more" in "".join(lines)


def test_what_is_wrong_is_not_scrolled_away_by_many_kinds_of_trouble(
    home: Path, define: Define, enqueue: Callable[..., str], screen: Screen
) -> None:
    """One of each was more than 24 lines: what matters least is only counted, with the verb that lists it."""
    for name in ("one", "two"):
        define(name, every="1h")
        enqueue(name)
        hold = {"since": "2026-11-21T02:30:00Z", "until": None, "detail": "so it was " * 20, "by": "x"}
        (home / "state" / "holds" / f"cadence-{name}.exclusive.json").write_text(json.dumps(hold))
        (home / "state" / "holds" / f"cadence-{name}x.load.json").write_text(json.dumps(hold))
        outcome = {"status": "dead", "class": "crash", "reason": "it failed " * 30}
        outcome["finished_at"] = rfc3339(time.time())
        letter = home / "state" / "dead" / f"5-20261121T023000.123456Z-{name}-7f3k9q2m.json"
        letter.write_text(json.dumps({"cadence": name, "outcome": outcome}))
        (home / "prompts" / f"{name}-broken.md").write_text("---\nretires: 2\n---\n")
    lines = screen("status").splitlines()
    assert len(lines) < 24
    assert "ill" in lines[0]
    assert "next due: 2 (cadence next)" in lines
    assert any(line.startswith("one ") for line in lines)


def test_what_a_small_terminal_leaves_out_says_where_it_is(
    home: Path, define: Define, cadence: Cadence, screen: Screen
) -> None:
    """A complaint that is only counted would be one without a next step; a pipe shows it."""
    for number in range(9):
        define(f"work{number}")
        cadence("pause", f"work{number}")
        file = f"5-20261121T023000.{number:06d}Z-work{number}-7f3k9q2m.json"
        (home / "state" / "inbox" / file).write_text("{}")
    small = screen("status")
    assert "more: cadence status | less" in small
    assert "work8 is paused" not in small
    assert "work8 is paused" in cadence("status").stdout
    assert "| less" not in screen("status", rows=90)


def test_a_home_without_folders_is_still_looked_at(home: Path, cadence: Cadence) -> None:
    """What is gone is gone, and that in one line; the rest is told."""
    (home / "state" / "inbox").rmdir()
    assert "  state/inbox is missing: `cadence doctor --fix`\n" in cadence("status").stdout
    for folder in (home / "state").iterdir():
        if folder.is_dir():
            folder.rmdir()
    assert "  state/inbox and 10 more are missing: `cadence doctor --fix`\n" in cadence("status").stdout
    for words in (["status"], ["ls"], ["history"], ["stats"]):
        ended = cadence(*words)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), words


@pytest.mark.slow
def test_ten_thousand_ticks_are_no_burden(home: Path, cadence: Cadence, define: Define) -> None:
    """A screen in about a second."""
    define("work")
    for n in range(10_000):
        name = f"5-20261121T023000.{n:06d}Z-work-7f3k9q2m.json"
        (home / "state" / "inbox" / name).write_text('{"cadence": "work"}')
    began = time.monotonic()
    assert cadence("status").returncode == 0
    assert time.monotonic() - began < 5


def test_a_consumer_that_is_started_again_and_again_is_not_called_dead(home: Path) -> None:
    """`cadence up` would say that it is up already; when it comes back is said, and where its words are."""
    own = supervision.Process.of(os.getpid(), "2026-11-21T02:00:00Z")
    assert own is not None
    now = time.time()
    deaths = [supervision.Death(at=rfc3339(now - n), lived=0.5, code=-9) for n in (40, 20, 5)]
    (home / "state" / "consumer.json").write_text('{"pid": 4711, "heartbeat_at": "2026-11-21T02:30:00Z"}')
    state = supervision.State(
        supervisor=own, state="waiting", reason="signal 9", until=rfc3339(now + 16), deaths=deaths
    )
    supervision.save(Home(str(home)), state)
    with supervision.sole(Home(str(home))):
        (reason,) = why(home, now)[1]
    assert reason.startswith(
        "the consumer died, 3 times in the last hour (signal 9); it is started again at "
    )
    assert reason.endswith(f" (in 16s): `tail {home}/state/consumer.log`")


def test_a_pause_is_no_illness_and_can_not_be_overlooked(
    home: Path, cadence: Cadence, define: Define, screen: Screen
) -> None:
    """The first line says well, the second that nothing starts, and what to type."""
    define("work")
    assert cadence("pause", "--reason", "moving house").returncode == 0
    assert cadence("pause", "work", "--for", "2h").returncode == 0
    facts = json.loads(cadence("status", "--json").stdout)
    assert (facts["health"], facts["why"]) == ("well", [])
    assert [note["do"] for note in facts["notes"]] == ["`cadence resume`", "`cadence resume work`"]
    bus, work = (note["what"] for note in facts["notes"])
    assert bus.startswith("the bus is paused since ")
    assert bus.endswith(", nothing new starts: moving house")
    assert " until " in work
    shown = screen("status", columns=60)
    assert "paused since" in shown.split("consumer  none")[0]
    assert "→ cadence resume" in shown


def test_a_broken_cadence_is_told_before_a_tick_of_it_waits(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """It fires nothing, so nothing would ever wait."""
    (home / "prompts" / "brief.md").write_text("---\nschedule: */5 * * * *\n---\nx\n")
    health, reasons = why(home)
    assert health == "ill"
    assert reasons[0].startswith("brief: prompts/brief.md:2: ")
    assert reasons[0].endswith(": `cadence check`")


def test_what_waits_for_a_file_that_is_gone_is_told_once(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Its old hold tells nothing any more; the cure is something that can be typed."""
    prompt = define("work")
    enqueue("work")
    prompt.unlink()
    (home / "state" / "holds" / "cadence-work.config.json").write_text(
        '{"since": "2026-11-21T02:30:00Z", "until": null, "detail": "no program"}'
    )
    told = [reason for reason in why(home)[1] if "work" in reason]
    assert told == [
        "work: 1 waits: prompts/work.md does not exist: put it back, or `cadence rm --cadence work`"
    ]
    assert cadence("rm", "--cadence", "work").returncode == 0
    assert not list((home / "state" / "inbox").iterdir())


def test_the_circuit_of_a_cadence_that_is_gone_alarms_nobody(home: Path, define: Define) -> None:
    """Renamed after it had failed: nothing will ever probe it, and a monitor would call for ever."""
    prompt = define("work")
    then = "2026-11-21T02:30:00.000000Z"
    probing = {"since": then, "until": then, "length": 60.0, "failures": 3, "reason": "exit 1"}
    memory = {"failures": 3, "circuit": probing}
    (home / "state" / "cadences" / "work.json").write_text(json.dumps(memory))
    assert why(home)[0] == "ill"
    prompt.rename(prompt.with_name("better.md"))
    assert why(home) == ("well", [])


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"f_bavail": 0}, "the disk is full, nothing can be accepted: `df -h {home}`; it goes on by itself"),
        ({"f_bavail": 255, "f_frsize": 4096}, "the disk is full"),
        ({"f_bavail": 256, "f_frsize": 4096}, ""),
        (
            {"f_favail": 0, "f_files": 9},
            "no inode is free, nothing can be accepted: remove small files: `df -i {home}`",
        ),
        # There are file systems that count none.
        ({"f_favail": 0, "f_files": 0}, ""),
        ({"f_flag": os.ST_RDONLY}, "the disk is mounted read-only, nothing can be accepted: `dmesg | tail`"),
    ],
)
def test_a_full_disk_is_told_before_the_consumer_runs_into_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, int], told: str
) -> None:
    """Whoever can't enqueue looks at the status first; a megabyte is enough."""
    room = os.statvfs(home)
    names = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail")
    some = dict.fromkeys(names, 1 << 20) | {"f_flag": 0, "f_namemax": room.f_namemax}
    monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([*(some | changed).values()]))
    health, said = why(home)
    assert (health, len(said)) == (("ill", 1) if told else ("well", 0))
    assert "".join(said).startswith(told.format(home=home))


def test_on_a_terminal_nothing_is_told_three_times(
    home: Path, define: Define, enqueue: Callable[..., str], screen: Screen
) -> None:
    """What stands above with its cure, or beside the queue with its end, is not told again below."""
    define("work")
    enqueue("work")
    hold = {
        "since": rfc3339(time.time()),
        "until": rfc3339(time.time() + 900),
        "detail": "3 failed runs in a row",
    }
    (home / "state" / "holds" / "cadence-work.circuit_open.json").write_text(json.dumps(hold))
    (home / "state" / "holds" / "bus.load.json").write_text(json.dumps(hold | {"detail": "load 9.1"}))
    seen = screen("status", columns=100)
    assert seen.count("3 failed runs in a row") == 1
    assert "(in 15m)" in seen.split("consumer  none")[0]
    assert seen.count("load 9.1") == 1


def test_another_home_than_the_one_somebody_stands_in_is_pointed_out(
    home: Path, tmp_path: Path, cadence: Cadence
) -> None:
    """CADENCE_HOME is forgotten easily."""
    assert cadence("status").stderr == ""
    here = tmp_path / "here"
    for folder in ("state", "prompts"):
        (here / folder).mkdir(parents=True)
    assert f"CADENCE_HOME names that home; you are in {here}" in cadence("status", cwd=here).stderr
    told = f"for the commands above: export CADENCE_HOME={here}\n"
    assert cadence("--home", str(here), "status").stderr == told, "as it stands it would go to another home"
    assert cadence("--home", str(here), "doctor").stderr.endswith(told)
    assert cadence("--home", str(home), "status").stderr == ""
