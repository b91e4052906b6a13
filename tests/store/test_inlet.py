"""Putting in: in bulk at the price of a few, and never refused for what a killed producer left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from cadencebus.errors import CantCreate, TryLater
from cadencebus.model.naming import name_of
from cadencebus.store import files, inlet, together
from cadencebus.store.paths import FOLDERS, Home

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.model.naming import Name

NOW = 1_800_000_000.0


@pytest.fixture
def spool_home(tmp_path: Path) -> Home:
    """A home of folders alone."""
    home = Home(str(tmp_path))
    for folder in FOLDERS:
        os.makedirs(getattr(home, folder), mode=0o700)
    return home


def made(count: int) -> list[tuple[Name, bytes, None]]:
    """Make so many ticks of a cadence called x, ready to be put in."""
    ids = [inlet.new_id(NOW + n * 1e-6) for n in range(count)]
    return [(name_of(one, "x", 5), inlet.small_tick(one, "x", "cli", NOW), None) for one in ids]


def test_a_producer_that_was_killed_does_not_refuse_its_id_for_ever(spool_home: Home) -> None:
    """Half of the tick lies in tmp/: the retry is accepted whole."""
    ((name, data, _),) = made(1)
    with open(f"{spool_home.tmp}/{name.file}", "wb") as half:
        half.write(data[:10])
    inlet.put(spool_home, name, data)
    with open(f"{spool_home.inbox}/{name.file}", "rb") as file:
        assert file.read() == data


def test_an_id_that_waits_already_is_refused(spool_home: Home) -> None:
    """The name in inbox/ decides, and nothing is left beside it."""
    batch = made(1)
    inlet.put_all(spool_home, batch)
    with pytest.raises(CantCreate) as refused:
        inlet.put_all(spool_home, batch)
    assert refused.value.next_step == "give each tick an id of its own, or none"
    assert os.listdir(spool_home.tmp) == []


@pytest.mark.parametrize("way", ["file system", "each"])
def test_a_batch_is_synced_as_a_whole(spool_home: Home, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sync of the file system, or where there is none every single file; the folder once."""
    synced: list[int] = []
    monkeypatch.setattr(files, "sync", synced.append)
    monkeypatch.setattr(together, "_sync_file_system", lambda _folder: way == "file system")
    inlet.put_all(spool_home, made(100))
    assert len(synced) == 1 + (100 if way == "each" else 0)
    assert (len(os.listdir(spool_home.inbox)), os.listdir(spool_home.tmp)) == (100, [])


def test_a_batch_whose_sync_fails_is_not_there(spool_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes the data and loses it: refused, and nothing lies about."""

    def fail(_: object) -> bool:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(together, "_sync_file_system", fail)
    with pytest.raises(CantCreate):
        inlet.put_all(spool_home, made(100))
    assert os.listdir(spool_home.tmp) == os.listdir(spool_home.inbox) == []


def test_a_full_queue_is_full_for_everybody(spool_home: Home) -> None:
    """What does not fit is refused, what fits is not, and 0 is no limit."""
    inlet.put_all(spool_home, made(3))
    inlet.check_room(spool_home, 4, 1)
    inlet.check_room(spool_home, 0, 1000)
    with pytest.raises(TryLater):
        inlet.check_room(spool_home, 4, 2)
