"""What the bus remembers: each run applied once, and no two writers lose each other's money."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from cadencebus.store import memory as store_memory
from cadencebus.store.memory import Memories
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0
DAY = "2027-01-15"
AT = "2027-01-15T08:00:00.000000Z"
# What both a circuit and an outage are made of.
INCIDENT = {"length": 60.0, "failures": 3, "reason": "it failed", "tries": 3, "held": 0}


def test_what_many_book_at_once_is_exact(home: Path) -> None:
    """Each plan was made from the same old memory; the sum is made under the lock."""
    there = Home(str(home))

    def book(worker: int) -> None:
        mine = Memories(there)
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
    memory = Memories(there).load("_bus", NOW)
    assert memory["spent"][DAY] == pytest.approx(0.4)
    assert [memory[f"w{worker}"] for worker in range(4)] == [9] * 4


def test_a_link_in_the_place_of_a_memory_is_set_aside_and_not_followed(home: Path) -> None:
    """It is no trouble of the disk, which would hold the whole bus and be waited out for ever."""
    (home / "elsewhere").write_text('{"failures": 7}')
    path = home / "state" / "cadences" / "x.json"
    path.symlink_to(home / "elsewhere")
    said: list[str] = []
    assert Memories(Home(str(home)), said.append).load("x", NOW) == {}
    (aside,) = path.parent.iterdir()
    assert (aside.is_symlink(), aside.name.startswith("x.json.corrupt-")) == (True, True)
    assert "a symbolic link" in said[0]


@pytest.mark.parametrize("said", ["{", "[]", '{"failures": "many"}', '{"recent": ["yesterday"]}'])
def test_a_memory_that_cannot_be_read_is_set_aside_only_by_who_may_mend_it(home: Path, said: str) -> None:
    """Whoever only looks sees an empty one and leaves it; the consumer keeps it whole and says so."""
    there, told = Home(str(home)), list[str]()
    memory = Memories(there, told.append)
    assert memory.load("x", NOW) == {}
    path = home / "state" / "cadences" / "x.json"
    path.write_text(said)
    assert memory.load("x", NOW, mend=False) == {}
    assert (path.read_text(), told) == (said, [])
    assert memory.load("x", NOW) == {}
    assert not path.exists()
    (remark,) = told
    assert "cadences/x.json can't be read" in remark
    memory.change("x", NOW, {"n": 1})
    assert memory.load("x", NOW)["n"] == 1


def test_whose_memories_there_are_is_told_in_order(home: Path) -> None:
    """What is called otherwise is no memory, and a folder that is gone holds none."""
    memory = Memories(Home(str(home)))
    for name in ("b", "a"):
        memory.change(name, NOW, {"n": 1})
    cadences = home / "state" / "cadences"
    for litter in ("a.json.corrupt", "Not A Cadence.json", "notes"):
        (cadences / litter).write_text("")
    assert memory.names() == ["a", "b"]
    cadences.rename(home / "away")
    assert memory.names() == []


def test_so_many_runs_are_remembered_as_applied_and_the_oldest_go_first(home: Path) -> None:
    """Far more than can be settling at once; a memory does not grow for ever."""
    memory = Memories(Home(str(home)))
    for n in range(70):
        memory.change("x", NOW, {"n": n}, run=f"r{n}")
    assert memory.load("x", NOW)["applied"] == [f"r{n}" for n in range(6, 70)]


def test_a_memory_has_all_its_keys_from_the_first_failure_on(home: Path) -> None:
    """Who reads it with `jq` finds null where nothing is known yet; the bus has memories of its own kind."""
    memory = Memories(Home(str(home)))
    memory.change("x", 0.0, {"failures": 1}, run="a.1")
    memory.change("_bus", 0.0, {"no_resources": 1})
    known = json.loads((home / "state" / "cadences" / "x.json").read_text())
    keys = {"failures", "circuit", "streaks", "session_id", "last_ok_at", "last_run", "averages"}
    assert keys <= set(known)
    assert (known["failures"], known["last_ok_at"]) == (1, None)
    assert "streaks" not in memory.load("_bus", 0.0)


def test_what_was_just_written_is_known_until_somebody_else_writes(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the file has it, without reading it back; an edit by hand, or another process's, is seen."""
    memory = Memories(Home(str(home)))
    memory.change("x", NOW, {"failures": 1, "streaks": {"crash": 1}, "pair": (1, 2)})
    file = home / "state" / "cadences" / "x.json"
    written = json.loads(file.read_text())
    with monkeypatch.context() as patch:
        patch.setattr(store_memory, "load_object", lambda _path: pytest.fail("it was read back"))
        assert memory.load("x", NOW) == written
    Memories(Home(str(home))).change("x", NOW, {"failures": 0})
    assert memory.load("x", NOW)["failures"] == 0
    file.write_text(json.dumps(written | {"failures": 12}))
    assert memory.load("x", NOW)["failures"] == 12


@pytest.mark.parametrize(("name", "key"), [("x", "circuit"), ("_bus", "network")])
def test_what_a_newer_version_remembers_inside_an_incident_stays_as_long_as_that(
    home: Path, name: str, key: str
) -> None:
    """A rule writes a circuit, an outage whole; what it does not know of it goes when it is over."""
    memory = Memories(Home(str(home)))
    memory.change(name, NOW, {key: {"since": AT, "until": AT, **INCIDENT, "told": ["ann"]}})
    memory.change(name, NOW, {key: {"since": AT, "until": AT, **INCIDENT, "tries": 4}}, run="r.1")
    assert memory.load(name, NOW)[key]["told"] == ["ann"]
    assert memory.load(name, NOW)[key]["tries"] == 4
    memory.change(name, NOW, {key: None}, run="r.2")
    memory.change(name, NOW, {key: {"since": AT, "until": AT, **INCIDENT}}, run="r.3")
    assert "told" not in memory.load(name, NOW)[key]
