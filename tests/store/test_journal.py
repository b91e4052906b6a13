"""The journal: a line for each fact, safe where it has to be, and files that are what their names say."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from typing import TYPE_CHECKING

import pytest

from cadencebus.clock import day, rfc3339
from cadencebus.store import journal
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Witness

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


@pytest.fixture
def written(home: Path) -> Iterator[journal.Journal]:
    """Write the journal of a home."""
    written = journal.Journal(Home(str(home)))
    yield written
    written.close()


def test_a_line_is_one_fact_and_says_when(home: Path, written: journal.Journal) -> None:
    """In the file of its day, for its owner alone, in the order in which it was told."""
    written.write(NOW, [FACT, {**FACT, "event": "tick.again"}])
    written.write(NOW, [])
    written.write(NOW, [{**FACT, "event": "tick.dead"}])
    written.write(NOW + 86400, [FACT])
    first, second = sorted((home / "state" / "events").iterdir())
    assert (first.name, second.name) == (f"{day(NOW)}.jsonl", f"{day(NOW + 86400)}.jsonl")
    told = [json.loads(line)["event"] for line in first.read_text().splitlines()]
    assert told == ["tick.done", "tick.again", "tick.dead"]
    assert json.loads(second.read_text()) == {"at": rfc3339(NOW + 86400), **FACT}
    assert first.stat().st_mode & 0o777 == 0o600


def test_a_durable_line_is_safe_with_its_name(written: journal.Journal, witness: Witness) -> None:
    """The day's name once, when it is new; the line each time, and only where it is asked for."""
    name = f"sync events/{day(NOW)}.jsonl"
    written.write(NOW, [FACT])
    assert witness.seen == ["sync events"]
    written.write(NOW, [FACT], durable=True)
    written.write(NOW, [], durable=True)
    assert witness.seen == ["sync events", name, name]


def test_a_torn_line_is_closed_before_the_next(home: Path, written: journal.Journal) -> None:
    """A crash cut it; what comes after it can be read."""
    path = home / "state" / "events" / f"{day(NOW)}.jsonl"
    path.write_text('{"event": "tick.do')
    written.write(NOW, [FACT])
    with path.open("a") as torn:
        torn.write('{"torn')
    written.write(NOW, [FACT])
    assert path.read_text().count("\n") == 4
    assert len(list(journal.read(Home(str(home))))) == 2
    assert list(journal.facts(Home(str(home)), "")) == [("tick.done", FACT["tick"])] * 2


def test_a_journal_that_was_taken_away_is_made_anew(home: Path, written: journal.Journal) -> None:
    """By gc, or by hand: nothing is written into what nobody can find."""
    written.write(NOW, [FACT])
    (home / "state" / "events" / f"{day(NOW)}.jsonl").unlink()
    written.write(NOW, [FACT])
    assert len(list(journal.read(Home(str(home))))) == 1


def test_who_reads_begins_where_he_likes(home: Path, written: journal.Journal) -> None:
    """From a day on, that day too; what is no day's file or no object is passed over."""
    for number in range(3):
        written.write(NOW + 86400 * number, [{**FACT, "attempt": number}])
    folder, at = home / "state" / "events", Home(str(home))
    (folder / "notes.txt").write_text("a note")
    with (folder / f"{day(NOW)}.jsonl").open("a") as rubbish:
        rubbish.write('[1]\n"tick.done"\n')
    since = day(NOW + 86400)
    assert journal.days(at) == [day(NOW + 86400 * number) for number in range(3)]
    assert [fact["attempt"] for fact in journal.read(at)] == [0, 1, 2]
    assert len(list(journal.lines(at, since))) == 2
    assert len(list(journal.facts(at, since))) == 2
    (home / "state" / "events").rename(home / "away")
    assert journal.days(at) == []


def test_several_programs_append_at_once(home: Path) -> None:
    """Each line is whole, whoever else writes."""
    writers = [journal.Journal(Home(str(home))) for _ in range(4)]

    def write(one: journal.Journal) -> None:
        for _ in range(50):
            one.write(NOW, [FACT, FACT])

    threads = [threading.Thread(target=write, args=(one,)) for one in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in writers:
        one.close()
    assert len(list(journal.read(Home(str(home))))) == 400


def test_a_lock_is_given_back(home: Path, written: journal.Journal) -> None:
    """Who holds the file open between two lines keeps nobody from writing."""
    written.write(NOW, [FACT])
    with (home / "state" / "events" / f"{day(NOW)}.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_who_was_stopped_with_the_lock_in_hand_keeps_nobody_waiting(
    home: Path, written: journal.Journal
) -> None:
    """Ctrl-Z in the middle of a line: the consumer's loop stood still, and was deaf to SIGTERM."""
    written.write(NOW, [FACT])
    with (home / "state" / "events" / f"{day(NOW)}.jsonl").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        going_on = threading.Thread(target=written.write, args=(NOW, [FACT]), daemon=True)
        going_on.start()
        going_on.join(10)
        assert not going_on.is_alive()
    assert len(list(journal.read(Home(str(home))))) == 2


def test_threads_that_share_a_journal_may_live_on_different_days(
    home: Path, written: journal.Journal
) -> None:
    """Around midnight one closed the file that another was writing into, or waiting for the disk with."""
    faults: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for number in range(100):
                written.write(NOW + 86400 * ((first + number) % 2), [FACT], durable=True)
        except OSError as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(list(journal.read(Home(str(home))))) == 400


def test_what_is_no_day_of_done_is_not_entered(home: Path) -> None:
    """A note beside the days, or a link with a day's name, kept every consumer from starting."""
    done = home / "state" / "done"
    (done / "2026-11-2x").write_text("a note")
    (done / "2026-11-20").write_text("a note")
    (done / "2026-11-19").symlink_to("/etc")
    (done / "2026-11-21").mkdir()
    assert Spool(Home(str(home))).done_days() == ["2026-11-21"]
