"""Chores run beside the turns: when they are due, never twice at a time, and their faults stay their own."""

from __future__ import annotations

import asyncio
import errno
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from cadencebus.daemon.chores import Chore, Chores
from cadencebus.daemon.crew import Crew

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from tests.conftest import FakeClock


class Sweeping:
    """A chore whose time and end are the test's to choose."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.begun = 0
        self.go_on = asyncio.Event()
        self.fault: Exception | None = None

    def due_in(self) -> float:
        """As the test says."""
        return self.wait

    async def do(self) -> None:
        """Take as long as the test says, and end as it says."""
        self.begun += 1
        await self.go_on.wait()
        if self.fault:
            raise self.fault


class Bench:
    """Chores with one chore, and what became of its faults."""

    def __init__(self, clock: FakeClock) -> None:
        self.faults: list[BaseException] = []
        self.troubles: list[OSError] = []
        self.woken = 0
        gear = SimpleNamespace(clock=clock, wake=self._wake, trouble=self._trouble)
        self.chore = Sweeping()
        self.crew = Crew(self.faults.append)
        self.chores = Chores(cast("Gear", gear), self.crew, [cast("Chore", self.chore)])

    def _wake(self) -> None:
        self.woken += 1

    async def _trouble(self, error: OSError) -> None:
        self.troubles.append(error)

    async def settle(self) -> None:
        """Let everything run that can run."""
        for _ in range(10):
            await asyncio.sleep(0)


def test_a_chore_is_begun_when_due_and_not_again_while_it_is_being_done(fake_clock: FakeClock) -> None:
    """A slow one must not pile up; when it is over, the loop is woken and it may be due again."""

    async def story() -> None:
        bench = Bench(fake_clock)
        bench.chore.wait = 3.0
        bench.chores.begin()
        assert (bench.chores.busy, bench.chores.due_in()) == (False, 3.0)
        bench.chore.wait = 0.0
        bench.chores.begin()
        bench.chores.begin()
        await bench.settle()
        assert (bench.chores.busy, bench.chores.due_in()) == (True, float("inf"))
        bench.chore.go_on.set()
        await bench.settle()
        assert (bench.chore.begun, bench.chores.busy, bench.woken) == (1, False, 1)
        bench.chores.begin()
        await bench.settle()
        assert bench.chore.begun == 2

    asyncio.run(story())


def test_a_fault_of_its_own_keeps_it_away_for_a_minute(fake_clock: FakeClock) -> None:
    """It would be due at once, and the loop would spin."""

    async def story() -> None:
        bench = Bench(fake_clock)
        bench.chore.fault = ValueError("its own")
        bench.chore.go_on.set()
        bench.chores.begin()
        await bench.settle()
        assert [str(fault) for fault in bench.faults] == ["its own"]
        bench.chores.begin()
        await bench.settle()
        assert (bench.chore.begun, bench.chores.due_in()) == (1, 60.0)
        fake_clock.advance(60.0)
        bench.chores.begin()
        await bench.settle()
        assert bench.chore.begun == 2

    asyncio.run(story())


def test_a_disk_that_refuses_is_waited_out_and_then_it_is_due_again(fake_clock: FakeClock) -> None:
    """The disk's trouble is everybody's: it goes where all such trouble goes."""

    async def story() -> None:
        bench = Bench(fake_clock)
        bench.chore.fault = OSError(errno.ENOSPC, "no room")
        bench.chore.go_on.set()
        bench.chores.begin()
        await bench.settle()
        assert [error.errno for error in bench.troubles] == [errno.ENOSPC]
        assert not bench.faults
        bench.chores.begin()
        await bench.settle()
        assert bench.chore.begun == 2

    asyncio.run(story())


def test_dismissing_the_crew_ends_its_work_without_a_word() -> None:
    """Leaving is no fault."""

    async def story() -> None:
        faults: list[BaseException] = []
        crew = Crew(faults.append)
        crew.take_on(asyncio.sleep(3600))
        await asyncio.sleep(0)
        await crew.dismiss()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not faults

    asyncio.run(story())
