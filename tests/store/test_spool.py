"""The waist: what any spool must do. A second implementation passes these tests or is none."""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import rfc3339
from cadencebus.model.naming import parse_name
from cadencebus.model.tick import BadTick, Misnamed, Tick
from cadencebus.store import glance
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import FOLDERS, Home
from cadencebus.store.spool import MIB, Spool

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


def test_what_the_loop_does_waits_for_no_stopped_program(spool: Spool) -> None:
    """An `edit` that was stopped (Ctrl-Z) has the lock on inbox/: the runs are looked after all the same."""
    late, early = tick(not_before=NOW + 60), tick()
    spool.put([late, early], NOW)
    other = early.name.at(9).file
    with ThreadPoolExecutor() as loop, spool.moving():
        promoted = loop.submit(spool.promote, os.listdir(spool.home.deferred))
        renamed = loop.submit(spool.rename, "inbox", early.name.file, other)
        for work in (promoted, renamed):
            with pytest.raises(BlockingIOError, match="locked"):
                work.result(10)
    assert spool.rename("inbox", early.name.file, other)
    assert spool.promote(os.listdir(spool.home.deferred)) == [late.name.file]


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


def test_where_a_tick_ended_is_found_under_any_priority(spool: Spool) -> None:
    """In dead/ and in every day since its own; what only lies in done/ under another day is not it."""
    one, other = tick(priority=3), tick()
    spool.put([one, other], NOW)
    assert (spool.ended(one.name), spool.elsewhere(one.name), spool.finished(one.name)) == (None, None, None)
    spool.claim([one.name.file, other.name.file])
    # Under its very name it is not elsewhere; under another priority it is.
    assert spool.elsewhere(one.name) is None
    for priority in (0, 9):
        assert spool.elsewhere(one.name.at(priority)) == "claimed"
    spool.finish([one.name.file], NOW + 2 * 86400)
    spool.entomb([other.name.file])
    assert spool.done_days() == ["2027-01-17"]
    for priority in (0, 3, 9):
        assert spool.ended(one.name.at(priority)) == "done/2027-01-17"
        assert spool.elsewhere(one.name.at(priority)) == "done/2027-01-17"
    assert spool.finished(one.name) == "done/2027-01-17"
    assert spool.finished(one.name.at(0)) is None, "only under its own name"
    assert spool.ended(other.name) == "dead"
    assert spool.finished(other.name) is None


def test_days_before_a_ticks_own_are_not_searched(spool: Spool) -> None:
    """Nothing can have ended before it was made; a file or a link that is called like a day is none."""
    one = tick()
    spool.put([one], NOW)
    spool.claim([one.name.file])
    spool.finish([one.name.file], NOW - 86400)
    assert (spool.ended(one.name), spool.finished(one.name)) == (None, None)
    for folder in ("2027-01-15", "2027-01-16"):
        os.symlink("/", f"{spool.home.done}/{folder}")
    os.mkdir(f"{spool.home.done}/2027-01-17.old")
    with open(f"{spool.home.done}/2027-01-18", "w", encoding="utf-8"):
        pass
    assert spool.done_days() == ["2027-01-14"]


def test_only_what_still_waits_is_held_to_the_limit(spool: Spool) -> None:
    """What is settled carries its whole past, up to its own, higher limit; the limit itself is allowed."""
    one = tick(payload={"text": "x" * 500})
    spool.put([one], NOW)
    size = len(one.bytes())
    spool.max_tick_bytes = size
    assert spool.read("inbox", one.name.file) == one
    spool.max_tick_bytes = size - 1
    with pytest.raises(BadTick) as refused:
        spool.read("inbox", one.name.file)
    assert refused.value.code == "too_big"
    spool.claim([one.name.file])
    assert spool.read("claimed", one.name.file) == one
    path = f"{spool.home.claimed}/{one.name.file}"
    os.truncate(path, 64 * MIB + 1)
    with pytest.raises(BadTick) as refused:
        spool.read("claimed", one.name.file)
    assert refused.value.code == "too_big"


def test_a_tick_that_has_run_comes_back_with_its_past_though_its_payload_is_of_the_largest(
    spool: Spool,
) -> None:
    """Its first attempt must not make it too big for a second one; nor may a producer call that its own."""
    one = tick(payload={"text": "x" * 500})
    spool.max_tick_bytes = len(one.bytes())
    tried = one.tried({"run": f"{one.id}.1", "stderr_tail": "x" * 100})
    spool.put([tried], NOW)
    with pytest.raises(BadTick, match="more than"):
        spool.read("inbox", one.name.file)
    os.makedirs(spool.home.run(one.id, 1))
    assert spool.read("inbox", one.name.file) == tried


def test_a_tick_of_another_cadence_than_its_name_says_is_misnamed(spool: Spool) -> None:
    """The name is the authority for id, priority and stamp alone; one that is none is refused as such."""
    one = tick()
    spool.put([one], NOW)
    os.rename(f"{spool.home.inbox}/{one.name.file}", path := f"{spool.home.inbox}/{one.name.file}.away")
    wrong = one.name.file.replace("-x-", "-y-")
    os.rename(path, f"{spool.home.inbox}/{wrong}")
    with pytest.raises(Misnamed) as refused:
        spool.read("inbox", wrong)
    assert refused.value.file == one.name.file, "what it should be called"
    for verb in (lambda: spool.read("inbox", "x.json"), lambda: spool.defer("x.json", NOW)):
        with pytest.raises(BadTick, match="not the name of a tick"):
            verb()


def test_a_fit_tick_is_claimed_and_any_other_stays(spool: Spool) -> None:
    """It is read and taken in one go; the answer says both."""
    one = tick()
    spool.put([one], NOW)
    assert spool.claim_if(one.name.file, lambda _: False) == (one, False)
    assert where(spool, one) == ["inbox"]
    assert spool.claim_if(one.name.file, lambda found: found == one) == (one, True)
    assert where(spool, one) == ["claimed"]
    with pytest.raises(FileNotFoundError):
        spool.claim_if(one.name.file, lambda _: True)


def test_what_a_kill_left_in_tmp_is_in_nobodys_way(spool: Spool) -> None:
    """A settlement and an edit that were cut off are done again under the same temporary names."""
    one = tick()
    spool.put([one], NOW)
    for left in (one.name.file, f"edit.{one.name.file}"):
        with open(f"{spool.home.tmp}/{left}", "w", encoding="utf-8") as file:
            file.write("torn")
    changed = replace(one, payload={"n": 2})
    spool.rewrite("inbox", one.name.file, changed)
    assert spool.read("inbox", one.name.file) == changed
    spool.claim([one.name.file])
    ended = one.ended({"status": "ok", "finished_at": rfc3339(NOW)})
    spool.commit([ended])
    assert spool.read("claimed", one.name.file).outcome == ended.outcome
    assert os.listdir(spool.home.tmp) == []
    with pytest.raises(FileNotFoundError):
        spool.rewrite("inbox", one.name.file, changed)


def test_a_waiting_tick_gets_another_name_unless_it_is_gone_or_the_name_is_taken(spool: Spool) -> None:
    """A lost race is an answer; nothing is overwritten."""
    one, other = tick(), tick()
    spool.put([one, other], NOW)
    front = one.name.at(0).file
    assert spool.rename("inbox", one.name.file, front)
    assert not spool.rename("inbox", one.name.file, front)
    assert not spool.rename("inbox", other.name.file, front)
    assert sorted(spool.names("inbox")) == sorted([front, other.name.file])


def test_a_tick_whose_place_is_taken_when_it_leaves_is_buried_as_a_twin(spool: Spool) -> None:
    """Neither is lost, and the one that was there first stays as it was."""
    one = tick()
    for which in ("first", "second"):
        spool.put([replace(one, payload={"which": which})], NOW)
        spool.claim([one.name.file])
        spool.finish([one.name.file], NOW)
    assert spool.read("done/2027-01-15", one.name.file).payload == {"which": "first"}
    assert list(spool.names("claimed")) == []
    (raw,) = [name for name in spool.names("dead") if name.endswith(".raw")]
    with open(f"{spool.home.dead}/{raw}", encoding="utf-8") as file:
        assert "second" in file.read()


def test_a_day_that_somebody_removed_is_made_anew(spool: Spool) -> None:
    """It was known, and gc put it away while the clock went back to it."""
    for one in (tick(), tick()):
        spool.put([one], NOW)
        spool.claim([one.name.file])
        spool.finish([one.name.file], NOW)
        assert where(spool, one) == ["done/2027-01-15"]
        os.unlink(f"{spool.home.done}/2027-01-15/{one.name.file}")
        os.rmdir(f"{spool.home.done}/2027-01-15")


def test_a_promotion_passes_over_what_is_gone_taken_or_no_tick(spool: Spool) -> None:
    """The others come; nothing is overwritten, and nothing at all is asked for nothing."""
    waits, gone, taken = (tick(not_before=NOW + n) for n in (10, 20, 30))
    spool.put([waits, gone, taken], NOW)
    names = sorted(spool.names("deferred"))
    os.unlink(f"{spool.home.deferred}/{names[1]}")
    spool.put([replace(taken, not_before=None)], NOW)
    assert spool.promote([*names, "notes.txt"]) == [waits.name.file]
    assert list(spool.names("deferred")) == [names[2]]
    os.rename(spool.home.inbox, f"{spool.home.inbox}.away")
    assert spool.promote([]) == []


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


def test_a_waiting_tick_is_read_again_whenever_it_was_touched(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read once to know whether it must wait and then claimed: by what it says at the claim."""
    old = time.time_ns() + 60 * 10**9
    monkeypatch.setattr(glance, "time", SimpleNamespace(time_ns=lambda: old))
    one = tick(payload={"n": 1})
    spool.put([one], NOW)
    file = one.name.file
    assert spool.waiting(file) is spool.waiting(file)
    spool.rewrite("inbox", file, replace(one, payload={"n": 2}))
    assert spool.waiting(file).payload == {"n": 2}
    with open(f"{spool.home.inbox}/{file}", "r+b") as by_hand:
        text = by_hand.read().replace(b'{"n": 2}', b'{"n": 3}')
        by_hand.seek(0)
        by_hand.write(text)
    assert spool.claim_if(file, lambda found: found.payload == {"n": 3})[1]
    with pytest.raises(FileNotFoundError):
        spool.waiting(file)


def test_a_tick_that_was_written_just_now_is_not_known_by_its_stamp(spool: Spool) -> None:
    """It may be written again within the same stamp."""
    one = tick()
    spool.put([one], NOW)
    assert spool.waiting(one.name.file) is not spool.waiting(one.name.file)
