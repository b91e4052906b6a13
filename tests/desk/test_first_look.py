"""The first look at a broken home: the cause in plain words, before what would only fail because of it."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.checkup import cadences
from cadencebus.checkup.patient import Patient
from cadencebus.clock import parse_stamp, rfc3339
from cadencebus.desk import doctor_waits, snapshot, status_screen
from cadencebus.desk import overview as letters
from cadencebus.desk.context import Context
from cadencebus.desk.how_to_release import how_to_release
from cadencebus.desk.output import Output
from cadencebus.desk.overview import overview
from cadencebus.model.hold import Hold
from cadencebus.policy.admit import Wait
from cadencebus.store import fitness
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

TICK = "5-20261121T023000.123456Z-work-7f3k9q2m.json"


def cures(home: Path) -> list[tuple[str, str]]:
    """What is wrong, and what to type, in the order in which it is told."""
    return [(one.what, one.do) for one in overview(Home(str(home))).verdict.complaints]


@pytest.fixture
def waiting(home: Path) -> Path:
    """Put one tick in; nobody consumes."""
    (home / "prompts" / "work.md").write_text("---\ncommand: ['true']\n---\n")
    (home / "state" / "inbox" / TICK).write_text('{"cadence": "work"}')
    return home


def test_a_folder_that_a_consumer_would_refuse_is_told_before_it(waiting: Path) -> None:
    """`cadence up` alone would only be told the same."""
    inbox = waiting / "state" / "inbox"
    inbox.chmod(0o777)
    first, second = cures(waiting)
    assert "may be written by the world" in first[0]
    assert first[1] == f"chmod 700 {inbox}"
    assert second == ("no consumer is up: 1 tick is ready", "fix that, then `cadence up`")


def test_broken_settings_are_told_before_the_consumer_that_they_keep_away(waiting: Path) -> None:
    """Exit 78 is what `cadence up` would get."""
    (waiting / "cadence.yaml").write_text("max_sesions: 2\n")
    first, second = cures(waiting)
    assert "max_sesions" in first[0]
    assert second[1] == "fix that, then `cadence up`"


def test_a_file_that_was_moved_in_waits_like_any_other(home: Path) -> None:
    """Nobody has given it its name yet: without a consumer nobody will."""
    (home / "state" / "inbox" / "mine.json").write_text('{"cadence": "work"}')
    (home / "state" / "inbox" / ".staging.json").write_text("")
    assert cures(home) == [("no consumer is up: 1 tick is ready", "`cadence up`")]


@pytest.mark.parametrize("stamp", ["00000000T000000.000000Z", "20261120T.........9999Z"])
def test_a_name_with_an_impossible_time_is_a_file_like_any_other(waiting: Path, stamp: str) -> None:
    """It looks older than all, and there is no such time: the screen counts it, and shows the rest."""
    (waiting / "state" / "inbox" / f"9-{stamp}-work-8f3k9q2m.json").write_text('{"cadence": "work"}')
    facts, verdict = overview(Home(str(waiting)))
    assert [(row.ready, row.oldest_at) for row in facts.queue] == [(1, parse_stamp(TICK[2:25]))]
    assert verdict.complaints[0].what == "no consumer is up: 2 ticks are ready"


def test_dead_letters_say_what_the_last_one_died_of(home: Path) -> None:
    """One is cured by its id; of several all are shown."""
    letter = {
        "cadence": "work",
        "outcome": {
            "status": "dead",
            "class": "unknown_cadence",
            "reason": "no cadence 'work'",
            "finished_at": rfc3339(time.time()),
        },
    }
    (home / "state" / "dead" / TICK).write_text(json.dumps(letter))
    (only,) = cures(home)
    assert only[0].endswith(" ago: work, unknown_cadence: no cadence 'work'")
    assert only[1] == "`cadence show 7f3k9q2m`, fix that, then `cadence dead retry 7f3k9q2m`"
    (home / "state" / "dead" / TICK.replace("7f3k9q2m", "8f3k9q2m")).write_text(json.dumps(letter))
    assert cures(home)[0][1] == "`cadence dead`, fix that, then `cadence dead retry --all`"


def test_what_is_put_off_for_a_cadence_that_is_gone_is_told_before_it_is_due(home: Path) -> None:
    """Nothing of it is ready, so nothing of it waits; when its time comes it dies."""
    (home / "state" / "deferred" / f"20991121T023000.000000Z~{TICK}").write_text('{"cadence": "work"}')
    assert cures(home) == [
        ("work: 1 is put off: prompts/work.md does not exist", "put it back, or `cadence rm --cadence work`")
    ]


def test_an_agent_that_would_be_asked_nothing_is_noted(home: Path) -> None:
    """Somebody emptied its file, or has not yet written what is to be done; a command needs no prompt."""
    (home / "prompts" / "brief.md").write_text("---\nrunner: claude\n---\n\n")
    (home / "prompts" / "emptied.md").write_text("")
    (home / "prompts" / "off.md").write_text("---\nenabled: false\n---\n")
    (home / "prompts" / "work.md").write_text("---\ncommand: ['true']\n---\n")
    assert cures(home) == []
    told = overview(Home(str(home))).verdict.notes
    assert [one.what for one in told] == [
        f"{name}: its prompt is empty, the agent would be asked nothing" for name in ("brief", "emptied")
    ]
    assert told[0].do == "write it into prompts/brief.md"


def test_tasks_that_make_no_sense_are_told(home: Path) -> None:
    """They never fire, and nothing of them waits."""
    (home / "HEARTBEAT.md").write_text("tasks:\n  - nonsense\n")
    ((what, do),) = cures(home)
    assert what.startswith("HEARTBEAT.md:2: expected")
    assert (what.endswith("; and 1 more"), do) == (True, "`cadence check`")
    told = {one.kind for one in cadences.tasks(Patient(Home(str(home)), time.time()))}
    assert "cadence.broken" in told


def test_a_prompt_that_leads_nowhere_is_told_before_anything_waits_for_it(home: Path) -> None:
    """Its schedule is gone with it: nothing of it would ever wait."""
    (home / "prompts" / "brief.md").symlink_to(home / "nowhere.md")
    assert cures(home) == [("brief: prompts/brief.md leads to no file", "`cadence check`")]


def test_what_was_no_tick_is_not_told_to_be_tried_again(home: Path) -> None:
    """It would be refused: there is nothing to run."""
    outcome = {
        "status": "dead",
        "class": "not_json",
        "reason": "not JSON",
        "finished_at": rfc3339(time.time()),
    }
    letter = home / "state" / "dead" / TICK
    letter.write_text(json.dumps({"cadence": "work", "outcome": outcome}))
    letter.with_name(f"{TICK}.raw").write_text("no JSON")
    ((_, do),) = cures(home)
    assert do == "`cadence show 7f3k9q2m`, fix what wrote it, then `cadence dead purge 7f3k9q2m`"


def test_of_several_letters_it_is_told_which_a_retry_leaves(home: Path) -> None:
    """`dead retry --all` passes over what is no tick: `status` would be ill for another day."""
    dead = home / "state" / "dead"
    outcome = {
        "status": "dead",
        "class": "not_json",
        "reason": "not JSON",
        "finished_at": rfc3339(time.time()),
    }

    def bury(random: str, raw: str) -> None:
        file = TICK.replace("7f3k9q2m", random)
        (dead / file).write_text(json.dumps({"cadence": "work", "outcome": outcome}))
        (dead / f"{file}.raw").write_text(raw)

    bury("7f3k9q2m", "no JSON")
    bury("8f3k9q2m", "no JSON")
    ((_, do),) = cures(home)
    assert do == "`cadence dead`, fix what wrote them, then `cadence dead purge --all`"
    bury("9f3k9q2m", '{"cadence": "work"}')
    ((_, do),) = cures(home)
    assert do == (
        "`cadence dead`, fix that, then `cadence dead retry --all`, which leaves the 2 that are no ticks"
    )


def test_what_may_start_only_now_is_no_sign_of_a_consumer_that_hangs(waiting: Path) -> None:
    """A tick may be old when it comes (put off, moved in), a consumer new, a hold just released."""
    lock = os.open(waiting / "state", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    now = time.time()

    def stalled(*, came: float, began: float, released: float) -> bool:
        note = {"pid": os.getpid(), "started_at": rfc3339(now - began), "heartbeat_at": rfc3339(now + 1e6)}
        (waiting / "state" / "consumer.json").write_text(json.dumps(note))
        later = now + came
        os.utime(waiting / "state" / "claimed", (now - 9e3, now - 9e3))
        os.utime(waiting / "state" / "holds", (later - released, later - released))
        told = overview(Home(str(waiting)), later).verdict.complaints
        return any("nothing started" in one.what for one in told)

    try:
        assert stalled(came=600, began=0, released=600)
        assert not stalled(came=1, began=9e3, released=9e3)
        assert not stalled(came=600, began=-590, released=9e3)
        assert not stalled(came=600, began=9e3, released=10)
    finally:
        os.close(lock)


def test_of_a_flood_of_letters_no_more_is_said_than_was_read(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand are counted; what they died of, and when, is known of the newest only."""
    outcome = {"status": "dead", "class": "crash", "reason": "it failed", "finished_at": rfc3339(time.time())}
    for at in range(5):
        letter = home / "state" / "dead" / TICK.replace("7f3k9q2m", f"{at}f3k9q2m")
        letter.write_text(json.dumps({"cadence": "work", "outcome": outcome}))
    monkeypatch.setattr(letters, "_LETTERS_READ", 3)
    monkeypatch.setattr(doctor_waits, "_LETTERS_READ", 3)
    out, seen = Output(Context()), overview(Home(str(home)))
    with contextlib.redirect_stdout(io.StringIO()) as screen:
        status_screen.draw(out, seen, time.time())
    assert "5, of the newest 3: crash 3   (cadence dead)" in screen.getvalue()
    (found,) = doctor_waits.dead(Patient(Home(str(home)), time.time()))
    assert found.what.startswith("at least 3 of 5 dead letters are new today")


def test_what_waits_for_room_on_the_disk_does_not_start_at_any_moment(
    waiting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes no hold either: the consumer's lies in its memory."""
    lock = os.open(waiting / "state", os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result([4096, 4096, 9, 0, 0, 9, 9, 9, 0, 255]))
    (row,) = overview(Home(str(waiting))).facts.queue
    os.close(lock)
    assert row.wait == Wait("disk_full", "the disk is full, nothing can be accepted")


def test_a_pause_that_nobody_can_read_is_nobodys_own_word(home: Path) -> None:
    """It holds until somebody removes it: that is an illness, and `cadence resume` is not its cure."""
    (home / "state" / "holds" / "bus.paused.json").write_text("garbage")
    assert [do for _, do in cures(home)] == [f"`rm {home}/state/holds/bus.paused.json`"]
    assert notes(home) == []


def test_a_folder_that_takes_nothing_is_told_before_the_consumer_runs_into_it(
    waiting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cadence up` would come up, and hold the bus; on a disk that takes nothing no folder is to blame."""
    # Root is refused nothing: the kernel's answer to anybody else.
    monkeypatch.setattr(os, "access", lambda path, _: not path.endswith("/inbox"))
    first, second = cures(waiting)
    assert first == ("state/inbox can't be written by you", "`cadence doctor --fix`")
    assert second[1] == "fix that, then `cadence up`"
    monkeypatch.setattr(fitness, "shut", lambda _: fitness.READ_ONLY)
    assert "can't be written" not in str(cures(waiting))


def test_a_folder_that_nobody_may_list_is_told_and_hides_nothing_else(
    waiting: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The screen says what it can't see, and shows the rest."""

    def refused(home: Home) -> None:
        raise PermissionError(13, "Permission denied", home.inbox)

    # Root is refused nothing: the kernel's answer to anybody else.
    monkeypatch.setattr(snapshot, "_queues", refused)
    assert cures(waiting) == [("state/inbox: Permission denied", "`cadence doctor`")]


def notes(home: Path) -> list[tuple[str, str]]:
    """What is no illness, and keeps things from starting all the same."""
    return [(one.what, one.do) for one in overview(Home(str(home))).verdict.notes]


def test_what_waits_for_a_cadence_that_is_disabled_is_told(waiting: Path) -> None:
    """Somebody's own word; but whoever waits for the brief has forgotten it."""
    (waiting / "prompts" / "work.md").write_text("---\ncommand: ['true']\nenabled: false\n---\n")
    assert notes(waiting) == [("work: 1 waits: it is disabled", "say enabled: true in prompts/work.md")]


def test_a_tick_that_is_put_off_for_years_is_told(waiting: Path) -> None:
    """A mistyped year, or a clock that ran ahead; however many are due before it."""
    for hour in range(10, 20):
        name = f"20261121T{hour}0000.000000Z~{TICK.replace('7f3k9q2m', f'aaaaaa{hour}')}"
        (waiting / "state" / "deferred" / name).write_text('{"cadence": "work"}')
    (waiting / "state" / "deferred" / f"20620101T000000.000000Z~{TICK}").write_text('{"cadence": "work"}')
    (only,) = notes(waiting)
    assert "7f3k9q2m is put off until 2062-01-01" in only[0]
    assert "`cadence bump 7f3k9q2m`" in only[1]


def test_a_queue_that_takes_no_more_is_told(waiting: Path) -> None:
    """Producers are refused: whoever looks must know why."""
    (waiting / "cadence.yaml").write_text("max_inbox: 1\n")
    assert any("the queue is full, nothing is accepted" in what for what, _ in cures(waiting))


def test_every_wait_that_does_not_end_by_waiting_names_what_to_type(waiting: Path) -> None:
    """A gate that always says no, hours that never come: the way past it stands there."""
    until = rfc3339(time.time() + 600)
    body = {"since": rfc3339(time.time()), "until": until, "detail": "99 % is used", "by": "consumer"}
    (waiting / "state" / "holds" / "bus.usage.json").write_text(json.dumps(body))
    (row,) = overview(Home(str(waiting))).facts.queue
    assert row.way_out.endswith("`cadence fire work --force`")


def hold(reason: str, detail: str, scope: str = "cadence-work") -> Hold:
    """A hold that stands since the epoch."""
    return Hold(scope=scope, reason=reason, detail=detail, since=0.0)


def test_a_program_that_only_this_shell_finds_is_the_consumers_path(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cadence check` finds it, `cadence resume` alone would fail again: what differs is the PATH."""
    missing = hold(
        "config", "the program could not start: agent: not found (ENOENT); install it, or give its whole path"
    )
    assert how_to_release(missing, Home(str(home))) == "`cadence check`, then `cadence resume work`"
    program = tmp_path / "agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert how_to_release(missing, Home(str(home))).startswith(
        f"`cadence restart` in this shell, which finds {program}"
    )


@pytest.mark.parametrize(
    ("reason", "detail", "cure"),
    [
        ("disk_full", "/h/state/tmp: No space left on device", "`df -h {home}`"),
        ("disk_full", "/h/state/runs: No such file or directory", "`cadence doctor`"),
        ("auth", "Not logged in", "log in again, then `cadence resume work`"),
        ("config", "no such model (HTTP 404, exit 1)", "fix its file, then `cadence resume work`"),
    ],
)
def test_a_hold_says_what_ends_it(home: Path, reason: str, detail: str, cure: str) -> None:
    """A disk that is not full is not looked at with df."""
    assert how_to_release(hold(reason, detail), Home(str(home))).startswith(cure.format(home=home))


def test_the_login_of_a_known_agent_is_named(home: Path) -> None:
    """What to type, not that something is to be typed."""
    refused = hold("auth", "Not logged in", scope="credentials-anthropic")
    assert (
        how_to_release(refused, Home(str(home)))
        == "`claude /login`, then `cadence resume --credentials anthropic`"
    )


def test_a_key_that_was_refused_is_named(home: Path) -> None:
    """As long as it is in the consumer's environment no login helps, and only a new consumer has another."""
    used = {"fingerprints": {"ANTHROPIC_API_KEY": "0d754d6990ffafee"}}
    refused = replace(hold("auth", "Invalid API key", scope="credentials-anthropic"), extra=used)
    said = how_to_release(refused, Home(str(home)))
    cure = "give the consumer's environment another ANTHROPIC_API_KEY, or none, then `cadence restart`"
    assert said == cure
    login = {"fingerprints": {"/h/.claude/.credentials.json": "missing"}}
    said = how_to_release(replace(refused, extra=login), Home(str(home)))
    assert said.startswith("`claude /login`")


def test_a_tick_whose_former_run_goes_on_says_so(waiting: Path) -> None:
    """Somebody moved it back by hand: no second run starts beside the first, at whatever moment."""
    state = waiting / "state"
    run = state / "runs" / "2026-11-21" / "20261121T023000.123456Z-7f3k9q2m.1"
    run.mkdir(parents=True)
    lock = os.open(state, os.O_RDONLY)
    with (run / "alive").open("w") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        fcntl.flock(lock, fcntl.LOCK_EX)
        (row,) = overview(Home(str(waiting))).facts.queue
    os.close(lock)
    assert row.wait is not None
    assert row.wait.reason == "running"
    assert "its last run is still going" in row.wait.detail
