"""`cadence up`, `down`, `restart`, `ps`, with real processes that are killed, stopped and parked."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.cli import ps as verb
from cadencebus.daemon import supervision
from cadencebus.desk import consumer_control
from cadencebus.session import process_tree
from cadencebus.store import lock
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

HURRY = ("up", "--first-wait", "50ms")


@pytest.fixture(autouse=True)
def nothing_is_left(home: Path, cadence: Cadence, nothing_runs_on: None) -> Iterator[None]:
    """When the test is over, no process of its bus is."""
    yield
    if lock.is_held(Home(str(home))):
        consumer_control.bring_down(Home(str(home)))
    assert not lock.is_held(Home(str(home)))


@pytest.fixture
def ps(home: Path) -> Callable[[], dict[str, Any]]:
    """Ask what runs, as `cadence ps` does, but without a new interpreter each time."""
    return lambda: verb._facts(Home(str(home)))


@pytest.fixture
def session(
    home: Path,
    define: Define,
    cadence: Cadence,
    ps: Callable[[], dict[str, Any]],
    eventually: Eventually,
) -> Callable[[], Path]:
    """Start a session that ends when it is told to; what it waits for."""

    def begin() -> Path:
        go = home / "go"
        define("work", f"until test -e {go}; do sleep 0.05; done")
        assert cadence("enqueue", "work").returncode == 0
        eventually(lambda: list((home / "state" / "runs").glob("*/*/run.json")))
        # Its end may be awaited before its first process can be told from any other.
        eventually(lambda: any(one["processes"] for one in ps()["sessions"]))
        return go

    return begin


def finished(home: Path) -> list[dict[str, Any]]:
    """What lies in done/."""
    return [json.loads(path.read_bytes()) for path in (home / "state" / "done").rglob("*.json")]


def other(ps: Callable[[], dict[str, Any]], than: int) -> Callable[[], int | None]:
    """Ask for a consumer that is not that one."""

    def look() -> int | None:
        consumer = ps()["consumer"]
        return consumer["pid"] if consumer and consumer["pid"] not in {None, than} else None

    return look


def test_up_waits_until_it_is_up_and_down_until_it_is_gone_but_sessions_stay(
    home: Path,
    cadence: Cadence,
    ps: Callable[[], dict[str, Any]],
    session: Callable[[], Path],
    eventually: Eventually,
) -> None:
    """The next consumer takes the session over, and finishes its tick after one attempt."""
    first = json.loads(cadence("up", "--json").stdout)
    assert first["fresh"]
    assert lock.is_held(Home(str(home)))
    again = cadence("up")
    assert again.returncode == 0
    assert f"already up: consumer pid {first['pid']} since" in again.stdout
    go = session()
    seen = ps()
    assert seen["consumer"]["pid"] == first["pid"]
    assert seen["supervisor"]["pid"] == first["supervisor"]
    assert (seen["sessions"][0]["cadence"], seen["sessions"][0]["processes"] >= 1) == ("work", True)
    assert json.loads(cadence("ps", "--json").stdout)["consumer"]["pid"] == first["pid"]
    assert "session" in cadence("ps").stdout
    assert cadence("down").returncode == 0
    assert process_tree.started(first["pid"]) is None
    left = ps()
    assert (left["supervisor"], left["consumer"], len(left["sessions"])) == (None, None, 1)
    assert cadence("up").returncode == 0
    go.touch()
    tick = eventually(lambda: finished(home))[0]
    assert (tick["outcome"]["status"], len(tick["attempts"])) == ("ok", 1)
    assert cadence("down").stdout.startswith("down: consumer pid")
    assert cadence("down").stdout == "it was not up\n"


def test_a_killed_consumer_is_replaced_and_its_session_lives_on(
    home: Path,
    cadence: Cadence,
    ps: Callable[[], dict[str, Any]],
    session: Callable[[], Path],
    eventually: Eventually,
) -> None:
    """One attempt, one outcome; the supervisor is the same."""
    first = json.loads(cadence(*HURRY, "--json").stdout)
    go = session()
    os.kill(first["pid"], signal.SIGKILL)
    eventually(other(ps, first["pid"]), message="another consumer")
    seen = ps()
    assert seen["supervisor"]["pid"] == first["supervisor"]
    assert len(seen["sessions"]) == 1
    go.touch()
    tick = eventually(lambda: finished(home))[0]
    assert (tick["outcome"]["status"], len(tick["attempts"])) == ("ok", 1)
    said = supervision.load(Home(str(home)))
    assert said is not None
    assert [death.code for death in said.deaths] == [-9]


def test_a_consumer_that_hangs_is_ended_and_one_that_beats_is_not(
    home: Path, cadence: Cadence, ps: Callable[[], dict[str, Any]], eventually: Eventually
) -> None:
    """A stopped one obeys no TERM; it is killed, and replaced: but not while the disk refuses everybody."""
    first = json.loads(cadence(*HURRY, "--silent", "1s", "--json").stdout)
    until = time.monotonic() + 1.5

    def outlived_its_silence() -> bool:
        # It beats every 30 s; for this hurried supervisor we beat in its place.
        os.utime(home / "state" / "consumer.json")
        assert process_tree.started(first["pid"]) is not None
        return time.monotonic() > until

    eventually(outlived_its_silence)
    # Where not even the supervisor can write, silence says nothing of the consumer.
    (home / "state" / "tmp").rename(home / "state" / "tmp.away")
    os.kill(first["pid"], signal.SIGSTOP)
    log = home / "state" / "consumer.log"
    eventually(lambda: "is silent, but nobody can write here" in log.read_text())
    assert process_tree.started(first["pid"]) is not None
    (home / "state" / "tmp.away").rename(home / "state" / "tmp")
    eventually(lambda: process_tree.started(first["pid"]) is None, message="the hanging one is ended")
    eventually(other(ps, first["pid"]), message="another consumer")
    assert "makes no progress: ending it" in log.read_text()


def test_a_killed_supervisor_leaves_the_consumer_to_the_next_one(
    home: Path, cadence: Cadence, ps: Callable[[], dict[str, Any]], eventually: Eventually
) -> None:
    """`up` takes it over as it is, and from then on keeps it up."""
    first = json.loads(cadence("up", "--json").stdout)
    os.kill(first["supervisor"], signal.SIGKILL)
    eventually(lambda: process_tree.started(first["supervisor"]) is None)
    assert (ps()["supervisor"], ps()["consumer"]["pid"]) == (None, first["pid"])
    second = json.loads(cadence(*HURRY, "--json").stdout)
    assert second["pid"] == first["pid"]
    assert second["supervisor"] not in {None, first["supervisor"]}
    os.kill(first["pid"], signal.SIGKILL)
    eventually(other(ps, first["pid"]), message="another consumer")


def test_two_at_once_start_one(
    home: Path, environment: dict[str, str], ps: Callable[[], dict[str, Any]]
) -> None:
    """Both say that it is up."""
    program = Path(sys.executable).with_name("cadence")
    both = [
        subprocess.Popen([program, "up", "--json"], env=environment, cwd=home, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [json.loads(process.communicate(timeout=30)[0]) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0]["pid"] == said[1]["pid"] == ps()["consumer"]["pid"]
    assert said[0]["supervisor"] == said[1]["supervisor"]


def test_who_was_slower_leaves_no_supervisor_that_is_still_on_its_way(
    home: Path, cadence: Cadence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a `down` it would have found the home free, and brought a consumer up that nobody asked for."""
    spawned = []

    def slowly(*_: object) -> subprocess.Popen[bytes]:
        # Meanwhile another one brings a consumer up.
        assert cadence(*HURRY).returncode == 0
        spawned.append(subprocess.Popen(["sleep", "60"]))
        return spawned[0]

    monkeypatch.setattr(consumer_control, "_spawn", slowly)
    up = consumer_control.bring_up(Home(str(home)), consumer_control.Pace())
    assert up.keeper is not None
    assert up.keeper.supervisor.lives()
    assert spawned[0].poll() == -signal.SIGTERM


def test_five_quick_deaths_park_it_and_up_tries_again(
    home: Path, cadence: Cadence, ps: Callable[[], dict[str, Any]], eventually: Eventually
) -> None:
    """`ps` says since when and why; nothing is started meanwhile."""
    bus = Home(str(home))
    pid = json.loads(cadence("up", "--first-wait", "20ms", "--json").stdout)["pid"]

    def next_or_parked() -> supervision.State | None:
        said = supervision.load(bus)
        if said is None or said.parked:
            return said
        return said if said.consumer is not None and said.consumer.pid != pid else None

    said = supervision.load(bus)
    for _ in range(5):
        os.kill(pid, signal.SIGKILL)
        said = eventually(next_or_parked)
        pid = said.consumer.pid if said and said.consumer else pid
    assert said is not None
    assert said.parked
    assert len(said.deaths) == 5
    supervisor = said.supervisor
    eventually(lambda: not supervisor.lives())
    assert "died 5 times in a row" in ps()["parked"]["reason"]
    assert "parked since" in cadence("ps").stdout
    assert cadence("up").returncode == 0
    assert ps()["parked"] is None


def test_what_needs_a_person_is_parked_at_once_with_its_last_words(
    home: Path, cadence: Cadence, ps: Callable[[], dict[str, Any]]
) -> None:
    """`up` gives them, and the consumer's own exit code."""
    (home / "cadence.yaml").write_text("max_sessions: [\n")
    (home / "state" / "consumer.log").write_text("02:30:00 done work, last night\n")
    ended = cadence("up")
    assert ended.returncode == 78
    said = "cadence: the consumer ended, exit 78; try: fix this, then cadence up\n  | cadence: cadence.yaml:"
    assert ended.stderr.startswith(said), "what was said before this start is of no use now"
    assert ps()["parked"]["reason"].startswith("exit 78")
    assert "the consumer is parked: exit 78" in cadence("status", "--check").stdout
    (home / "cadence.yaml").unlink()
    assert cadence("up").returncode == 0


def test_a_consumer_in_the_foreground_is_up_but_nobody_keeps_it(
    home: Path, cadence: Cadence, consumer: Callable[[], subprocess.Popen[bytes]]
) -> None:
    """`up` says so and starts none; `restart` leaves it alone; `down` ends it."""
    process = consumer()
    ended = cadence("up")
    assert (ended.returncode, f"already up: consumer pid {process.pid}" in ended.stdout) == (0, True)
    assert "nothing restarts it if it dies" in ended.stderr
    assert not (home / "state" / "supervisor.json").exists()
    assert cadence("restart").returncode == 75
    assert cadence("down").returncode == 0
    assert process.wait(timeout=10) == 0


def test_restart_is_a_new_consumer(cadence: Cadence) -> None:
    """And a new supervisor, for an upgrade is of both."""
    first = json.loads(cadence("up", "--json").stdout)
    second = json.loads(cadence("restart", "--json").stdout)
    assert first["pid"] != second["pid"]
    assert first["supervisor"] != second["supervisor"]
    assert second["fresh"]


def test_down_names_the_supervisor_that_was_about_to_begin_anew(
    cadence: Cadence, ps: Callable[[], dict[str, Any]], eventually: Eventually
) -> None:
    """To say that it was not up would sound as if it came back, or as if this were another home."""
    first = json.loads(cadence("up", "--first-wait", "60s", "--json").stdout)
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: not (ps()["consumer"] or {}).get("pid"))
    down = cadence("down")
    assert down.returncode == 0
    assert f"supervisor pid {first['supervisor']} has ended" in down.stdout
    assert cadence("down").stdout == "it was not up\n"


def test_down_kill_ends_the_sessions_too(
    home: Path, cadence: Cadence, session: Callable[[], Path], ps: Callable[[], dict[str, Any]]
) -> None:
    """Their ticks go back to the queue when a consumer comes."""
    assert cadence("up").returncode == 0
    session()
    ended = json.loads(cadence("down", "--kill", "--json").stdout)
    assert (len(ended["killed"]), ended["alive"]) == (1, [])
    assert ps()["sessions"] == []


def test_a_session_starts_no_consumer(cadence: Cadence) -> None:
    """It would be swept with the session."""
    ended = cadence("up", env={"CADENCE_RUN_ID": "20261121T023000.123456Z-7f3k9q2m.1"})
    assert ended.returncode == 77


def test_a_log_that_has_grown_is_put_aside_at_the_start(home: Path) -> None:
    """One such is kept, and what is written goes to the end of the new one."""
    bus, log = Home(str(home)), home / "state" / "consumer.log"
    log.touch()
    os.truncate(log, supervision.LOG_MOST + 1)
    for text in (b"one\n", b"two\n"):
        with supervision.log(bus) as fd:
            os.write(fd, text)
    assert (home / "state" / "consumer.log.1").stat().st_size == supervision.LOG_MOST + 1
    assert log.read_bytes() == b"one\ntwo\n"


def test_a_state_that_makes_no_sense_is_none(home: Path, cadence: Cadence) -> None:
    """`ps` says what is all the same."""
    for text in ("", "{", "[]", '{"supervisor": {"pid": 1}}', '{"supervisor": 7, "consumer": 1}'):
        (home / "state" / "supervisor.json").write_text(text)
        assert supervision.load(Home(str(home))) is None
    assert cadence("ps").returncode == 0


def test_a_state_of_another_boot_or_of_a_number_that_was_used_again_is_stale(home: Path) -> None:
    """Whoever bears the number now is not taken for the supervisor."""
    bus, me = Home(str(home)), supervision.Process.of(os.getpid(), "")
    assert me is not None
    with supervision.sole(bus):
        supervision.save(bus, supervision.State(supervisor=me))
        assert supervision.alive(bus) is not None
        for other in (replace(me, boot="another"), replace(me, started=me.started - 1)):
            supervision.save(bus, supervision.State(supervisor=other))
            assert supervision.alive(bus) is None
            assert not other.send(signal.SIGKILL)


def test_a_copy_of_a_home_that_is_up_has_a_consumer_of_its_own(
    home: Path, tmp_path: Path, cadence: Cadence
) -> None:
    """A backup that is tried out beside the original neither waits for its consumer nor ends it."""
    assert cadence("up").returncode == 0
    original = json.loads((home / "state" / "consumer.json").read_text())["pid"]
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    assert cadence("--home", str(copy), "ps", "--json").stdout.count("null") == 4
    assert cadence("--home", str(copy), "up").returncode == 0
    assert json.loads((copy / "state" / "consumer.json").read_text())["pid"] != original
    assert cadence("--home", str(copy), "down").returncode == 0
    assert lock.holder(Home(str(home))) == original


COMING_UP = """
import json, os, signal, sys
from cadencebus.store.lock import ConsumerLock
from cadencebus.store.paths import Home
home = Home(sys.argv[1])
with ConsumerLock(home):
    print("held", flush=True)
    sys.stdin.readline()
    with open(home.consumer, "w") as file:
        json.dump({"pid": os.getpid(), "started_at": "2026-11-21T02:30:00.000000Z"}, file)
    signal.pause()
"""


def test_down_ends_a_consumer_that_was_only_just_coming_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds the lock, and says who it is a moment after `down` has looked: nobody waits in vain."""
    words = [sys.executable, "-c", COMING_UP, str(home), "bin/cadence", "run"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        go, said = process.stdin, process.stdout
        assert go is not None
        assert said is not None
        assert said.readline() == b"held\n"
        is_held = lock.is_held

        def looked(at: Home) -> bool:
            go.close()
            return is_held(at)

        monkeypatch.setattr(lock, "is_held", looked)
        try:
            assert consumer_control.bring_down(Home(str(home))).consumer == process.pid
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM
