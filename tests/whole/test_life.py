"""A tick's life through the real command: real processes, real files, real signals."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.conftest import Cadence, Eventually

QUICK = """\
defaults: {runner: command, backoff: [50ms], circuit: {failures: 0}}
unknown_grace: 300ms
settle: 200ms
"""


def ticks(home: Path, folder: str) -> list[dict[str, Any]]:
    """Read the ticks of a folder."""
    return [json.loads(path.read_text()) for path in sorted((home / "state" / folder).rglob("*.json"))]


def locks(pid: int) -> list[str]:
    """Read what the system says of a process's locks."""
    lines = Path("/proc/locks").read_text().splitlines()
    return [line for line in lines if f" {pid} " in line]


def events(home: Path) -> list[dict[str, Any]]:
    """Read the journal."""
    lines = [
        line
        for path in sorted((home / "state" / "events").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [json.loads(line) for line in lines]


def test_a_tick_goes_from_inbox_to_done_and_the_journal_tells_of_it(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """Accepted, claimed, started, ended, done; the prompt and the payload reach the command as data."""
    write("x", 'cat; echo $CADENCE_NAME $CADENCE_ATTEMPT; test -z "$CLAUDECODE"')
    tick_id = cadence("enqueue", "x", "--set", "a=```", env={"CLAUDECODE": "1"}).stdout.strip()
    assert cadence("run", "--drain", "--quiet", env={"CLAUDECODE": "1"}).returncode == 0
    (done,) = ticks(home, "done")
    assert (done["id"], done["outcome"]["status"]) == (tick_id, "ok")
    told = [event["event"] for event in events(home) if event.get("tick") == tick_id]
    assert told == ["tick.accepted", "tick.claimed", "run.started", "run.ended", "tick.done"]
    (log,) = (home / "state" / "runs").rglob("stdout.log")
    assert "The prompt.\n" in log.read_text()
    assert '````json\n{\n  "a": "```"\n}\n````' in log.read_text()


def test_failures_are_retried_and_end_as_a_dead_letter(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """One that recovers is done, one that does not explains itself."""
    write("third", "test $CADENCE_ATTEMPT -ge 3")
    write("never", "echo no luck >&2; exit 3")
    cadence("enqueue", "third")
    cadence("enqueue", "never")
    assert cadence("run", "--drain", "--quiet").returncode == 0
    (done,) = ticks(home, "done")
    assert [attempt["class"] for attempt in done["attempts"]] == ["crash", "crash", "ok"]
    (dead,) = ticks(home, "dead")
    assert (dead["outcome"]["class"], len(dead["attempts"]), dead["attempts"][0]["stderr_tail"]) == (
        "crash",
        3,
        "no luck\n",
    )


def test_equal_ticks_are_absorbed_and_others_are_not(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """A run stands for the equal ones that waited when it started; each is accounted for."""
    write("x", "true")
    for words in ([], [], ["--set", "a=1"], ["--key", "k"], ["--key", "k"]):
        cadence("enqueue", "x", *words)
    assert cadence("run", "--drain", "--quiet").returncode == 0
    statuses = sorted(tick["outcome"]["status"] for tick in ticks(home, "done"))
    assert statuses == ["absorbed", "duplicate", "ok", "ok", "ok"]


def test_ticks_that_come_during_a_run_are_skipped_where_the_cadence_says_so(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Those that waited before it are not."""
    write("x", f"echo >> {home}/log; while test ! -e {home}/go; do sleep 0.02; done", overlap="skip")
    first, waited = (cadence("enqueue", "x").stdout.strip() for _ in range(2))
    consumer()
    eventually((home / "log").exists)
    late = cadence("enqueue", "x").stdout.strip()
    eventually(lambda: ticks(home, "done"))
    (home / "go").touch()
    eventually(lambda: len(ticks(home, "done")) == 3)
    assert {t["id"]: t["outcome"]["status"] for t in ticks(home, "done")} == {
        first: "ok",
        waited: "ok",
        late: "skipped",
    }


def test_a_queue_of_different_payloads_is_read_once_and_its_equals_are_absorbed(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """Equal ones join whichever run of theirs starts first, in any mixture."""
    write("x", "true")
    lines = [json.dumps({"cadence": "x", "payload": {"n": n % 3}}) for n in range(12)]
    cadence("enqueue", "--batch", "-", stdin="\n".join(lines))
    assert cadence("run", "--drain", "--quiet").returncode == 0
    done = [(t["payload"]["n"], t["outcome"]["status"]) for t in ticks(home, "done")]
    assert sorted(done) == sorted((n, s) for n in range(3) for s in ["ok", *["absorbed"] * 3])


def test_a_tick_without_a_priority_gets_its_cadences_own_once(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """By one rename at first sight; one that says 5 keeps 5."""
    write("x", "true", priority=3, overlap="queue", enabled=False)
    silent, said = (
        cadence("enqueue", "x").stdout.strip(),
        cadence("enqueue", "x", "--priority", "5").stdout.strip(),
    )
    cadence("run", "--drain", "--quiet")
    names = sorted(path.name[:2] + path.stem[-8:] for path in (home / "state" / "inbox").iterdir())
    assert names == [f"3-{silent[-8:]}", f"5-{said[-8:]}"]


@pytest.fixture
def leaves_at_once(slowness: Callable[[], float]) -> Callable[[subprocess.Popen[bytes]], None]:
    """Tell a consumer to go, and see that it does so within two seconds."""

    def leaves(consumer: subprocess.Popen[bytes]) -> None:
        asked = time.monotonic()
        consumer.terminate()
        assert consumer.wait(timeout=10) == 0
        assert time.monotonic() - asked < 2.5 * slowness()

    return leaves


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who waits for a lock")
def test_a_lock_that_is_not_given_back_keeps_no_consumer_from_leaving(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
    leaves_at_once: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    """Whoever holds inbox/ holds back its claims; SIGTERM is obeyed within two seconds all the same."""
    write("x", "true")
    inbox = home / "state" / "inbox"
    holder = os.open(inbox, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    cadence("enqueue", "x")
    process = consumer()
    eventually((home / "state" / "consumer.json").exists)
    # Its claim waits for the lock: /proc/locks shows the waiter with an arrow.
    eventually(lambda: any("->" in line for line in locks(process.pid)))
    leaves_at_once(process)
    assert len(list(inbox.iterdir())) == 1
    os.close(holder)
    assert cadence("run", "--drain").returncode == 0
    assert ticks(home, "done")


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux tells who waits for a lock")
def test_a_consumer_that_still_mends_leaves_all_the_same(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
    leaves_at_once: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    """What a start finds may be much, or wait for somebody: SIGTERM is obeyed, and the next one goes on."""
    write("x", "true")
    run = "20261121T023000.123456Z-7f3k9q2m.1"
    plan = {"run": run, "target": "done", "at": time.time(), "memory": {"x": {"failures": 0}}}
    outcome = {"status": "ok", "class": "ok", "finished_at": "2026-11-21T02:30:01Z"}
    settled = {"cadence": "x", "attempts": [{"run": run}], "outcome": outcome, "settling": plan}
    (home / "state/claimed/5-20261121T023000.123456Z-x-7f3k9q2m.json").write_text(json.dumps(settled))
    holder = os.open(home / "state" / "cadences", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    process = consumer()
    eventually(lambda: any("->" in line for line in locks(process.pid)))
    leaves_at_once(process)
    assert not (home / "state" / "consumer.json").exists()
    os.close(holder)
    assert cadence("run", "--drain").returncode == 0
    assert ticks(home, "done")


def test_an_interpreter_that_takes_long_to_come_down_keeps_no_consumer(
    home: Path,
    write: Callable[..., None],
    environment: dict[str, str],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
    leaves_at_once: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    """Joining threads and taking modules apart took seconds on a busy machine: nothing of it is needed."""
    write("x", "true")
    (home / "sitecustomize.py").write_text("import atexit, time\natexit.register(time.sleep, 20)\n")
    environment["PYTHONPATH"] = str(home)
    process = consumer()
    eventually((home / "state" / "consumer.json").exists)
    leaves_at_once(process)
    assert not (home / "state" / "consumer.json").exists()
    assert events(home)[-1]["event"] == "consumer.stopped"


@pytest.mark.parametrize("name", ["5-20261121T023000.123456Z-x-7f3k9q2m.json", "by-hand.json"])
def test_a_producer_may_write_in_place_under_any_name(
    home: Path,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
    name: str,
) -> None:
    """What is no tick yet is given its time, also where its name is that of one."""
    write("x", "true", priority=3)
    consumer()
    eventually((home / "state" / "consumer.json").exists)
    text = b'{"cadence": "x", "payload": {"written": "slowly"}}'
    with (home / "state" / "inbox" / name).open("wb", buffering=0) as slowly:
        for at in range(0, len(text), 7):
            slowly.write(text[at : at + 7])
            time.sleep(0.06)
    eventually(lambda: ticks(home, "done") or ticks(home, "dead"))
    (done,) = ticks(home, "done")
    assert (done["payload"], done["priority"]) == ({"written": "slowly"}, 3)


def test_a_guard_decides_before_the_session(home: Path, cadence: Cadence, write: Callable[..., None]) -> None:
    """75: nothing to do, 0: go on, anything else: a failure."""
    write("idle", "echo ran", guard=["sh", "-c", "exit 75"])
    write("go", "echo ran", guard=["sh", "-c", "exit 0"])
    write("ill", "echo ran", guard=["sh", "-c", "exit 1"], retries=0)
    for name in ("idle", "go", "ill"):
        cadence("enqueue", name)
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert {t["cadence"]: t["outcome"]["status"] for t in ticks(home, "done")} == {
        "idle": "skipped",
        "go": "ok",
    }
    assert [t["cadence"] for t in ticks(home, "dead")] == ["ill"]


def test_a_drain_ends_with_the_grace_of_the_last_unknown_cadence(home: Path, cadence: Cadence) -> None:
    """Its ticks are buried: nothing else comes to wake the consumer."""
    # Later than all that a start looks at by itself.
    (home / "cadence.yaml").write_text("unknown_grace: 700ms")
    (home / "state" / "inbox" / "one.json").write_text('{"cadence": "nobody"}')
    began = time.monotonic()
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert time.monotonic() - began < 10
    assert [t["outcome"]["class"] for t in ticks(home, "dead")] == ["unknown_cadence"]


def test_a_loop_of_follow_ups_ends_in_dead(home: Path, cadence: Cadence, write: Callable[..., None]) -> None:
    """Whether a cadence names itself, or a run enqueues it: sixteen hops, then a letter that says so."""
    write("again", "true", then="again")
    write("self", "cadence enqueue self", overlap="queue")
    late = "".join(json.dumps({"cadence": name, "hops": 15}) + "\n" for name in ("again", "self"))
    assert cadence("enqueue", "--batch", "-", stdin=late).returncode == 0
    assert cadence("run", "--drain", "--quiet").returncode == 0
    letters = {t["cadence"]: t["outcome"]["class"] for t in ticks(home, "dead")}
    assert letters == {"again": "too_many_hops", "self": "too_many_hops"}
    assert sorted(t["hops"] for t in ticks(home, "done")) == [15, 15, 16, 16]


def test_what_follows_is_enqueued(home: Path, cadence: Cadence, write: Callable[..., None]) -> None:
    """`then` after success, `on_dead` after death, with the hops counted."""
    write("first", "true", then="second")
    write("second", "exit 1", retries=0, on_dead="mourner")
    write("mourner", "grep -q second && exit 1", retries=0, on_dead="mourner")
    cadence("enqueue", "first")
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert {t["cadence"]: t["hops"] for t in ticks(home, "dead")} == {"second": 1, "mourner": 2}


def test_a_broken_cadence_waits_for_its_mending_and_stops_nobody_else(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """Drain lists it, with file, line and key."""
    write("well", "true")
    (home / "prompts" / "broken.md").write_text("---\nretires: 3\n---\n")
    cadence("enqueue", "broken")
    cadence("enqueue", "well")
    ended = cadence("run", "--drain", "--quiet")
    assert ended.returncode == 75
    assert "prompts/broken.md:2: retires: unknown key; did you mean `retries`?" in ended.stderr
    assert [t["cadence"] for t in ticks(home, "done")] == ["well"]


def test_stop_and_pause_keep_ticks_where_they_are(
    home: Path, cadence: Cadence, write: Callable[..., None]
) -> None:
    """No attempt is burnt, no tick is touched."""
    write("x", "true")
    cadence("enqueue", "x")
    (home / "state" / "STOP").touch()
    assert cadence("run", "--drain", "--quiet").returncode == 75
    (home / "state" / "STOP").unlink()
    hold = {
        "scope": "bus",
        "reason": "paused",
        "since": "2026-11-21T00:00:00Z",
        "until": None,
        "detail": "",
        "by": "operator",
    }
    path = home / "state" / "holds" / "bus.paused.json"
    path.write_text(json.dumps(hold))
    assert cadence("run", "--drain", "--quiet").returncode == 75
    path.write_text("{ torn")
    assert cadence("run", "--drain", "--quiet").returncode == 75, "a hold that can't be read holds"
    path.unlink()
    assert cadence("run", "--drain", "--quiet").returncode == 0
    (done,) = ticks(home, "done")
    assert len(done["attempts"]) == 1


def test_a_killed_consumer_is_followed_by_one_that_adopts(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
    slowness: Callable[[], float],
) -> None:
    """Not interrupted, not run twice, settled by the same rules; a second consumer is refused meanwhile."""
    write(
        "x", f"echo $$ >> {home}/log; while test ! -e {home}/go; do sleep 0.02; done; echo end >> {home}/log"
    )
    cadence("enqueue", "x")
    first = consumer()
    eventually((home / "log").exists)
    refused = cadence("run")
    assert (refused.returncode, str(first.pid) in refused.stderr) == (75, True)
    first.kill()
    first.wait()
    assert len(ticks(home, "claimed")) == 1
    second = consumer()
    eventually(
        lambda: (
            (home / "state" / "consumer.json").exists()
            and (note := json.loads((home / "state" / "consumer.json").read_text()))["running"]
            # The first one's note lies there until the second writes its own.
            and note["pid"] == second.pid
        )
    )
    began = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0
    assert time.monotonic() - began < 2 * slowness(), "SIGTERM is obeyed within two seconds"
    (home / "go").touch()
    consumer()
    eventually(lambda: ticks(home, "done"))
    lines = (home / "log").read_text().split()
    assert len(lines) == 2
    assert lines[1] == "end"
    (done,) = ticks(home, "done")
    assert [attempt["class"] for attempt in done["attempts"]] == ["ok"]


def test_a_run_whose_shim_was_killed_is_swept_and_interrupted(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """No process of it is left, nothing is counted, it runs again."""
    write("x", f"echo $$ >> {home}/log; test $(wc -l < {home}/log) -ge 2 || exec sleep 300")
    cadence("enqueue", "x")
    consumer()
    (alive,) = eventually(lambda: list((home / "state" / "runs").rglob("alive")))
    eventually(lambda: '"pid": null' not in alive.read_text() and alive.read_text().strip())
    note: dict[str, int] = json.loads(alive.read_text())
    eventually((home / "log").exists)
    os.kill(note["shim"], signal.SIGKILL)
    (done,) = eventually(lambda: ticks(home, "done"))
    assert [(a["class"], a["counted"]) for a in done["attempts"]] == [("interrupted", False), ("ok", False)]
    assert not psutil.pid_exists(note["pid"]) or psutil.Process(note["pid"]).status() == psutil.STATUS_ZOMBIE


def test_a_tick_starts_within_milliseconds_while_others_come_and_go(
    home: Path,
    cadence: Cadence,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Watchdog holds events behind the consumer's own renames for half a second, unless it is asked right."""
    write("x", f"date +%s.%N >> {home}/starts", overlap="queue")
    consumer()
    eventually((home / "state" / "consumer.json").exists)

    def starts() -> list[float]:
        log = home / "starts"
        return [float(word) for word in log.read_text().split()] if log.exists() else []

    delays = []
    for n in range(8):
        asked = time.time()
        cadence("enqueue", "x")
        eventually(lambda n=n: len(starts()) > n)  # type: ignore[misc]
        delays.append(starts()[n] - asked)
    assert sorted(delays)[len(delays) // 2] < 0.25, delays


@pytest.mark.parametrize("work", ["true", "sleep 0.2"])
def test_a_slot_is_free_while_the_end_of_its_run_waits_to_be_settled(
    work: str,
    write: Callable[..., None],
    consumer: Callable[..., subprocess.Popen[bytes]],
    cadence: Cadence,
    home: Path,
    eventually: Eventually,
) -> None:
    """Whatever holds up a disk or a lock holds up nobody else; the cadence itself waits for its own end."""
    write("held", f"{work}; echo once >> ../ran", cwd="prompts", overlap="queue")
    write("other", "touch ../other", cwd="prompts")
    (home / "cadence.yaml").write_text(QUICK + "max_sessions: 1\n")
    lock = os.open(home / "state" / "cadences", os.O_RDONLY)
    try:
        # Whoever settles a run changes a memory under this lock.
        fcntl.flock(lock, fcntl.LOCK_EX)
        cadence("enqueue", "held")
        cadence("enqueue", "held")
        cadence("enqueue", "other")
        consumer()
        eventually((home / "other").exists)
        assert len(list((home / "state" / "claimed").iterdir())) == 2
        assert (home / "ran").read_text() == "once\n"
    finally:
        os.close(lock)
    eventually(lambda: not list((home / "state" / "claimed").iterdir()))
    eventually(lambda: (home / "ran").read_text() == "once\nonce\n")
