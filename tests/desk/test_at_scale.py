"""What is looked at does not grow with what is not shown."""

from __future__ import annotations

import io
import json
import os
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.cli import dead, logs, status, wait
from cadencebus.clock import parse_stamp, rfc3339
from cadencebus.desk import dead_letters, dead_retry, ended_runs, forecast, lookup, output, status_screen
from cadencebus.desk.columns import Column
from cadencebus.desk.context import Context
from cadencebus.desk.snapshot import Snapshot
from cadencebus.errors import NoSuch, Usage
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOON = 1_795_262_400.0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], list[Any]]:
    """Let a function go on as it is, and note what it is called with."""

    def count(module: Any, name: str) -> list[Any]:
        calls: list[Any] = []
        real = getattr(module, name)

        def noted(*args: Any) -> Any:
            calls.append(args)
            return real(*args)

        monkeypatch.setattr(module, name, noted)
        return calls

    return count


def _name(number: int) -> str:
    return f"5-20261121T0230{number:02d}.000000Z-work-7f3k9q2m.json"


def test_of_a_folder_only_the_ticks_that_are_taken_are_looked_at(
    home: Path, counted: Callable[[Any, str], list[Any]]
) -> None:
    """From either end: fifty names are sorted, two are taken apart."""
    for number in range(50):
        (home / "state" / "dead" / _name(number)).touch()
    looks = counted(lookup, "name_in")
    ticks = lookup.listing(Home(str(home)), ("dead",))
    assert [next(ticks).file, next(ticks).file] == [_name(0), _name(1)]
    ticks = lookup.listing(Home(str(home)), ("dead",), backwards=True)
    assert [next(ticks).file, next(ticks).file] == [_name(49), _name(48)]
    assert len(looks) == 4


def test_the_newest_ticks_of_done_come_from_its_last_days(home: Path) -> None:
    """Backwards means backwards over the days, too."""
    for day in ("2026-11-21", "2026-11-22"):
        (home / "state" / "done" / day).mkdir()
        for number in (1, 2):
            (home / "state" / "done" / day / _name(number)).touch()
    forwards = [tick.place for tick in lookup.listing(Home(str(home)), ("done",))]
    assert [tick.place for tick in lookup.listing(Home(str(home)), ("done",), backwards=True)] == forwards[
        ::-1
    ]


def test_a_plain_table_prints_its_first_rows_before_it_has_the_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A million rows are never held; the head and every row stand there once."""
    monkeypatch.setattr(output, "_MEASURED", 3)
    printed: list[str] = []

    def rows() -> Iterator[list[str]]:
        for number in range(6):
            printed.append(capsys.readouterr().out)
            yield [f"row-{number}" if number < 5 else "a-longer-row", "x"]

    out = output.Output(Context())
    assert out.table([Column("NAME"), Column("X")], rows()) == 6
    printed.append(capsys.readouterr().out)
    assert not any(printed[:3])
    assert printed[3:5] == ["NAME   X\nrow-0  x\nrow-1  x\nrow-2  x\n", "row-3  x\n"]
    assert printed[-1] == "a-longer-row  x\n"


def test_a_table_without_rows_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even its head."""
    assert output.Output(Context()).table([Column("NAME")], iter(())) == 0
    assert capsys.readouterr().out == ""


def _journal(home: Path, count: int) -> None:
    lines = []
    for number in range(count):
        told = {"at": rfc3339(NOON + number), "event": "run.ended", "cadence": "work", "run": f"{number}"}
        lines.append(json.dumps({**told, "class": "ok", "reason": "x" * 500}))
    (home / "state" / "events" / "2026-11-21.jsonl").write_text("\n".join(lines) + "\n")


def test_the_newest_runs_are_read_from_the_journals_end(
    home: Path, counted: Callable[[Any, str], list[Any]]
) -> None:
    """Of a megabyte the last piece; a fact that stands twice is one run."""
    _journal(home, 2000)
    path = home / "state" / "events" / "2026-11-21.jsonl"
    last = path.read_text().splitlines()[-1]
    path.write_text(f"{path.read_text()}{last}\n")
    reads = counted(os, "pread")
    found = ended_runs.newest(Home(str(home)), NOON, None, 3)
    assert [told.line["run"] for told in found] == ["1997", "1998", "1999"]
    assert len(reads) == 1


def test_runs_come_one_by_one_as_the_journal_is_read(
    home: Path, counted: Callable[[Any, str], list[Any]]
) -> None:
    """Whoever takes the first has not parsed the last."""
    _journal(home, 50)
    parsed = counted(ended_runs, "mapping")
    runs = ended_runs.runs(Home(str(home)), NOON)
    assert next(runs).line["run"] == "0"
    assert len(parsed) == 1
    assert len(list(runs)) == 49


def test_a_cadences_holds_are_found_by_their_scope(home: Path) -> None:
    """With ten thousand cadences held, none is compared with the holds of all."""
    held = ("bus.pressure", "cadence-work.backoff", "cadence-other.backoff", "credentials-claude.auth")
    for name in held:
        scope, reason = name.rsplit(".", 1)
        members = {"scope": scope, "reason": reason, "since": rfc3339(NOON), "until": None}
        (home / "state" / "holds" / f"{name}.json").write_text(json.dumps(members))
    snapshot = Snapshot(Home(str(home)), NOON)
    assert [hold.reason for hold in snapshot.holds_on("work")] == ["backoff"]
    assert [hold.reason for hold in snapshot.holds_on("work", "claude")] == ["backoff", "pressure", "auth"]
    assert len(snapshot.holds_on("other", "command")) == 2


def test_status_is_one_screen_in_a_pipe_as_well(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    counted: Callable[[Any, str], list[Any]],
) -> None:
    """Twenty of each, the rest counted and not even spelled; JSON has all of them."""
    for number in range(30):
        name = f"5-20261121T0230{number:02d}.000000Z-gone-{number}-7f3k9q2m.json"
        (home / "state" / "inbox" / name).write_text("{}")
    monkeypatch.setenv("CADENCE_HOME", str(home))
    spelled = counted(status_screen, "waiting")
    assert status.main([], Context()) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(spelled) == status_screen.MOST == 20
    assert len([line for line in shown if line.startswith("gone-")]) == 20
    complaints = shown[1 : shown.index("  and 11 more") + 1]
    assert len(complaints) == 21
    assert "and 10 more" in shown
    assert status.main(["--check"], Context()) == 1
    assert capsys.readouterr().out.splitlines()[20:] == ["ill: and 11 more"]
    context = Context()
    context.json = True
    status.main([], context)
    facts = json.loads(capsys.readouterr().out)
    assert (len(facts["queue"]), len(facts["why"])) == (30, 31)


def test_letters_are_listed_one_by_one_as_they_are_read(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand of them, each with what its runs said last, are never held."""
    for number in range(9):
        died = rfc3339(NOON - number)
        letter = {"cadence": "work", "outcome": {"status": "dead", "class": "crash", "finished_at": died}}
        (home / "state" / "dead" / _name(number)).write_text(json.dumps(letter))
    monkeypatch.setenv("CADENCE_HOME", str(home))
    monkeypatch.setattr(output, "_MEASURED", 2)
    read: list[str] = []
    real = dead_letters.letter_of

    def noted(at: Home, found: lookup.Found) -> dead_letters.Letter:
        read.append(capsys.readouterr().out)
        return real(at, found)

    found = dead_letters.matching(Home(str(home)))
    assert [letter.file for letter in found] == [_name(number) for number in range(8, -1, -1)]
    monkeypatch.setattr(dead_letters, "letter_of", noted)
    monkeypatch.setattr(dead_letters, "matching", lambda *_, **__: found)
    assert dead.main([], Context()) == 0
    assert len([shown for shown in read if shown]) == 7


def test_many_ticks_are_found_in_one_look_at_all_names(
    home: Path, counted: Callable[[Any, str], list[Any]]
) -> None:
    """By whole ids and by their random ends; what is ambiguous or only a piece is asked for by itself."""
    ids = []
    for number, end in enumerate(("aaaaaaaa", "bbbbbbbb", "20261121", "dddddddd", "dddddddd")):
        stamp = f"20261121T0230{number:02d}.000000Z"
        ids.append(f"{stamp}-{end}")
        (home / "state" / "inbox" / f"5-{stamp}-work-{end}.json").touch()
    at = Home(str(home))
    looks = counted(lookup, "names")
    found = lookup.find_each(at, ["aaaaaaaa", ids[1], ids[0]], waiting=True)
    assert [tick.name.id for tick in found] == ids[:2]
    assert len(looks) == len(lookup.WAITING)
    assert [tick.name.id for tick in lookup.find_each(at, ["aaaa", "bbbbbbbb"])] == ids[:2]
    for several in ("dddddddd", "20261121"):
        with pytest.raises(Usage, match="is part of"):
            lookup.find_each(at, ["aaaaaaaa", several])
    with pytest.raises(NoSuch):
        lookup.find_each(at, ["aaaaaaaa", "zzzzzzzz"])


def test_a_long_log_is_not_flushed_line_by_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand lines are no thousand writes; who follows gets what came before the next rest."""
    run = home / "state" / "runs" / "2026-01-01" / "20260101T000000.000000Z-7f3k9q2m.1"
    run.mkdir(parents=True)
    (run / "stdout.log").write_text("line\n" * 1000)
    (home / "state" / "done" / "2026-01-01").mkdir()
    tick = home / "state" / "done" / "2026-01-01" / "5-20260101T000000.000000Z-work-7f3k9q2m.json"
    tick.write_text("{}")
    monkeypatch.setenv("CADENCE_HOME", str(home))
    flushes: list[None] = []

    class Paper(io.StringIO):
        def flush(self) -> None:
            flushes.append(None)

    monkeypatch.setattr(sys, "stdout", paper := Paper())
    assert logs.main(["7f3k9q2m"], Context()) == 0
    assert paper.getvalue() == "line\n" * 1000
    assert len(flushes) < 10


def test_of_what_is_put_off_only_what_is_due_soon_is_looked_at(
    home: Path, counted: Callable[[Any, str], list[Any]]
) -> None:
    """They lie in the order in which they are due; one that a hand put there says nothing of when."""
    for number in range(50):
        due = f"20261121T12{number:02d}00.000000Z"
        (home / "state" / "deferred" / f"{due}~{_name(number)}").write_text("{}")
    (home / "state" / "deferred" / "0-20261121T000000.000000Z-work-00000000.json").write_text("{}")
    looks = counted(lookup, "name_in")
    noon = parse_stamp("20261121T120000.000000Z")
    found = forecast.upcoming(Home(str(home)), noon, hours=2 / 60)
    assert [one.at - noon for one in found] == [0.0, 60.0, 120.0]
    assert len(looks) == 5
    assert lookup.find(Home(str(home)), "00000000").due is None


def test_letters_are_not_held_while_they_are_retried_or_purged(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hundred thousand of them took a gigabyte and a half."""
    monkeypatch.setattr(dead_letters, "_AT_ONCE", 5)
    (home / "prompts" / "work.md").write_text("---\ncommand: [work]\n---\n")
    said, many = 20_000, 60
    letter = {"cadence": "work", "payload": {"long": "x" * said}, "outcome": {"status": "dead"}}
    for number in range(2 * many):
        file = home / "state" / "dead" / f"5-20261121T023000.{number:06d}Z-work-{number:08d}.json"
        file.write_text(json.dumps(letter))
    there = Home(str(home))
    letters = list(lookup.listing(there, ("dead",)))
    context = Context()
    context.home_flag = str(home)
    tracemalloc.start()
    try:
        retried = list(dead_retry.retry(there, letters[:many], 1e9))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        assert dead.main(["purge", "--all"], context) == 0
        _, most_of_all = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(most, most_of_all) < said * many
    assert (len(retried), len(set(os.listdir(there.inbox)))) == (many, many)
    assert os.listdir(there.dead) == []
    assert len((home / "state" / "dead-archive.jsonl").read_bytes().splitlines()) == 2 * many
    assert capsys.readouterr().out.count("purged") == many


def test_who_waits_for_many_looks_through_the_folders_once_for_all_of_them(
    home: Path, counted: Callable[[Any, str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each for itself, ten thousand ids among ten thousand names took minutes, every half minute."""
    monkeypatch.setattr(wait, "_LOOK_EVERYWHERE", -1.0)
    ids = [f"20261121T0230{number:02d}.000000Z-7f3k9q{number:02d}" for number in range(50)]
    for tick in ids:
        (home / "state" / "inbox" / f"5-{tick[:23]}-work-{tick[24:]}.json").touch()
    watch = wait._Watch(Home(str(home)), ids)
    looks = counted(lookup, "names")
    assert watch.look() == []
    assert len(looks) < 10
    (home / "state" / "inbox" / f"5-{ids[7][:23]}-work-{ids[7][24:]}.json").unlink()
    monkeypatch.setattr(wait, "_LOOK_ANYWAY", -1.0)
    with pytest.raises(NoSuch, match=ids[7]):
        watch.look()
