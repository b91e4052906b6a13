"""`cadence bump`: waiting ticks move to the front."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


def test_a_bumped_tick_is_first_in_ls_order(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """Its name sorts before all others, and its content says the same."""
    define("work")
    first, second = enqueue("work"), enqueue("work")
    ended = cadence("bump", second[-8:])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{second} is at the front\n"
    assert list(ticks("inbox")) == [second, first]
    assert ticks("inbox")[second]["priority"] == 0


def test_a_tick_that_waits_for_its_time_becomes_ready(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """To be first means to be first now."""
    define("work")
    late = enqueue("work", "--in", "1h")
    assert cadence("bump", late).returncode == 0
    assert not ticks("deferred")
    assert ticks("inbox")[late]["not_before"] is None


def test_a_bumped_tick_runs_under_a_live_consumer(
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """The consumer that knew it by its old name takes it by the new one; nothing is a twin."""
    define("work", enabled=False)
    consumer()
    first, second = enqueue("work"), enqueue("work", "--set", "x=1")
    assert cadence("bump", second).returncode == 0
    define("work", "true")
    eventually(lambda: {first, second} <= set(ticks("done")), message="both are done")
    assert not ticks("dead")


def test_what_does_not_wait_is_not_bumped(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Exit 66, and the error says what it does instead."""
    define("work")
    done = enqueue("work")
    assert cadence("run", "--drain").returncode == 0
    ended = cadence("bump", done)
    assert ended.returncode == 66
    assert "it is done" in ended.stderr
