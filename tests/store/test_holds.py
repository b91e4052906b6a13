"""Holds: one file each, and what a person did with them is respected."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.model.hold import Hold
from cadencebus.store import holds as holds_module
from cadencebus.store.holds import Holds
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Witness

NOW = 1_800_000_000.0
NETWORK = Hold(scope="bus", reason="network", since=NOW, until=NOW + 60, detail="away")


@pytest.fixture
def holds(home: Path) -> Holds:
    """Look after the holds of a home."""
    return Holds(Home(str(home)))


def shown(holds: Holds, now: float = NOW) -> list[str]:
    """Look at the folder, as the consumer does each turn."""
    return [hold.file for hold in holds.all(now)]


def test_a_hold_is_a_file_that_is_safe_when_it_is_set(home: Path, holds: Holds, witness: Witness) -> None:
    """Read back as it was set, in the order of the names; the same one again replaces it."""
    holds.set(replace(NETWORK, scope="cadence-b"))
    holds.set(NETWORK)
    assert witness.in_order("sync tmp/…", "rename holds/cadence-b.network.json", "sync holds")
    longer = replace(NETWORK, until=NOW + 600)
    holds.set(longer)
    assert shown(holds) == ["bus.network.json", "cadence-b.network.json"]
    found = holds.all(NOW)[0]
    assert (found.until, found.detail, found.since) == (NOW + 600, "away", NOW)
    assert holds.known == holds.all(NOW)
    assert os.listdir(home / "state" / "tmp") == []


def test_one_that_need_not_last_is_not_synced(holds: Holds, witness: Witness) -> None:
    """What is set anew every second may be lost."""
    holds.set(NETWORK, durable=False)
    assert not [one for one in witness.seen if one.startswith("sync")]
    assert shown(holds) == ["bus.network.json"]


def test_an_edited_hold_is_read_anew(home: Path, holds: Holds) -> None:
    """Even one of the same size."""
    path = home / "state" / "holds" / "bus.paused.json"
    path.write_text('{"detail": "one"}')
    assert holds.all(NOW)[0].detail == "one"
    path.write_text('{"detail": "two"}')
    os.utime(path, ns=(1, 1))
    assert holds.all(NOW)[0].detail == "two"


def test_what_is_no_hold_holds_nothing_and_what_cant_be_read_holds_all(home: Path, holds: Holds) -> None:
    """Until somebody removes it."""
    folder = home / "state" / "holds"
    (folder / "notes.txt").touch()
    (folder / ".hidden.json").touch()
    (folder / "bus.paused.json").write_text("{")
    (folder / "cadence-x.config.json").symlink_to("nowhere")
    assert shown(holds) == ["bus.paused.json", "cadence-x.config.json"]
    assert all("can't be read" in hold.detail for hold in holds.all(NOW))


@pytest.mark.parametrize("refused", [errno.EIO, errno.EMFILE])
def test_a_hold_that_the_disk_does_not_let_read_holds_and_is_looked_at_again(
    holds: Holds, monkeypatch: pytest.MonkeyPatch, refused: int
) -> None:
    """Nobody need remove it: whoever drains the home waits, as for everything else that a disk refuses."""
    holds.set(replace(NETWORK, until=NOW + 600))

    def refuses(*_: object) -> None:
        raise OSError(refused, os.strerror(refused))

    with monkeypatch.context() as patch:
        patch.setattr(holds_module, "load_object", refuses)
        (hold,) = holds.all(NOW)
        (later,) = holds.all(NOW + 5)
    assert (hold.file, hold.lasting, hold.own) == (NETWORK.file, False, False)
    assert (hold.until, later.until) == (NOW + 1, NOW + 6)
    assert os.strerror(refused) in hold.detail
    assert holds.all(NOW)[0].until == NOW + 600


def test_what_the_bus_is_releasing_just_now_is_not_taken_for_released_by_a_person(
    holds: Holds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop looks into the folder while a run's end removes a file from it."""
    holds.set(NETWORK)
    unlink = os.unlink

    def looked_at_first(path: str) -> None:
        assert shown(holds) == [NETWORK.file]
        unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", looked_at_first)
        assert holds.release(NETWORK.file)
    assert shown(holds) == []
    assert not holds.spared(NETWORK.file, NOW)
    holds.set(NETWORK)
    assert shown(holds) == [NETWORK.file]
    os.unlink(f"{holds._home.holds}/{NETWORK.file}")
    assert shown(holds) == []
    assert holds.spared(NETWORK.file, NOW), "and a person's release is one"


def test_a_release_says_whether_there_was_anything(holds: Holds) -> None:
    """Twice is once."""
    holds.set(NETWORK)
    assert holds.release(NETWORK.file)
    assert not holds.release(NETWORK.file)
    assert shown(holds) == []


def test_a_hold_that_cant_be_written_holds_all_the_same(home: Path, holds: Holds) -> None:
    """In memory, until its file can be; a release releases that one, too."""
    folder = home / "state" / "holds"
    (home / "state" / "tmp").rename(home / "away")
    with pytest.raises(FileNotFoundError):
        holds.set(NETWORK)
    assert shown(holds) == ["bus.network.json"]
    assert holds.release(NETWORK.file)
    assert shown(holds) == []
    holds.remember(NETWORK)
    (home / "away").rename(home / "state" / "tmp")
    holds.set(NETWORK)
    assert shown(holds) == ["bus.network.json"], "once, not twice"
    (folder / "bus.network.json").unlink()
    assert shown(holds) == []
    holds.remember(NETWORK)
    holds.forget(NETWORK.file)
    holds.forget(NETWORK.file)
    assert shown(holds) == []


def test_what_a_person_released_is_spared_for_a_while(home: Path, holds: Holds) -> None:
    """Five minutes, unless what sets it began after that; the bus's own release spares nothing."""
    holds.set(NETWORK)
    shown(holds)
    (home / "state" / "holds" / "bus.network.json").unlink()
    shown(holds, NOW + 10)
    file = NETWORK.file
    assert holds.spared(file, NOW + 10)
    assert holds.spared(file, NOW + 309.9)
    assert not holds.spared(file, NOW + 310)
    assert not holds.spared(file, NOW + 9), "a clock that stepped back"
    assert holds.spared(file, NOW + 11, known=NOW + 9.9)
    assert not holds.spared(file, NOW + 11, known=NOW + 10)
    assert not holds.spared("bus.load.json", NOW + 11)


def test_what_the_bus_released_may_be_set_again_at_once(holds: Holds) -> None:
    """It was over, and is there again; a person who removes it after that is heard once more."""
    holds.set(NETWORK)
    shown(holds)
    holds.release(NETWORK.file)
    shown(holds)
    assert not holds.spared(NETWORK.file, NOW)
    holds.set(NETWORK)
    shown(holds)
    os.unlink(f"{holds._home.holds}/{NETWORK.file}")
    shown(holds)
    assert holds.spared(NETWORK.file, NOW)


def test_a_hold_that_stands_is_told_of_once_a_minute(holds: Holds) -> None:
    """News are: a new one, another reason, a minute, a clock that stepped back."""
    assert holds.worth_telling(NETWORK, NOW)
    assert holds.worth_telling(NETWORK, NOW + 1), "it does not stand yet"
    holds.set(NETWORK)
    shown(holds)
    assert not holds.worth_telling(NETWORK, NOW + 1)
    assert not holds.worth_telling(NETWORK, NOW + 60.9)
    assert holds.worth_telling(replace(NETWORK, detail="another"), NOW + 2)
    assert holds.worth_telling(replace(NETWORK, reason="load"), NOW + 2)
    assert holds.worth_telling(NETWORK, NOW + 62)
    assert holds.worth_telling(NETWORK, NOW + 61)
