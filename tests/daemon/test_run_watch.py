"""The watch over one run: what makes it end one, how soon it looks, and what it tells in the end."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.daemon.boarding import Boarded
from cadencebus.daemon.run_watch import RunWatch, end_run
from cadencebus.model.cadence import Cadence
from cadencebus.model.ending import Stop
from cadencebus.model.runner import RUNNERS
from cadencebus.model.tick import Tick
from cadencebus.policy import deadlines
from cadencebus.session import process_tree, reap
from cadencebus.store import runs
from cadencebus.store.inlet import new_id

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.ending import Report
    from cadencebus.policy.deadlines import EndRun, Limits, LookAgain, Signs
    from tests.conftest import FakeClock

RESULT = {"type": "result", "subtype": "success", "is_error": False, "result": "well", "num_turns": 3}


# No process has such a number.
NOBODY = (1 << 22) + 1
LOOKS: list[object] = []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it look fifty times a second, and count the looks."""

    def judged(limits: Limits, signs: Signs, now: float) -> EndRun | LookAgain:
        LOOKS.append(now)
        return deadlines.judge(limits, signs, now)

    monkeypatch.setattr("cadencebus.daemon.run_watch.GLANCE", 0.02)
    monkeypatch.setattr("cadencebus.daemon.run_watch.judge", judged)


class Run:
    """A run of which nothing lives but its lock, and the watch over it on a clock moved by hand."""

    def __init__(self, gear: Gear, clock: FakeClock, *, runner: str = "command", **keys: Any) -> None:
        gear.clock = self.clock = clock
        tick = Tick(id=new_id(time.time()), cadence="x", source="cli", created_at=time.time())
        run = runs.folder(gear.home, tick.id, 1)
        self.folder = Path(run.path)
        self.folder.mkdir(parents=True)
        self.boarded = Boarded(
            tick=tick,
            cadence=Cadence(name="x", runner=runner, **keys),
            runner=RUNNERS[runner],
            run=run,
            cwd=gear.home.root,
            started_at=clock.wall(),
            monotonic=clock.monotonic(),
        )
        self.lock = os.open(self.folder / "alive", os.O_CREAT | os.O_RDWR)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.gear = gear

    def says(self, text: str, log: str = "stdout") -> None:
        """Print something."""
        with (self.folder / f"{log}.log").open("a") as file:
            file.write(text)

    async def ended_for(self) -> str | None:
        """Wait until the watch has looked twice more; the class that it ends the run for, if it does."""
        seen, until = len(LOOKS), time.monotonic() + 20
        ending = self.folder / "ending.json"
        while len(LOOKS) < seen + 2 and not ending.exists():
            assert time.monotonic() < until, "it looks no more"
            await asyncio.sleep(0.005)
        if not ending.exists():
            return None
        # It is made first and then written, by another thread.
        while not (told := ending.read_text()):
            assert time.monotonic() < until, "nothing is written"
            await asyncio.sleep(0.005)
        return str(json.loads(told)["class"])

    def over(self) -> None:
        """Be gone, swept by its shim."""
        os.write(self.lock, json.dumps({"shim": NOBODY, "monotonic": 1.0, "swept": True}).encode())
        os.close(self.lock)

    async def watch(self, story: Any, *, adopted: bool = False) -> Report | None:
        """Watch it through what happens to it."""
        run_watch = RunWatch(self.gear, self.boarded, adopted=adopted)
        watch = asyncio.create_task(run_watch.until_it_ends(lambda: None))
        try:
            await story()
        finally:
            self.over()
        return await watch


def test_a_run_that_falls_silent_is_ended_and_one_that_speaks_is_not(
    gear: Gear, fake_clock: FakeClock
) -> None:
    """Its idle time counts from its last byte, on either stream."""
    run = Run(gear, fake_clock, idle_timeout=100.0)

    async def story() -> None:
        for log in ("stdout", "stderr"):
            fake_clock.advance(99)
            run.says("still here\n", log)
            assert await run.ended_for() is None
        fake_clock.advance(100)
        assert await run.ended_for() == "stalled"

    asyncio.run(run.watch(story))


def test_a_run_that_was_adopted_is_silent_since_then(gear: Gear, fake_clock: FakeClock) -> None:
    """What it said before is not known; its time-out is what it was."""
    run = Run(gear, fake_clock, idle_timeout=100.0, timeout=10_000.0)
    run.boarded = replace(run.boarded, monotonic=fake_clock.monotonic() - 5000.0)

    async def story() -> None:
        fake_clock.advance(99)
        assert await run.ended_for() is None
        fake_clock.advance(1)
        assert await run.ended_for() == "stalled"

    asyncio.run(run.watch(story, adopted=True))


def test_a_log_that_grows_too_large_ends_the_run(gear: Gear, fake_clock: FakeClock) -> None:
    """Either of the two; the first reason stands, whatever else comes to be true."""
    gear.settings.current = replace(gear.settings.current, max_log_bytes=1000)
    run = Run(gear, fake_clock, idle_timeout=100.0)

    async def story() -> None:
        run.says("x" * 1000, "stderr")
        assert await run.ended_for() is None
        run.says("x", "stderr")
        assert await run.ended_for() == "log_overflow"
        fake_clock.advance(1000)
        assert not end_run(run.boarded.run, Stop(klass="killed", by="operator", at=0.0))
        assert await run.ended_for() == "log_overflow"

    asyncio.run(run.watch(story))


def test_what_the_stream_told_is_the_report(gear: Gear, fake_clock: FakeClock) -> None:
    """Also what came in the last moment, and without an end of its line; a plain command tells none."""
    run = Run(gear, fake_clock, runner="claude")

    async def story() -> None:
        run.says('{"type": "system", "subtype": "init", "session_id": "s"}\n')
        await run.ended_for()
        run.says(json.dumps(RESULT))

    report = asyncio.run(run.watch(story))
    assert report is not None
    assert report.turns == 3

    async def nothing() -> None:
        await asyncio.sleep(0)

    assert asyncio.run(Run(gear, fake_clock).watch(nothing)) is None


def test_a_probe_is_asked_of_a_long_silence_and_its_word_ends_the_run(
    gear: Gear, fake_clock: FakeClock
) -> None:
    """After half the idle time, and not before; where a deadline has passed nobody is asked."""
    run = Run(gear, fake_clock, idle_timeout=100.0, probe=("sh", "-c", "touch asked; exit 1"))

    async def story() -> None:
        fake_clock.advance(49)
        assert await run.ended_for() is None
        assert "asked" not in os.listdir(gear.home.root)
        fake_clock.advance(1)
        for _ in range(500):
            if await run.ended_for() is not None:
                break
        assert await run.ended_for() == "wedged"

    asyncio.run(run.watch(story))


def test_an_agent_that_lingers_after_its_result_is_ended(gear: Gear, fake_clock: FakeClock) -> None:
    """Its grace counts from when the result was seen; what it did until then is told all the same."""
    run = Run(gear, fake_clock, runner="claude", result_grace=90.0, idle_timeout=100.0)

    async def story() -> None:
        run.says(json.dumps(RESULT) + "\n")
        assert await run.ended_for() is None
        fake_clock.advance(89)
        assert await run.ended_for() is None
        fake_clock.advance(1)
        assert await run.ended_for() == "result_grace"

    report = asyncio.run(run.watch(story))
    assert report is not None
    assert report.turns == 3


def test_what_outlives_even_a_kill_is_told_of_once_and_waited_for(
    gear: Gear, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a dead disk's call; here for as long as no signal is sent. Its slot is given back."""
    run = Run(gear, fake_clock)
    said: list[str] = []
    gear.say = said.append
    path = run.boarded.run.path
    monkeypatch.setattr(process_tree, "send", lambda *_: False)
    monkeypatch.setattr(process_tree, "kill_group", lambda _: None)
    for name, seconds in {"_UNKILLABLE_AFTER": 0.05, "_BRIEFLY": 0.02, "_TRY_AGAIN": 0.01}.items():
        monkeypatch.setattr(f"cadencebus.daemon.run_watch.{name}", seconds)

    async def watch(stays: subprocess.Popen[bytes]) -> list[int]:
        stuck: list[int] = []
        run_watch = RunWatch(gear, run.boarded, adopted=False)
        watching = asyncio.create_task(run_watch.until_it_ends(lambda: stuck.append(stays.pid)))
        until = time.monotonic() + 20
        for _ in range(2):
            while reap.survivors(path) != [stays.pid]:
                assert time.monotonic() < until, "it is not named"
                await asyncio.sleep(0.005)
            (run.folder / "leaked.json").unlink()
        stays.kill()
        stays.wait()
        await watching
        return stuck

    os.close(run.lock)
    env = {"CADENCE_RUN_ID": run.boarded.run.id}
    with subprocess.Popen(["sleep", "60"], env=env, start_new_session=True) as stays:
        assert asyncio.run(watch(stays)) == [stays.pid]
    assert said == [f"{run.boarded.run.id}: unkillable: {stays.pid} (sleep) survived SIGKILL"]
    assert reap.survivors(path) == []
