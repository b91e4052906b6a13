"""A person's own command on the side: whatever it does, it is over in time, and nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from cadencebus.daemon.bounded_command import Answer, run_bounded
from cadencebus.policy import gates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Eventually


def asked(*argv: str, within: float = 5.0, stdin: bytes = b"", cwd: str = "/") -> Answer:
    """Ask and wait."""
    return asyncio.run(run_bounded(argv, within=within, cwd=cwd, env=dict(os.environ), stdin=stdin))


def test_it_reads_what_it_is_given_and_says_how_it_ended() -> None:
    """Standard error is heard as well."""
    assert asked("sh", "-c", "cat; echo no >&2; exit 3", stdin=b"hello ") == Answer(3, "hello no\n")


def test_one_that_does_not_listen_is_no_fault() -> None:
    """Even if much was to be said."""
    assert asked("true", stdin=b"x" * 3_000_000).code == 0


@pytest.mark.parametrize("argv", [("/no/such/program",), ("/etc",), ("nul\0",)])
def test_one_that_cant_be_started_says_so(argv: tuple[str, ...]) -> None:
    """And raises nothing."""
    answered = asked(*argv)
    assert answered.code is None
    assert "could not be started" in answered.fault


def test_one_that_hangs_is_ended_with_all_it_started(tmp_path: Path, eventually: Eventually) -> None:
    """Also where its leader has gone and a child keeps the line open."""
    began = time.monotonic()
    for line in ("sleep 987654 & echo $! > child; wait", "sleep 987654 & echo $! > child"):
        answered = asked("sh", "-c", line, within=0.3, cwd=str(tmp_path))
        assert "gave no answer within 0.3 s" in answered.fault
        child = int((tmp_path / "child").read_text())
        eventually(lambda child=child: not _alive(child))  # type: ignore[misc]
    assert time.monotonic() - began < 5


ASKING = """
import asyncio, os
from cadencebus.daemon.bounded_command import run_bounded
line = "sleep 987653 & echo $! > child.new; mv child.new child; exec sleep 987653 <&- >&- 2>&-"
asyncio.run(run_bounded(["sh", "-c", line], within=60, cwd=".", env=dict(os.environ)))
"""


def test_nothing_of_it_outlives_who_asked(tmp_path: Path, eventually: Eventually) -> None:
    """Not even where that one was killed: the command of a gate went on for ever under nobody."""
    asking = subprocess.Popen([sys.executable, "-c", ASKING], cwd=tmp_path)
    child = int(eventually((tmp_path / "child").exists) and (tmp_path / "child").read_text())
    leader = os.getpgid(child)
    # The command itself, and who minds that it does not outlive us.
    eventually(lambda: len(psutil.Process(asking.pid).children()) == 2)
    asking.kill()
    asking.wait()
    eventually(lambda: not _alive(child) and not _alive(leader))


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_one_that_is_called_off_is_buried(tmp_path: Path, eventually: Eventually) -> None:
    """Whoever asked may leave at once after that: not even its dead leader is left to somebody else."""

    async def called_off() -> bool:
        line = ("sh", "-c", "echo $$ > leader; exec sleep 987654")
        asking = asyncio.create_task(run_bounded(line, within=60, cwd=str(tmp_path), env=dict(os.environ)))
        leader = tmp_path / "leader"
        await asyncio.to_thread(eventually, lambda: leader.exists() and leader.read_text().endswith("\n"))
        asking.cancel()
        await asyncio.wait([asking])
        return asking.cancelled() and not psutil.pid_exists(int(leader.read_text()))

    assert asyncio.run(called_off())


def test_one_that_is_called_off_while_it_starts_is_ended_with_all_it_started(
    tmp_path: Path, eventually: Eventually
) -> None:
    """A consumer that left just then waited for what the dead leader had started, and left it to itself."""
    line = ("sh", "-c", "sleep 987652 & echo $! > new; mv new child; wait")

    async def called_off(turns: int) -> None:
        asking = asyncio.create_task(run_bounded(line, within=60, cwd=str(tmp_path), env=dict(os.environ)))
        for _ in range(turns):
            # The command starts in the first turn of the loop, and goes on while the loop makes its pipes.
            await asyncio.sleep(0)
        if turns:
            time.sleep(0.05)  # noqa: ASYNC251 - the loop is to stand still
        asking.cancel()
        await asyncio.wait([asking])
        assert asking.cancelled()

    began = time.monotonic()
    for turns in range(8):
        asyncio.run(called_off(turns))
        child = tmp_path / "child"
        eventually(lambda child=child: not child.exists() or not _alive(int(child.read_text())))  # type: ignore[misc]
    assert time.monotonic() - began < 20


def test_one_that_talks_without_end_is_bounded() -> None:
    """What it said last is kept, and no more than that."""
    answered = asked("sh", "-c", "yes | head -c 5000000; echo 42")
    assert answered.code == 0
    assert len(answered.said) <= 1 << 16
    assert gates.utilisation(answered.said) == 42


def test_many_at_once_take_no_longer_than_one(tmp_path: Path) -> None:
    """They wait beside each other, in no thread."""

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(
            *(
                run_bounded(["sleep", "9"], within=0.3, cwd=str(tmp_path), env=dict(os.environ))
                for _ in range(20)
            )
        )

    began = time.monotonic()
    assert all(answered.fault for answered in asyncio.run(all_of_them()))
    assert time.monotonic() - began < 5
