"""The journal's files: what lies in the way of one is set aside, and what is none is not read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import day
from cadencebus.store import journal
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
FACT = {"event": "tick.done", "tick": "20261121T023000.123456Z-7f3k9q2m"}


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_what_can_be_no_journal_is_set_aside_and_the_day_goes_on(home: Path, kind: str) -> None:
    """The bus stood still for as long as a folder bore the day's name; a link led out of the home."""
    path = home / "state" / "events" / f"{day(NOW)}.jsonl"
    if kind == "link":
        path.symlink_to(home / "elsewhere")
    else:
        {"folder": os.mkdir, "pipe": os.mkfifo}[kind](path)
    assert journal.days(Home(str(home))) == []
    written = journal.Journal(Home(str(home)))
    written.write(NOW, [FACT], durable=True)
    written.close()
    assert [line["tick"] for line in journal.read(Home(str(home)))] == [FACT["tick"]]
    assert len(list(path.parent.glob(f"{path.name}.corrupt-*"))) == 1
    assert not (home / "elsewhere").exists()


def test_what_is_no_day_of_done_is_not_entered(home: Path) -> None:
    """A note beside the days, or a link with a day's name, kept every consumer from starting."""
    done = home / "state" / "done"
    (done / "2026-11-2x").write_text("a note")
    (done / "2026-11-20").write_text("a note")
    (done / "2026-11-19").symlink_to("/etc")
    (done / "2026-11-21").mkdir()
    assert Spool(Home(str(home))).done_days() == ["2026-11-21"]
