"""What the bus remembers: each run applied once, and no two writers lose each other's money."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from cadencebus.policy import budgets
from cadencebus.store.memory import Memory
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
DAY = "2027-01-15"


def test_what_many_book_at_once_is_exact(home: Path) -> None:
    """Each plan was made from the same old memory; the sum is made under the lock."""
    there = Home(str(home))

    def book(worker: int) -> None:
        mine = Memory(there)
        for n in range(10):
            patch = {"booking": {"day": DAY, "usd": 0.01}, f"w{worker}": n}
            mine.change("_bus", NOW, patch, run=f"r{worker}.{n}")
            # A crash in between: the same plan is replayed, and booked no second time.
            mine.change("_bus", NOW, patch, run=f"r{worker}.{n}")

    threads = [threading.Thread(target=book, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    memory = Memory(there).load("_bus", NOW)
    assert budgets.spent(memory, DAY) == pytest.approx(0.4)
    assert [memory[f"w{worker}"] for worker in range(4)] == [9] * 4
