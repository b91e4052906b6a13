"""A flood of rubbish is taken up some at a time: whoever waits meanwhile, or sends a signal, is heard."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.daemon.index import Calendar, Index
from cadencebus.daemon.intake import Intake
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import FakeClock


@pytest.fixture
def told() -> list[Any]:
    """What the intake tells the journal."""
    return []


@pytest.fixture
def intake(home: Path, fake_clock: FakeClock, told: list[Any]) -> Intake:
    """Take in what lies in the home's inbox."""
    return Intake(
        Spool(Home(str(home))),
        Index(),
        Calendar(),
        fake_clock,
        own_priority=lambda _cadence: 5,
        running_as=lambda _file: None,
        look_after=lambda _running, _file: None,
        tell=told.append,
    )


def test_doubts_come_in_the_order_of_their_time_and_not_all_at_once(
    home: Path, intake: Intake, fake_clock: FakeClock, told: list[Any]
) -> None:
    """What changed meanwhile waits anew, behind the others; a look costs nothing where nothing is due."""
    inbox = home / "state" / "inbox"
    names = [f"{at}.json" for at in range(5)]
    for name in names:
        (inbox / name).write_text("{")
    assert intake.look_again_at() is None
    intake.arrived(names)
    fake_clock.advance(1.5)
    (inbox / "0.json").write_text('{"cadence": ')
    intake.arrived(["0.json"])
    assert intake.doubtful(10) == []
    fake_clock.advance(0.5)
    assert intake.look_again_at() == fake_clock.monotonic()
    assert intake.doubtful(3) == ["1.json", "2.json", "3.json"]
    intake.ingest(intake.doubtful(10))
    assert len(told) == 4
    assert os.listdir(inbox) == ["0.json"]
    assert intake.look_again_at() == fake_clock.monotonic() + 1.5
