"""Putting in: in bulk at the price of a few, and never refused for what a killed producer left."""

from __future__ import annotations

import errno
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import parse_rfc3339, rfc3339, stamp
from cadencebus.errors import CantCreate, IOTrouble, TryLater
from cadencebus.model.naming import name_of
from cadencebus.store import files, inlet, together
from cadencebus.store.paths import FOLDERS, Home

if TYPE_CHECKING:
    from cadencebus.model.naming import Name
    from tests.conftest import Witness

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


def test_a_small_tick_says_what_it_was_told(spool_home: Home) -> None:
    """And nothing else: what is not said is the cadence's to say."""
    before = time.time()
    plain = inlet.put_small(spool_home, "x")
    told = json.loads(Path(spool_home.inbox, f"5-{plain[:-9]}-x-{plain[-8:]}.json").read_text())
    assert before - 1 <= parse_rfc3339(told.pop("created_at")) <= time.time()
    assert told == {"schema": 1, "id": plain, "cadence": "x", "source": "cli"}
    inlet.put_small(spool_home, "y", source="cron", priority=0, more=', "payload": {"a": 1}')
    (file,) = (name for name in os.listdir(spool_home.inbox) if "-y-" in name)
    told = json.loads(Path(spool_home.inbox, file).read_text())
    assert (file[0], told["priority"], told["source"], told["payload"]) == ("0", 0, "cron", {"a": 1})
    assert len({inlet.new_id(before) for _ in range(50)}) == 50


def test_a_tick_for_later_waits_in_deferred(spool_home: Home) -> None:
    """Under its due time; one whose time has come is ready."""
    later, past = time.time() + 60, time.time() - 60
    inlet.put_small(spool_home, "x", not_before=later)
    inlet.put_small(spool_home, "x", not_before=past)
    (waits,) = os.listdir(spool_home.deferred)
    (ready,) = os.listdir(spool_home.inbox)
    assert waits.startswith(f"{stamp(later)}~5-")
    for path, at in ((f"{spool_home.deferred}/{waits}", later), (f"{spool_home.inbox}/{ready}", past)):
        assert json.loads(Path(path).read_text())["not_before"] == rfc3339(at)


def test_accepted_means_safe(home: Path, witness: Witness) -> None:
    """The data before the name, the name before the answer; then tmp/ is clean."""
    inlet.put_small(Home(str(home)), "x")
    (file,) = os.listdir(home / "state" / "inbox")
    assert witness.seen == [f"sync tmp/{file}", f"link inbox/{file}", "sync inbox"]
    assert os.listdir(home / "state" / "tmp") == []


def test_what_cannot_be_written_is_refused_and_not_there(spool_home: Home) -> None:
    """73 and the name of what refused, before anything had a name."""
    os.rmdir(spool_home.tmp)
    with pytest.raises(
        CantCreate, match=r"tmp/.*: No such file or directory: nothing was accepted"
    ) as refused:
        inlet.put_small(spool_home, "x")
    assert refused.value.next_step
    assert os.listdir(spool_home.inbox) == []


def test_what_has_no_folder_to_go_to_is_refused(spool_home: Home) -> None:
    """And nothing is left beside it."""
    os.rmdir(spool_home.inbox)
    with pytest.raises(CantCreate, match=r"No such file or directory: nothing was accepted") as refused:
        inlet.put_small(spool_home, "x")
    assert "enqueue again" in str(refused.value.next_step)
    assert os.listdir(spool_home.tmp) == []


def test_what_has_a_file_where_it_is_to_be_written_is_refused(spool_home: Home) -> None:
    """Nothing can be visible yet: that is a refusal, not a don't-know."""
    os.rmdir(spool_home.tmp)
    Path(spool_home.tmp).touch()
    with pytest.raises(CantCreate, match=r"Not a directory: nothing was accepted"):
        inlet.put_small(spool_home, "x")


def test_a_folder_that_cannot_be_synced_leaves_it_open(
    spool_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """74: the name is there, and nobody knows whether it stays."""

    def refused(path: str) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    monkeypatch.setattr(files, "sync_folder", refused)
    with pytest.raises(IOTrouble, match=r"inbox: Input/output error after it was named"):
        inlet.put_small(spool_home, "x")
    assert len(os.listdir(spool_home.inbox)) == 1


def test_a_batch_of_which_one_is_already_gone_is_not_called_refused(
    spool_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of it was taken, and the consumer was faster with another: some may run."""
    batch = made(3)
    inlet.put_all(spool_home, batch[2:])
    whole = os.link

    def link(source: str, target: str, **more: Any) -> None:
        whole(source, target, **more)
        if batch[0][0].file in target:
            os.unlink(target)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(IOTrouble, match="may already run"):
        inlet.put_all(spool_home, batch)
    assert os.listdir(spool_home.inbox) == [batch[2][0].file]
    assert os.listdir(spool_home.tmp) == []
