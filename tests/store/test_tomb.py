"""Burying: the bytes first, then the letter that says why; nothing is lost between the two."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.model.naming import parse_name
from cadencebus.model.tick import BadTick, Tick
from cadencebus.store import tomb
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from tests.conftest import Witness

NOW = 1_800_000_000.0
FAULT = BadTick("not_json", "cut off")


class Graves:
    """An inbox with rubbish in it, and the graves."""

    def __init__(self, home: Path) -> None:
        self.home = Home(str(home))
        self.inbox, self.dead = home / "state" / "inbox", home / "state" / "dead"

    def bury(self, file: str, data: str = "{", fault: BadTick = FAULT) -> dict[str, Any]:
        """Bury what somebody wrote, and read the letter."""
        (self.inbox / file).write_text(data)
        name = tomb.bury(self.home, "inbox", file, fault, NOW)
        assert name is not None
        assert not (self.inbox / file).exists()
        assert (self.dead / f"{name.file}.raw").read_text() == data
        return self.letter(name.file)

    def letter(self, file: str) -> dict[str, Any]:
        """Read a letter."""
        return json.loads((self.dead / file).read_text())  # type: ignore[no-any-return]


@pytest.fixture
def graves(home: Path) -> Graves:
    """Look after the graves of a home."""
    return Graves(home)


def test_the_bytes_move_first_and_both_are_safe(graves: Graves, witness: Witness) -> None:
    """A crash between leaves bytes without a letter, which can be written; dead/ is safe before inbox/."""
    file = f"5-{new_id(NOW)[:23]}-x-7f3k9q2m.json"
    graves.bury(file)
    assert witness.in_order(f"rename dead/{file}.raw", f"sync tmp/{file}", f"link dead/{file}", "sync dead")
    assert witness.seen[-2:] == ["sync dead", "sync inbox"]
    assert os.listdir(graves.home.tmp) == []


def test_a_letter_says_what_it_was_and_why_and_how_to_mend_it(graves: Graves) -> None:
    """What could be read of it is shown; what makes no sense is not."""
    letter = graves.bury(
        "mine\n.json", '{"cadence": "x", "source": "cron", "payload": {"a": 1}, "hops": "?"}'
    )
    assert (letter["cadence"], letter["source"], letter["payload"]) == ("x", "cron", {"a": 1})
    assert letter["file"] == "mine\\n.json"
    outcome = letter["outcome"]
    assert (outcome["status"], outcome["class"], outcome["reason"]) == ("dead", "not_json", "cut off")
    assert outcome["finished_at"] == "2027-01-15T08:00:00.000000Z"
    assert letter["id"] in outcome["cure"]
    assert (graves.dead / outcome["raw"]).exists()
    letter = graves.bury("b.json", '{"cadence": "../x", "source": 1, "payload": []}')
    assert (letter["cadence"], letter["source"], letter["payload"]) == ("unknown", "file", {})
    for text in ("[1]", "{"):
        letter = graves.bury("c.json", text)
        assert (letter["cadence"], letter["priority"]) == ("unknown", 5)
    assert "prompt file" in graves.bury("d.json", "{}", BadTick("unknown_cadence", "?"))["outcome"]["cure"]


def test_the_letter_of_a_whole_tick_keeps_its_past(graves: Graves) -> None:
    """Its prompt was removed after two runs of it: they are what an operator wants to know."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW - 600)
    for klass in ("timeout", "exit"):
        tick = tick.tried({"run": f"{tick.id}.{len(tick.attempts) + 1}", "class": klass})
    letter = graves.bury(tick.name.file, tick.bytes().decode(), BadTick("unknown_cadence", "no prompt"))
    assert [attempt["class"] for attempt in letter["attempts"]] == ["timeout", "exit"]
    assert letter["created_at"] == tick.dump()["created_at"]
    asked = {"key": "k", "force": True, "hops": 17, "expires_at": "2026-11-21T02:30:00Z"}
    looped = graves.bury("l.json", json.dumps({"cadence": "x", **asked}), BadTick("too_many_hops", "17"))
    assert {key: looped[key] for key in asked} == asked, "it said: no key, no force, 0 hops"
    assert graves.bury("h.json", '{"cadence": "x", "key": "k", "hops": "17"}')["key"] is None
    strange = graves.bury("e.json", '{"cadence": "x", "attempts": [1], "created_at": 5}')
    assert (strange["attempts"], strange["created_at"]) == ([], strange["outcome"]["finished_at"])


def test_a_letter_bears_the_name_of_its_tick_once(graves: Graves) -> None:
    """Waiting or deferred; a second one of that name gets another, and so does a twin, at once."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW, priority=3)
    own, text = tick.name.file, tick.bytes().decode()
    assert graves.bury(own, text)["id"] == tick.id
    second = graves.bury(own, text)
    assert second["id"] != tick.id
    assert second["origin_id"] == tick.id
    assert (second["priority"], second["cadence"]) == (3, "x")
    other = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    late = f"20991231T000000.000000Z~{other.name.file}"
    assert graves.bury(late, other.bytes().decode())["id"] == other.id
    twin = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    letter = graves.bury(twin.name.file, twin.bytes().decode(), BadTick("duplicate_id", "there"))
    assert letter["id"] != twin.id
    assert letter["origin_id"] == twin.id


def test_bytes_alone_take_a_name_too(graves: Graves) -> None:
    """A letter was purged by hand, its bytes were not."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    (graves.dead / f"{tick.name.file}.raw").write_text("older")
    assert graves.bury(tick.name.file)["id"] != tick.id
    assert (graves.dead / f"{tick.name.file}.raw").read_text() == "older"


def test_what_is_gone_is_not_buried(graves: Graves) -> None:
    """Its producer took it back: no letter tells of it."""
    assert tomb.bury(graves.home, "inbox", "gone.json", FAULT, NOW) is None
    assert os.listdir(graves.dead) == []


def test_what_a_killed_burial_left_in_tmp_is_no_hindrance(graves: Graves) -> None:
    """Half a letter under the very name."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    Path(graves.home.tmp, tick.name.file).write_text("half")
    assert graves.bury(tick.name.file)["id"] == tick.id


def test_letters_that_a_crash_kept_from_their_bytes_are_written(graves: Graves, witness: Witness) -> None:
    """The reason is found again in the bytes, where they still have one."""
    tick, rubbish, had = (Tick(id=new_id(NOW), cadence="x", created_at=NOW) for _ in range(3))
    (graves.dead / f"{tick.name.file}.raw").write_bytes(tick.bytes())
    (graves.dead / f"{rubbish.name.file}.raw").write_text("{")
    for end in ("", ".raw"):
        (graves.dead / f"{had.name.file}{end}").write_text("{}")
    (graves.dead / "notes.json.raw").touch()
    (graves.dead / "notes.raw").touch()
    written = tomb.complete(graves.home, os.listdir(graves.dead), 1 << 20, NOW)
    assert sorted(written) == sorted([tick.name.file, rubbish.name.file])
    assert graves.letter(tick.name.file)["outcome"]["class"] == "recovered"
    assert graves.letter(rubbish.name.file)["outcome"]["class"] == "not_json"
    assert graves.letter(had.name.file) == {}
    assert witness.seen[-1] == "sync dead"
    witness.seen.clear()
    assert tomb.complete(graves.home, os.listdir(graves.dead), 1 << 20, NOW) == []
    assert witness.seen == []


def test_a_tick_is_read_if_it_is_a_file_and_small_enough(graves: Graves) -> None:
    """To the byte; what is no regular file is never opened."""
    tick = Tick(id=new_id(NOW), cadence="x", created_at=NOW)
    path = graves.inbox / tick.name.file
    path.write_bytes(tick.bytes())
    size = path.stat().st_size
    assert tomb.examine(str(path), size)["id"] == tick.id
    with pytest.raises(BadTick) as fault:
        tomb.examine(str(path), size - 1)
    assert fault.value.code == "too_big"
    with pytest.raises(FileNotFoundError):
        tomb.examine(str(graves.inbox / "gone"), size)


def test_what_is_no_regular_file_is_called_by_its_name(graves: Graves) -> None:
    """And buried whole, as it is."""
    os.mkfifo(graves.inbox / "fifo.json")
    (graves.inbox / "folder.json").mkdir()
    (graves.inbox / "link.json").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as line:
        here = os.getcwd()
        os.chdir(graves.inbox)
        line.bind("socket.json")
        os.chdir(here)
    for name in ("a FIFO", "a folder", "a symbolic link", "a socket"):
        file = f"{name.split()[-1].lower()}.json"
        with pytest.raises(BadTick, match=name) as fault:
            tomb.examine(str(graves.inbox / file), 1 << 20)
        assert fault.value.code == "not_a_file"
        buried = tomb.bury(graves.home, "inbox", file, fault.value, NOW)
        assert buried is not None
        assert parse_name(buried.file)
        assert os.path.lexists(graves.dead / f"{buried.file}.raw")


def test_a_letter_of_what_is_too_big_does_not_read_it(graves: Graves) -> None:
    """Nor of what is no file: whose it was is not known."""
    letter = graves.bury("big.json", '{"cadence": "x"}', BadTick("too_big", "9 MiB"))
    assert letter["cadence"] == "unknown"
    assert "payload" in letter["outcome"]["cure"]


def test_a_folder_that_is_shut_is_moved_all_the_same(graves: Graves) -> None:
    """Whoever is not root may move a folder elsewhere only where it may be written."""
    (graves.inbox / "x.json").mkdir(mode=0)
    assert tomb.bury(graves.home, "inbox", "x.json", BadTick("not_a_file", "a folder"), NOW) is not None
    assert not (graves.inbox / "x.json").exists()
