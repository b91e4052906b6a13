"""Idempotency keys: who has one, for how long, and that it is safe before anything runs for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.model.tick import Tick
from cadencebus.store import dedupe
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Witness

NOW = 1_800_000_000.0


@pytest.fixture
def at(home: Path) -> Home:
    """A home without keys."""
    return Home(str(home))


def keyed(**changes: Any) -> Tick:
    """Make a tick with a key."""
    members: dict[str, Any] = {"id": new_id(NOW), "cadence": "x", "created_at": NOW, "key": "k"}
    return Tick(**members | changes)


def taken(at: Home, tick: Tick, when: float) -> None:
    """Let its key have been taken at that time."""
    path = dedupe.path_of(at, tick.cadence, tick.key or "")
    os.utime(path, (when, when), follow_symlinks=False)


def test_a_key_is_safe_once_it_is_taken(at: Home, witness: Witness) -> None:
    """A link, named by cadence and key, that points at the tick; then the folder's sync."""
    tick = keyed()
    assert dedupe.claim(at, tick, 60, NOW) is None
    (name,) = os.listdir(at.keys)
    assert os.readlink(f"{at.keys}/{name}") == tick.id
    assert witness.in_order(f"symlink keys/{name}", "sync keys")


def test_the_same_tick_goes_on_and_syncs_again(at: Home, witness: Witness) -> None:
    """Its link may never have been synced: a crash came between."""
    tick = keyed()
    dedupe.claim(at, tick, 60, NOW)
    taken(at, tick, NOW)
    witness.seen.clear()
    assert dedupe.claim(at, tick, 60, NOW) is None
    assert "sync keys" in witness.seen


def test_a_window_is_measured_by_one_clock(at: Home) -> None:
    """The disk's own may tell another time than the consumer's: a key was free again at once."""
    first = keyed()
    assert dedupe.claim(at, first, 60, NOW) is None
    assert dedupe.claim(at, keyed(id=new_id(NOW + 59)), 60, NOW + 59) == first.id
    assert dedupe.claim(at, keyed(id=new_id(NOW + 61)), 60, NOW + 61) is None


def test_who_has_the_key_inside_the_window_is_told(at: Home) -> None:
    """To its very end, and also where the clock stepped back; then the next one may have it."""
    first, second = keyed(), keyed()
    dedupe.claim(at, first, 60, NOW)
    for when in (NOW, NOW - 60, NOW + 1000):
        taken(at, first, when)
        assert dedupe.claim(at, second, 60, NOW) == first.id
    taken(at, first, NOW - 61)
    assert dedupe.claim(at, second, 60, NOW) is None
    taken(at, second, NOW)
    assert dedupe.claim(at, first, 60, NOW) == second.id


def test_keys_of_other_cadences_and_other_keys_are_others(at: Home) -> None:
    """And a tick without one takes none."""
    for tick in (keyed(), keyed(cadence="y"), keyed(key="l"), keyed(key="\ud800"), keyed(key=None)):
        assert dedupe.claim(at, tick, 60, NOW) is None
    assert len(os.listdir(at.keys)) == 4


@pytest.mark.parametrize("what", ["file", "folder", "link to no tick"])
def test_what_lies_there_and_is_no_key_is_set_aside_and_frees_it(at: Home, what: str) -> None:
    """A person's file, a restore that turned links into files; a folder let every tick have the key."""
    tick, path = keyed(), dedupe.path_of(at, "x", "k")
    if what == "file":
        with open(path, "w") as file:
            file.write("kept")
    elif what == "folder":
        os.mkdir(path)
    else:
        os.symlink("../../elsewhere", path)
    assert dedupe.claim(at, tick, 60, NOW) is None
    assert os.readlink(path) == tick.id
    assert dedupe.claim(at, keyed(), 60, NOW) == tick.id
    (aside,) = [name for name in os.listdir(at.keys) if ".corrupt-" in name]
    assert os.path.lexists(f"{at.keys}/{aside}")
    if what == "file":
        with open(f"{at.keys}/{aside}") as file:
            assert file.read() == "kept"


def test_a_disk_that_refuses_frees_no_key(at: Home) -> None:
    """It is waited out: who can't look must not run what has been done."""
    path = dedupe.path_of(at, "x", "k")
    os.symlink("somebody", path)
    folder = os.path.dirname(path)
    os.rename(folder, f"{at.state}/away")
    os.symlink("keys", folder)
    # A circle of links: whatever is looked up in it, it is ELOOP.
    with pytest.raises(OSError, match="Too many levels"):
        dedupe.claim(at, keyed(), 60, NOW)
    with pytest.raises(OSError, match="Too many levels"):
        dedupe._holder(path)
