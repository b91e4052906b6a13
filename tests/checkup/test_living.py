"""Consumers that hang or are another version, processes that are nobody's."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.session import identity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.checkup.conftest import Doctor
    from tests.conftest import Cadence, Eventually

RUN = "20261121T023000.123456Z-7f3k9q2m.1"


def kinds(told: dict[str, list[dict[str, str]]]) -> set[str]:
    """What was found."""
    return {one["kind"] for one in told["findings"]}


@contextlib.contextmanager
def consumer(home: Path, **said: object) -> Iterator[None]:
    """Hold the consumer's lock, and say something of oneself."""
    (home / "state" / "consumer.json").write_text(json.dumps(said))
    fd = os.open(home / "state", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


def test_a_consumer_that_hangs_is_ill(home: Path, call: Doctor) -> None:
    """It holds the lock, and was not heard of for two minutes."""
    with consumer(home, pid=os.getpid(), heartbeat_at=rfc3339(time.time() - 120), version="0.0.1"):
        told = call()
    assert {"consumer.silent", "consumer.version"} <= kinds(told)
    assert "cadence restart" in told["screen"].splitlines()[0]


def test_what_keeps_a_consumer_away_is_told_before_it(home: Path, call: Doctor) -> None:
    """As `status` does: `cadence up` alone would only be told the same."""
    (home / "prompts" / "brief.md").write_text("---\ncommand: ['true']\n---\n")
    name = "5-20261121T023000.123456Z-brief-7f3k9q2m.json"
    (home / "state" / "inbox" / name).write_text('{"cadence": "brief"}')
    (home / "cadence.yaml").write_text("max_sesions: 2\n")
    assert [one["kind"] for one in call()["findings"]][:2] == ["settings.broken", "consumer.none"]


def test_a_gate_that_fails_is_ill(home: Path, call: Doctor) -> None:
    """As `status` says: nobody knows what it guards until its command answers again."""
    gates = {
        "usage": {"shut": True, "failing": True, "detail": "sh gave no answer"},
        "load": {"failing": False},
    }
    with consumer(home, pid=os.getpid(), heartbeat_at=rfc3339(time.time()), gates=gates):
        told = call()
    assert [one["what"] for one in told["findings"] if one["kind"] == "gate.failing"] == [
        "the gate usage fails: sh gave no answer"
    ]


def test_somebody_elses_lock_is_seen(home: Path, call: Doctor) -> None:
    """The kernel says who holds it; consumer.json says another one."""
    with consumer(home, pid=1, heartbeat_at=rfc3339(time.time())):
        told = call()
    assert "consumer.stranger" in kinds(told)
    assert f"ps {os.getpid()}" in told["screen"]


def test_a_consumer_that_starts_nothing_is_ill(
    home: Path, call: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something could start; a claim has no run for longer than its settlement may take."""
    (home / "prompts" / "brief.md").write_text("---\nrunner: command\ncommand: ['true']\n---\n")
    name = "5-20261121T023000.123456Z-{}-7f3k9q2{}.json"
    (home / "prompts" / "other.md").write_text("---\nrunner: command\ncommand: ['true']\n---\n")
    (home / "state" / "inbox" / name.format("brief", 1)).write_text('{"cadence": "brief"}')
    (home / "state" / "claimed" / name.format("other", 2)).write_text('{"cadence": "other"}')
    now = time.time()
    for later, found in ((now + 110, {"queue.stalled"}), (now + 900, {"claim.stuck", "queue.stalled"})):
        monkeypatch.setattr("cadencebus.cli.doctor.time.time", lambda later=later: later)
        with consumer(home, pid=os.getpid(), heartbeat_at=rfc3339(later)):
            told = call()
        assert kinds(told) & {"claim.stuck", "queue.stalled"} == found
        assert told["code"] == 1


def test_a_lock_that_is_no_consumers_is_told_with_its_holder(home: Path, call: Doctor) -> None:
    """Somebody has it, and has not said who he is; the kernel knows. Our name on his way is none."""
    holds = "import fcntl, os, sys; fcntl.flock(os.open('state', 0), 2); print(flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", holds, "/srv/cadence/state"], cwd=home, stdin=pipe, stdout=pipe
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        told = call()
        other.kill()
    assert "consumer.stranger" in kinds(told)
    assert f"kill {other.pid}" in told["screen"]


def test_a_consumer_that_a_signal_stopped_is_ill_at_once(home: Path, call: Doctor) -> None:
    """Its heart beat a moment ago, and it will not again before somebody lets it go on."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        with consumer(home, pid=other.pid, heartbeat_at=rfc3339(time.time())):
            other.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, other.pid, os.WSTOPPED | os.WNOWAIT)
            told = call()
        other.kill()
    assert "consumer.frozen" in kinds(told)
    # Nor does it watch a folder: it would see new ticks at its next look only.
    assert "inotify.short" in kinds(told)
    assert f"kill -CONT {other.pid}" in told["screen"]


def test_a_process_of_no_tick_is_found_and_ended_only_by_fix(
    home: Path, call: Doctor, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mark says of which bus it is; another bus's is left alone, as is the run that the doctor is in."""
    surroundings = {identity.MARK: RUN, identity.HOME: str(home)}
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours = subprocess.Popen(sleep, env=surroundings)
    theirs = subprocess.Popen(sleep, env=surroundings | {identity.HOME: "/elsewhere", identity.MARK: "x.1"})
    try:
        eventually(lambda: identity.mark_of(ours.pid) == RUN)
        with monkeypatch.context() as inside:
            inside.setenv(identity.MARK, RUN)
            assert "process.stray" not in kinds(call())
        told = call()
        assert "process.stray" in kinds(told)
        assert RUN in told["screen"]
        assert ours.poll() is None
        assert "process.stray" not in kinds(call("--fix"))
        assert ours.wait(10) == -9
        assert theirs.poll() is None
    finally:
        for process in (ours, theirs):
            process.kill()
            process.wait()


def test_a_process_of_a_claimed_tick_is_no_stray(home: Path, call: Doctor, eventually: Eventually) -> None:
    """It belongs to a run that somebody will adopt or sweep."""
    (home / "state" / "claimed" / "5-20261121T023000.123456Z-brief-7f3k9q2m.json").write_text(
        '{"cadence": "brief"}'
    )
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    process = subprocess.Popen(sleep, env={identity.MARK: RUN, identity.HOME: str(home)})
    try:
        eventually(lambda: identity.mark_of(process.pid) == RUN)
        assert "process.stray" not in kinds(call("--fix"))
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_outside_of_any_home_the_machine_is_looked_at(cadence: Cadence, tmp_path: Path) -> None:
    """`cadence init` is named, exit 78 as everywhere; a home that is (half) gone is told of as such."""
    alone = cadence("doctor", env={"CADENCE_HOME": ""}, cwd=tmp_path)
    assert alone.returncode == 78
    assert "cadence init" in alone.stdout
    gone = cadence("doctor", env={"CADENCE_HOME": str(tmp_path / "gone")})
    assert gone.returncode == 1
    assert "can't tell" not in alone.stdout + gone.stdout
    assert gone.stdout.startswith(f"ill   {tmp_path}/gone is not a folder  →  cadence init {tmp_path}/gone\n")
    half = tmp_path / "half"
    half.mkdir()
    (half / "cadence.yaml").touch()
    told = cadence("doctor", env={"CADENCE_HOME": ""}, cwd=half)
    assert told.returncode == 1
    assert "state/" in told.stdout.splitlines()[0]
    assert cadence("doctor", "--fix", env={"CADENCE_HOME": ""}, cwd=half).returncode == 0
    assert cadence("status", env={"CADENCE_HOME": ""}, cwd=half).returncode == 0
