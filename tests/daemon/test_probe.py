"""A judge of long silent runs: asked beside the watch, believed only where it is sure."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.daemon.boarding import Boarded
from cadencebus.daemon.probe import Probe
from cadencebus.model.cadence import Cadence
from cadencebus.model.runner import RUNNERS
from cadencebus.model.tick import Tick
from cadencebus.store import runs
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.policy.deadlines import EndRun
    from tests.conftest import Eventually

IDLE = 100.0


@pytest.fixture
def probe(home: Path) -> Callable[..., Probe]:
    """Make the probe of a run whose log ends in `stuck`."""

    def make(script: str | None, idle_timeout: float = IDLE) -> Probe:
        tick = Tick(id=new_id(time.time()), cadence="x", source="cli", created_at=time.time())
        run = runs.folder(Home(str(home)), tick.id, 1)
        Path(run.path).mkdir(parents=True)
        Path(run.file("stdout.log")).write_text("much else\n" * 10_000 + "stuck\n")
        words = ("sh", "-c", script) if script else None
        cadence = Cadence(name="x", runner="command", probe=words, idle_timeout=idle_timeout)
        boarded = Boarded(
            tick=tick,
            cadence=cadence,
            runner=RUNNERS["command"],
            run=run,
            cwd=str(home),
            started_at=time.time(),
            monotonic=0.0,
        )
        return Probe(boarded, str(home))

    return make


async def answer(probe: Probe, silent: float, now: float, silent_then: float | None = None) -> EndRun | None:
    """Let it ask, and hear what came of it."""
    assert probe.verdict(silent, now) is None
    await asyncio.gather(*probe.asking)
    return probe.verdict(silent if silent_then is None else silent_then, now)


def test_only_a_clear_one_ends_the_run(probe: Callable[..., Probe]) -> None:
    """It reads the log's end, in the run's folder of work, and is told whose it is."""
    sees_it = 'test -d "$CADENCE_RUN_DIR" -a $CADENCE_NAME = x && tail -n 1 | grep -q stuck && exit 1; exit 0'
    ended = asyncio.run(answer(probe(sees_it), IDLE / 2, 0.0))
    assert ended is not None
    assert ended.klass == "wedged"
    for script in ("exit 0", "exit 2", "kill -9 $$", "exec /no/such/program"):
        assert asyncio.run(answer(probe(script), IDLE / 2, 0.0)) is None, script


def test_it_is_asked_after_half_the_idle_time_and_again_after_a_pause(
    probe: Callable[..., Probe],
) -> None:
    """Never twice at a time; where the idle watch is off, by its default."""

    async def asked() -> None:
        one = probe("exit 0")
        one.verdict(IDLE / 2 - 1, 0.0)
        assert not one.asking
        assert await answer(one, IDLE / 2, 10.0) is None
        assert not one.asking, "answered just now"
        one.verdict(IDLE / 2, 10.0 + IDLE / 20 - 1)
        assert not one.asking
        one.verdict(IDLE / 2, 10.0 + IDLE / 20)
        (first,) = one.asking
        one.verdict(IDLE / 2, 11.0 + IDLE / 20)
        assert one.asking == (first,)
        await one.close()
        off = probe("exit 0", 0.0)
        off.verdict(599.0, 0.0)
        assert not off.asking
        off.verdict(600.0, 0.0)
        assert off.asking
        await off.close()

    asyncio.run(asked())


def test_a_run_that_has_spoken_meanwhile_is_not_ended(probe: Callable[..., Probe]) -> None:
    """The judge looked at what is not true any more."""
    assert asyncio.run(answer(probe("exit 1"), IDLE / 2, 0.0, silent_then=1.0)) is None


def test_whoever_names_no_probe_is_never_judged(probe: Callable[..., Probe]) -> None:
    """However long it is silent."""

    async def silent() -> None:
        one = probe(None)
        assert one.verdict(1e9, 0.0) is None
        assert not one.asking
        await one.close()

    asyncio.run(silent())


def test_a_judge_who_is_still_at_it_ends_with_the_run(
    home: Path, probe: Callable[..., Probe], eventually: Eventually
) -> None:
    """The watch does not wait for him."""

    async def cut_off() -> float:
        one = probe(f"touch {home}/at-it; sleep 60")
        one.verdict(IDLE, 0.0)
        await asyncio.to_thread(eventually, (home / "at-it").exists)
        began = time.monotonic()
        await one.close()
        return time.monotonic() - began

    assert asyncio.run(cut_off()) < 10
