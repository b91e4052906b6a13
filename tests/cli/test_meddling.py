"""What people do to a home under a living consumer: folders that go, a home in the place of another."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Eventually

    Ticks = Callable[[str], dict[str, dict[str, Any]]]
    Start = Callable[[], subprocess.Popen[bytes]]


def test_a_run_whose_folder_was_removed_is_begun_again_and_holds_nobody(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    consumer: Start,
    eventually: Eventually,
) -> None:
    """`rm -rf state/runs/*` to gain room: the first run is ended, the second one does the work."""
    define("slow", "test -e again && exit; touch again; sleep 60")
    define("quick")
    slow = enqueue("slow")
    consumer()
    eventually((home / "again").exists)
    for day in (home / "state" / "runs").iterdir():
        shutil.rmtree(day)
    quick = enqueue("quick")
    eventually(lambda: {slow, quick} <= set(ticks("done")))
    assert "refuses" not in (home / "consumer.log").read_text()
    attempts = ticks("done")[slow]["attempts"]
    assert [(one["class"], one["counted"]) for one in attempts] == [("interrupted", False), ("ok", False)]


@pytest.mark.parametrize("priority", ["5", "0"])
def test_a_tick_that_was_moved_back_while_it_ran_is_settled_by_that_run(
    home: Path,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    consumer: Start,
    eventually: Eventually,
    *,
    priority: str,
) -> None:
    """`mv claimed/N inbox/`: no second run beside the first, none after it, and its end is told."""
    define("slow", "echo >> started; while test ! -e go; do sleep 0.02; done")
    tick = enqueue("slow")
    consumer()
    eventually((home / "started").exists)
    (claimed,) = (home / "state" / "claimed").iterdir()
    claimed.rename(home / "state" / "inbox" / f"{priority}{claimed.name[1:]}")
    (home / "go").touch()
    eventually(lambda: tick in ticks("done"))
    assert [attempt["class"] for attempt in ticks("done")[tick]["attempts"]] == ["ok"]
    assert (home / "started").read_text() == "\n"
    assert not ticks("inbox")
    assert not list((home / "state" / "dead").iterdir())


def test_a_consumer_leaves_a_home_that_was_replaced_to_another(
    home: Path, define: Define, enqueue: Callable[..., str], ticks: Ticks, consumer: Start
) -> None:
    """Its lock is on a folder that has gone; two on one home would do everything twice."""
    define("quick")
    first = consumer()
    other = home.with_name("other")
    shutil.copytree(home, other)
    away = home.with_name("away")
    home.rename(away)
    other.rename(home)
    # The folders that it watches are those that were moved away.
    (away / "prompts" / "quick.md").touch()
    assert first.wait(timeout=10) == 74
    assert "removed or replaced" in (away / "consumer.log").read_text()
    assert (home / "state" / "consumer.json").exists(), "another one's, for all it knows"
    second = consumer()
    shutil.rmtree(home / "state")
    assert second.wait(timeout=10) == 74
