"""Nothing leaves the home that was not written elsewhere first, whole and safe."""

from __future__ import annotations

import errno
import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.clock import rfc3339
from cadencebus.store import archive, files
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from tests.conftest import Witness

NOW = 1_800_000_000.0
DAY = "2026-11-21"


class Attic:
    """A home, and what was put away of it."""

    def __init__(self, home: Path) -> None:
        self.home, self.state = Home(str(home)), home / "state"
        self.day = self.state / "done" / DAY
        self.day.mkdir()

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Read an archive."""
        text = gzip.decompress((self.state / "archive" / name).read_bytes())
        return [json.loads(line) for line in text.splitlines()]

    @property
    def letters(self) -> list[dict[str, Any]]:
        """Read where letters went."""
        return [json.loads(line) for line in (self.state / "dead-archive.jsonl").read_text().splitlines()]


@pytest.fixture
def attic(home: Path) -> Attic:
    """Look after what is put away."""
    return Attic(home)


def test_finished_ticks_are_safe_elsewhere_before_they_go(attic: Attic, witness: Witness) -> None:
    """Content, name, folder; then they are removed, and nothing is left in tmp/."""
    for number in range(2):
        (attic.day / f"{number}.json").write_text(json.dumps({"n": number}))
    left: list[list[str]] = []
    whole = os.unlink

    def unlink(path: str, **more: Any) -> None:
        if path.startswith(str(attic.day)):
            left.append(list(witness.seen))
        whole(path, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        assert archive.put_away(attic.home, DAY, ["0.json", "1.json"]) == 2
    name = f"done-{DAY}.jsonl.gz"
    assert left[0][-1] == "sync archive", "removed only when that is done"
    assert witness.in_order("sync tmp/…", f"link archive/{name}", "sync archive")
    assert "sync state" in left[0], "the name of archive/ itself"
    assert attic.lines(name) == [{"file": f"{n}.json", "tick": {"n": n}} for n in range(2)]
    assert os.listdir(attic.day) == os.listdir(attic.state / "tmp") == []
    assert (attic.state / "archive" / name).stat().st_mode & 0o777 == 0o600


def test_a_day_may_have_several_archives(attic: Attic) -> None:
    """None is ever overwritten."""
    for number in range(3):
        (attic.day / f"{number}.json").write_text(json.dumps({"n": number}))
        archive.put_away(attic.home, DAY, [f"{number}.json"])
    names = sorted(os.listdir(attic.state / "archive"))
    assert names == [f"done-{DAY}.2.jsonl.gz", f"done-{DAY}.3.jsonl.gz", f"done-{DAY}.jsonl.gz"]
    assert attic.lines(f"done-{DAY}.3.jsonl.gz")[0]["tick"] == {"n": 2}


def test_large_ticks_are_taken_some_at_a_time(attic: Attic, monkeypatch: pytest.MonkeyPatch) -> None:
    """So much as fits; who calls again gets the rest."""
    monkeypatch.setattr(archive, "_AT_ONCE", 1)
    for number in range(2):
        (attic.day / f"{number}.json").write_text("{}")
    assert archive.put_away(attic.home, DAY, ["0.json", "1.json"]) == 1
    assert os.listdir(attic.day) == ["1.json"]


def test_what_is_no_tick_is_kept_as_the_bytes_that_it_is(attic: Attic) -> None:
    """A note, a name of strange bytes, a link: nothing of it is followed or lost."""
    (attic.day / "note.txt").write_text("a note")
    Path(os.fsdecode(bytes(attic.day) + b"/\xff.bin")).write_bytes(b"\xff\x00")
    (attic.day / "link").symlink_to("/etc/hostname")
    (attic.day / "lenient").write_text('{"usd": NaN}')
    (attic.day / "half").write_text('"\\ud800"')
    names = ["note.txt", os.fsdecode(b"\xff.bin"), "link", "gone", "lenient", "half"]
    archive.put_away(attic.home, DAY, names)
    note, strange, link, gone, lenient, half = attic.lines(f"done-{DAY}.jsonl.gz")
    assert note == {"file": "note.txt", "raw": {"text": "a note"}}
    assert strange == {"file": r"\xff.bin", "raw": {"base64": "/wA="}}
    assert link["raw"]["mode"].startswith("l")
    assert gone == {"file": "gone"}
    assert lenient == {"file": "lenient", "raw": {"text": '{"usd": NaN}'}}
    assert half == {"file": "half", "raw": {"text": '"\\ud800"'}}
    assert os.listdir(attic.day) == []
    assert Path("/etc/hostname").exists()


def test_what_the_disk_does_not_give_up_just_now_stays_where_it_is(
    attic: Attic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too many open files, an error of the disk: that says nothing of the file, and may be over tomorrow."""
    tick, letter = attic.day / "1.json", attic.state / "dead" / "2.json"
    for path in (tick, letter):
        path.write_text("{}")
    whole = files.read

    def read(path: str, limit: int) -> bytes:
        if path in {str(tick), str(letter)}:
            raise OSError(errno.EMFILE, "Too many open files", path)
        return whole(path, limit)

    monkeypatch.setattr(files, "read", read)
    with pytest.raises(OSError, match="Too many open files"):
        archive.put_away(attic.home, DAY, ["1.json"])
    with pytest.raises(OSError, match="Too many open files"):
        archive.take_out(attic.home, [archive.Leaving(path=str(letter), members={})], "purge", NOW)
    assert (tick.exists(), letter.exists()) == (True, True)


def test_a_days_journal_goes_a_piece_at_a_time(attic: Attic, witness: Witness) -> None:
    """Whole before it is removed; given up in the middle, it is where it was."""
    path = attic.state / "events" / f"{DAY}.jsonl"
    data = b'{"a": 1}\n' * 150_000
    path.write_bytes(data)
    begun = archive.put_away_journal(attic.home, DAY)
    next(begun)
    del begun
    assert path.read_bytes() == data
    assert os.listdir(attic.state / "tmp") == []
    assert len(list(archive.put_away_journal(attic.home, DAY))) == 2
    assert not path.exists()
    packed = attic.state / "archive" / f"events-{DAY}.jsonl.gz"
    assert gzip.decompress(packed.read_bytes()) == data
    assert witness.in_order("sync tmp/…", f"link archive/{packed.name}", "sync archive")


def test_letters_are_safe_elsewhere_before_they_go(attic: Attic, witness: Witness) -> None:
    """With their raw bytes, why and when they left; a torn last line is closed first."""
    dead = attic.state / "dead"
    (attic.state / "dead-archive.jsonl").write_text('{"torn": 1')
    for name in ("a.json", "b.json"):
        (dead / name).write_text("{}")
    (dead / "a.json.raw").write_text("rubbish")
    (dead / "c.json").write_text("{torn")
    leaving = [
        archive.Leaving(path=str(dead / "a.json"), members={"id": "a"}, more={"by": "me"}),
        archive.Leaving(path=str(dead / "b.json"), members={"id": "b"}),
        # What could not be read is not nothing.
        archive.Leaving(path=str(dead / "c.json"), members={}),
    ]
    archive.take_out(attic.home, leaving, "purge", NOW)
    text = (attic.state / "dead-archive.jsonl").read_text()
    assert text.startswith('{"torn": 1\n')
    lines = [json.loads(line) for line in text.splitlines()[1:]]
    told = {"at": rfc3339(NOW), "why": "purge"}
    assert lines == [
        {**told, "by": "me", "letter": {"id": "a"}, "raw": {"text": "rubbish"}},
        {**told, "letter": {"id": "b"}},
        {**told, "letter": None, "unread": {"text": "{torn"}},
    ]
    assert os.listdir(dead) == []
    assert witness.seen == ["sync dead-archive.jsonl", "sync dead"]
    archive.take_out(attic.home, [], "purge", NOW)
    assert (attic.state / "dead-archive.jsonl").read_text() == text


def test_the_first_letter_makes_the_name_safe_too(attic: Attic, witness: Witness) -> None:
    """Of the file that it went into."""
    archive.take_out(attic.home, [archive.Leaving(path="gone", members={})], "gc", NOW)
    assert witness.seen[:2] == ["sync dead-archive.jsonl", "sync state"]
    assert len(attic.letters) == 1


def test_raw_bytes_are_kept_up_to_a_size(attic: Attic) -> None:
    """To the byte; of what is larger its size is told."""
    path = attic.state / "dead" / "a.raw"
    path.write_bytes(b"12345")
    assert archive.kept_bytes(str(path), 5) == {"raw": {"text": "12345"}}
    assert archive.kept_bytes(str(path), 4) == {"raw": {"mode": "-rw-r--r--", "size": 5}}
    assert archive.kept_bytes(str(path) + "gone") == {}


def test_one_at_a_time_takes_things_out(attic: Attic) -> None:
    """Who would not wait is told that somebody is at it."""
    folder = str(attic.state / "dead")
    with archive.alone(folder) as first, archive.alone(folder, wait=False) as second:
        assert (first, second) == (True, False)
    with archive.alone(folder, wait=False) as third:
        assert third


def test_a_folder_goes_out_of_sight_at_one_blow(attic: Attic, witness: Witness) -> None:
    """With all that is in it, following no link; what half a removal left in the way goes, too."""
    run = attic.state / "runs" / "x.1"
    (run / "inner" / "shut").mkdir(parents=True)
    (run / "inner" / "shut" / "file").touch()
    (run / "link").symlink_to("/etc")
    (run / "inner" / "shut").chmod(0)
    (attic.state / "tmp" / f"{archive.LEAVING}x.1").mkdir()
    witness.seen.clear()
    archive.remove_folder(attic.home, str(run))
    assert witness.seen == [f"rename tmp/{archive.LEAVING}x.1"]
    assert os.listdir(attic.state / "runs") == os.listdir(attic.state / "tmp") == []
    archive.remove_folder(attic.home, str(run))
    archive.remove(str(run))
    assert Path("/etc").exists()
