"""`cadence run` says what it does."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from cadencebus.cli.main import main
from cadencebus.errors import IOTrouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually


def test_a_foreground_consumer_says_at_once_that_it_consumes(
    home: Path, environment: dict[str, str], eventually: Callable[..., object], tmp_path: Path
) -> None:
    """A terminal that stays empty until the first tick ends looks like a hang."""
    said = tmp_path / "said"
    with (
        said.open("wb") as file,
        subprocess.Popen(
            ["cadence", "run"], cwd=home, env=environment, stderr=file, stdin=subprocess.DEVNULL
        ) as run,
    ):
        try:
            eventually(lambda: f"consuming {home} in 2 slots\n" in said.read_text())
        finally:
            run.send_signal(signal.SIGTERM)
        assert run.wait(10) == 0


def test_where_there_can_be_no_loop_there_is_a_line_and_no_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No descriptor left for it: what asyncio had made of its loop by then complained when it went."""

    def refuse(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(socket, "socketpair", refuse)
    assert main(["run", "--once", "--home", str(home)]) == IOTrouble.exit_code
    assert capsys.readouterr().err == "cadence: Too many open files\n"


def test_where_no_thread_more_is_to_be_had_a_consumer_leaves_as_ever(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One more was wanted just to wait for the others: all had been done, and it ended with 70."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if "_do_shutdown" in thread.name:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert main(["run", "--once", "--home", str(home)]) == 0
    assert capsys.readouterr().err == ""


def test_quiet_is_known_by_its_first_letter(home: Path, cadence: Cadence) -> None:
    """As everywhere."""
    assert cadence("-q", "ls").stdout == cadence("ls", "--quiet").stdout


def test_only_who_waits_for_an_end_waits_for_a_disk_that_refuses(
    home: Path, environment: dict[str, str]
) -> None:
    """--once says so and goes, exit 75; --for keeps its time."""

    def run(how: str) -> subprocess.CompletedProcess[str]:
        # Whoever may write no byte into a file finds the disk full, whatever it has.
        line = f"ulimit -f 0; exec cadence run {how}"
        return subprocess.run(
            ["sh", "-c", line],
            cwd=home,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            timeout=20,
            check=False,
        )

    refused = run("--once")
    assert refused.returncode == 75, refused.stderr
    assert "cadence: the state folder refuses: " in refused.stderr
    assert run("--for 100ms").returncode == 0


def test_what_was_mended_meanwhile_is_run_by_the_first_run_once(cadence: Cadence, define: Define) -> None:
    """A person mends the file and types it again: to have to type it twice is one time too many."""
    path = define("brief")
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("sh, -c", "no-such-program"), encoding="utf-8")
    cadence("enqueue", "brief")
    assert "never_ran" in cadence("run", "--once").stderr
    path.write_text(good, encoding="utf-8")
    told = cadence("run", "--once").stderr
    assert "cadence-brief.config.json is released" in told
    assert "done brief" in told


def test_a_verbose_consumer_works_on_when_nobody_reads_along_any_more(
    home: Path, environment: dict[str, str], define: Define, cadence: Cadence
) -> None:
    """`cadence run --once -v 2>&1 | head -1`: the bus was held as if its disk were full."""
    define("loud", "seq 1000 >&2")
    assert cadence("enqueue", "loud").returncode == 0
    with subprocess.Popen(
        ["cadence", "run", "--once", "-v"],
        cwd=home,
        env=environment,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    ) as run:
        assert run.stderr is not None
        run.stderr.close()
        try:
            assert run.wait(20) == 0
        finally:
            run.kill()
    assert len(list((home / "state" / "done").rglob("*.json"))) == 1


def test_who_reads_along_reads_the_clock_on_his_wall(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """`show` and `history` say local time; a line that says another would belong to nothing."""
    define("work")
    enqueue("work")
    said = cadence("run", "--drain", env={"TZ": "Asia/Kathmandu"}).stderr
    now = datetime.now(ZoneInfo("Asia/Kathmandu"))
    hours, minutes, seconds = map(int, said[:8].split(":"))
    then = now.replace(hour=hours, minute=minutes, second=seconds)
    half = timedelta(hours=12)
    assert abs((now - then + half) % (2 * half) - half) < timedelta(minutes=2)


# Run as `python -c`: the signal comes while that module is being imported, or when all is done.
_TOLD_EARLY = """
import atexit, os, runpy, sys
_, number, at, *sys.argv = sys.argv
class Early:
    def find_spec(self, name, *_):
        if name == at:
            os.kill(os.getpid(), int(number))
sys.meta_path.insert(0, Early())
if at == "the exit":
    atexit.register(os.kill, os.getpid(), int(number))
runpy.run_path(sys.argv[0], run_name="__main__")
"""
COMMAND = Path(__file__).parents[2] / "bin" / "cadence"


@pytest.mark.parametrize(
    ("number", "at", "verb", "code"),
    [
        (signal.SIGTERM, "cadencebus.daemon.loop", "run", 0),
        (signal.SIGHUP, "cadencebus.daemon.loop", "run", 0),
        (signal.SIGINT, "cadencebus.daemon.loop", "run", 130),
        (signal.SIGINT, "cadencebus.desk.overview", "status", 130),
        # The very first of ours that is loaded.
        (signal.SIGINT, "cadencebus.errors", "run", 130),
        (signal.SIGTERM, "cadencebus.desk.overview", "status", -signal.SIGTERM),
        # After a mistake, while it is told of.
        (signal.SIGINT, "cadencebus.desk.error_report", "statsu", 130),
        (signal.SIGINT, "the exit", "start", 0),
    ],
)
def test_who_is_told_to_leave_at_an_odd_moment_leaves_in_silence(
    environment: dict[str, str], number: int, at: str, verb: str, code: int
) -> None:
    """A consumer that a service manager stops in its first moment has not failed; a Ctrl-C is no accident."""
    ended = subprocess.run(
        [sys.executable, "-c", _TOLD_EARLY, str(int(number)), at, COMMAND, verb, "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (ended.returncode, ended.stderr) == (code, "")


def test_a_consumer_under_nohup_outlives_the_terminal(
    home: Path, environment: dict[str, str], define: Define, cadence: Cadence, eventually: Eventually
) -> None:
    """What its parent has ignored for it stays ignored; SIGTERM is obeyed all the same."""
    define("work")
    words = ["sh", "-c", "trap '' HUP; exec cadence run --quiet"]
    with subprocess.Popen(words, cwd=home, env=environment, stdin=subprocess.DEVNULL) as run:
        try:
            eventually((home / "state" / "consumer.json").exists)
            run.send_signal(signal.SIGHUP)
            tick = cadence("enqueue", "work").stdout.strip()
            assert cadence("wait", tick, "--timeout", "10s").returncode == 0
        finally:
            run.send_signal(signal.SIGTERM)
        assert run.wait(10) == 0
