"""The waist: what any spool must do. A second implementation passes these tests or is none."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import rfc3339
from cadencebus.model.naming import parse_name
from cadencebus.model.tick import BadTick, Tick
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import FOLDERS, Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool with nothing in it."""
    home = Home(str(tmp_path))
    for folder in FOLDERS:
        os.makedirs(getattr(home, folder), mode=0o700)
    return Spool(home)


def tick(**changes: object) -> Tick:
    """Make a tick of a cadence called x."""
    members: dict[str, object] = {"id": new_id(NOW), "cadence": "x", "created_at": NOW}
    return Tick(**(members | changes))  # type: ignore[arg-type]


def where(spool: Spool, one: Tick) -> list[str]:
    """Find every folder in which a tick lies."""
    return [
        os.path.relpath(folder, spool.home.state)
        for folder, _, files in os.walk(spool.home.state)
        if any(name.endswith(f"{one.id[-8:]}.json") for name in files)
    ]


def test_what_is_put_can_be_read_and_lies_in_one_place(spool: Spool) -> None:
    """A put tick comes back as it was."""
    one = tick(payload={"a": [1, 2.5, "ü"]}, key="k", hops=3)
    spool.put([one], NOW)
    assert where(spool, one) == ["inbox"]
    assert spool.read("inbox", one.name.file) == one


@pytest.mark.parametrize("kind", ["folder", "pipe", "socket", "link"])
def test_what_is_no_file_is_refused_unopened(
    spool: Spool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket can't be opened at all: that is a bad tick and no disk in trouble, whatever its name."""
    file = tick().name.file
    monkeypatch.chdir(spool.home.inbox)
    if kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(file)
    elif kind == "link":
        os.symlink("/etc/passwd", file)
    else:
        {"folder": os.mkdir, "pipe": os.mkfifo}[kind](file)
    with pytest.raises(BadTick, match="not a regular file but") as refused:
        spool.read("inbox", file)
    assert refused.value.code == "not_a_file"


def test_many_are_put_all_or_none(spool: Spool) -> None:
    """One name that is taken refuses the whole batch, and nothing of it is visible."""
    first, second = tick(), tick()
    spool.put([second], NOW)
    with pytest.raises(Exception, match="nothing was accepted"):
        spool.put([first, second], NOW)
    assert where(spool, first) == []
    assert where(spool, second) == ["inbox"]
    assert os.listdir(spool.home.tmp) == []


def test_a_claim_takes_what_is_there_and_passes_over_what_is_gone(spool: Spool) -> None:
    """Losing a race is an answer, not an error."""
    one, gone = tick(), tick()
    spool.put([one], NOW)
    assert spool.claim([gone.name.file, one.name.file]) == [one.name.file]
    assert spool.claim([one.name.file]) == []
    assert where(spool, one) == ["claimed"]


def test_a_claim_never_overwrites(spool: Spool) -> None:
    """A tick whose name is in use in claimed/ stays where it is."""
    one = tick()
    spool.put([one], NOW)
    spool.claim([one.name.file])
    spool.put([one], NOW)
    assert spool.claim([one.name.file]) == []
    assert sorted(where(spool, one)) == ["claimed", "inbox"]


@pytest.mark.parametrize(
    ("verb", "place"), [("finish", "done/2027-01-15"), ("entomb", "dead"), ("again", "inbox")]
)
def test_a_claimed_tick_leaves_to_one_place(spool: Spool, verb: str, place: str) -> None:
    """Done, dead or again: one rename."""
    one = tick()
    spool.put([one], NOW)
    spool.claim([one.name.file])
    spool.commit([one.ended({"status": "ok", "finished_at": rfc3339(NOW)})])
    arguments = ([one.name.file], NOW) if verb == "finish" else ([one.name.file],)
    getattr(spool, verb)(*arguments)
    assert where(spool, one) == [place]
    getattr(spool, verb)(*arguments)
    assert where(spool, one) == [place], "doing it again changes nothing"


def test_a_deferred_tick_waits_in_due_order_and_comes_back_under_its_own_name(spool: Spool) -> None:
    """`ls deferred/` is what is due next."""
    late, soon = tick(not_before=NOW + 900), tick(not_before=NOW + 60)
    spool.put([late, soon], NOW)
    names = sorted(spool.names("deferred"))
    assert [name.partition("~")[2] for name in names] == [soon.name.file, late.name.file]
    assert spool.promote(names[:1]) == [soon.name.file]
    assert where(spool, soon) == ["inbox"]
    assert spool.defer(soon.name.file, NOW + 5).startswith("20270115T080005.000000Z~")


def test_only_strict_json_is_a_tick(spool: Spool) -> None:
    """What is refused says why, in words."""
    one = tick()
    path = f"{spool.home.inbox}/{one.name.file}"
    for content, code in {
        b"{": "not_json",
        b"[1]": "not_an_object",
        b'{"cadence": "x", "cadence": "y"}': "not_json",
        b'{"cadence": "x", "priority": NaN}': "not_json",
        b'{"cadence": "\xff"}': "not_utf8",
        b'\xef\xbb\xbf{"cadence": "x"}': "not_json",
        b'{"cadence": "x", "priority": true}': "wrong_type",
        b'{"cadence": "x", "priority": 10}': "bad_value",
        b'{"cadence": "../x"}': "bad_cadence",
        b'{"cadence": "x", "id": null}': "bad_id",
        b'{"cadence": "x", "schema": 2}': "unsupported_schema",
        b'{"cadence": "x", "hops": 17}': "too_many_hops",
        b'{"cadence": "x", "payload": ' + b'{"a":' * 64 + b"1" + b"}" * 65: "too_deep",
    }.items():
        with open(path, "wb") as file:
            file.write(content)
        with pytest.raises(BadTick) as refused:
            spool.read("inbox", one.name.file)
        assert refused.value.code == code, content


def test_a_name_is_taken_apart_only_if_it_is_canonical() -> None:
    """The name is the authority for id, priority and stamp."""
    name = parse_name("3-20261121T023000.123456Z-inbox-triage-7f3k9q2m.json")
    assert name is not None
    assert (name.priority, name.id, name.cadence) == (3, "20261121T023000.123456Z-7f3k9q2m", "inbox-triage")
    for wrong in (
        "x.json",
        "3-20261321T023000.123456Z-x-7f3k9q2m.json",
        "3-20261121T023000.123456Z-x-7f3k9q2i.json",
        "3-20261121T023000.123456Z-X-7f3k9q2m.json",
        "3-20261121T023000.123456Z--7f3k9q2m.json",
        "3-20261121T023000.123456Z-a..b-7f3k9q2m.json",
    ):
        assert parse_name(wrong) is None, wrong
