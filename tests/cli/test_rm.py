"""`cadence rm`: waiting ticks are cancelled, whether or not a consumer is at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cadencebus.cli import rm
from cadencebus.desk import lookup
from cadencebus.desk.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


def test_a_cancelled_tick_lies_in_done_and_in_the_journal(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """With its one outcome, from both waiting folders, without a consumer."""
    define("work")
    ready, late = enqueue("work"), enqueue("work", "--in", "1h")
    ended = cadence("rm", ready[-8:], late, "--reason", "not needed")
    assert (ended.returncode, ended.stdout) == (0, f"{ready} cancelled\n{late} cancelled\n")
    assert not ticks("inbox")
    assert not ticks("deferred")
    done = ticks("done")
    assert {tick["outcome"]["status"] for tick in done.values()} == {"cancelled"}
    assert done[ready]["outcome"]["reason"] == "not needed"
    journal = "".join(path.read_text() for path in (home / "state" / "events").iterdir())
    told = [json.loads(line) for line in journal.splitlines()]
    assert [(line["event"], line["class"]) for line in told] == [("tick.done", "cancelled")] * 2


def test_the_wrong_tick_can_be_brought_back_as_it_was_told(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """With its payload, and no sooner than it was due; asked twice, it comes once."""
    define("work")
    ready, late = enqueue("work", "--set", "n=1"), enqueue("work", "--at", "2099-01-01")
    told = cadence("rm", ready, late).stderr
    assert told == f"undo: cadence dead retry {ready[-8:]} {late[-8:]}\n"
    for _ in range(2):
        assert cadence(*told.split()[2:]).returncode == 0
    (again,), (put_off,) = ticks("inbox").values(), ticks("deferred").values()
    assert (again["retry_of"], again["payload"]) == (ready, {"n": 1})
    assert (put_off["retry_of"], put_off["not_before"][:4]) == (late, "2099")


def test_what_is_taken_meanwhile_keeps_the_rest_from_nothing(
    home: Path, define: Define, enqueue: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a consumer was at work, `rm --cadence` ended with 66 at the first tick, and cancelled none."""
    define("old")
    taken, due, late = enqueue("old"), enqueue("old", "--in", "1h"), enqueue("old", "--in", "2h")
    state = home / "state"

    def meanwhile(*asked: object) -> Iterator[lookup.Found]:
        known = list(lookup.listing(*asked))  # type: ignore[arg-type]
        for ready in state.glob(f"inbox/*{taken[-8:]}*"):
            ready.rename(state / "claimed" / ready.name)
        for deferred in state.glob(f"deferred/*{due[-8:]}*"):
            deferred.rename(state / "inbox" / deferred.name.partition("~")[2])
        yield from known

    monkeypatch.setattr(rm, "listing", meanwhile)
    context = Context()
    context.home_flag = str(home)
    assert rm.main(["--cadence", "old"], context) == 0
    assert [path.name[-13:-5] for path in state.glob("claimed/*")] == [taken[-8:]]
    assert {path.name[-13:-5] for path in state.glob("done/*/*")} == {due[-8:], late[-8:]}


def test_all_that_waits_for_a_cadence_is_cancelled(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """Put off or ready, and nobody else's; who names neither ids nor a cadence cancels nothing."""
    define("old")
    define("other")
    mine, other = {enqueue("old"), enqueue("old", "--in", "1h")}, enqueue("other")
    assert cadence("rm").returncode == 64
    assert cadence("rm", other, "--cadence", "old").returncode == 64
    assert cadence("rm", "--cadence", "old").returncode == 0
    assert set(ticks("done")) == mine
    assert set(ticks("inbox")) == {other}
    assert "nothing waits for old" in cadence("rm", "--cadence", "old").stderr


def test_rubbish_among_what_waits_keeps_nothing_else(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """The consumer buries it; that one was not cancelled is said, and that is all that is left."""
    define("old")
    rubbish = enqueue("old", "--in", "1h")
    mine = {enqueue("old", "--in", "2h"), enqueue("old")}
    next(home.glob(f"state/deferred/*{rubbish[-8:]}*")).write_text("{")
    ended = cadence("rm", "--cadence", "old")
    assert (ended.returncode, rubbish[-8:] in ended.stderr) == (65, True)
    assert {line.split()[0] for line in ended.stdout.splitlines()} == mine == set(ticks("done"))


def test_nothing_is_cancelled_where_one_id_is_wrong(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """All are found before the first is touched."""
    define("work")
    tick = enqueue("work")
    assert cadence("rm", tick, "zzzzzzzz").returncode == 66
    assert cadence("rm", tick, "--reason", os.fsdecode(b"\xff")).returncode == 64
    assert list(ticks("inbox")) == [tick]


def test_a_tick_may_be_named_twice(cadence: Cadence, define: Define, enqueue: Callable[..., str]) -> None:
    """By a part and in full: it is cancelled, or moved, once."""
    define("work")
    tick, other = enqueue("work"), enqueue("work", "--in", "1h")
    for verb in ("bump", "rm"):
        ended = cadence(verb, tick[-8:], tick, other, other)
        assert [line.split()[0] for line in ended.stdout.splitlines()] == [tick, other], ended.stderr


def test_a_running_tick_is_not_cancelled(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Exit 66; the error names the verb that would end it."""
    define("long", "touch started; sleep 60")
    tick = enqueue("long")
    consumer()
    eventually((home / "started").exists)
    ended = cadence("rm", tick)
    assert ended.returncode == 66
    assert "it is being run" in ended.stderr
    assert f"cadence kill {tick[-8:]}" in ended.stderr


def test_what_rm_says_is_what_happened_however_busy_the_consumer(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    ticks: Ticks,
    environment: dict[str, str],
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """Of forty ticks that a consumer takes while they are cancelled, each ends once, as its `rm` was told."""
    define("work", "echo $CADENCE_TICK_ID >> ran", overlap="queue", concurrency=4)
    ids = cadence("enqueue", "--batch", "-", stdin='{"cadence": "work"}\n' * 40).stdout.split()
    consumer()
    program = Path(sys.executable).with_name("cadence")
    # From the end of the queue backwards: somewhere the two meet.
    said = {
        tick: subprocess.run(
            [program, "rm", tick], env=environment, cwd=home, capture_output=True, check=False
        ).returncode
        for tick in reversed(ids)
        if tick in ticks("inbox")
    }
    eventually(lambda: set(ticks("done")) == set(ids), within=30, message="all have ended")
    ran = (home / "ran").read_text().split()
    cancelled = {tick for tick, end in ticks("done").items() if end["outcome"]["status"] == "cancelled"}
    assert cancelled == {tick for tick, code in said.items() if code == 0}
    assert sorted(ran) == sorted(set(ids) - cancelled)


def test_a_cancellation_that_a_crash_cut_in_two_is_finished_by_the_consumer(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """The outcome was written, the move not made."""
    define("work", "touch ran")
    tick = enqueue("work")
    members = ticks("inbox")[tick]
    file: Path = members.pop("_file")
    outcome = {"status": "cancelled", "class": "cancelled", "finished_at": "2026-11-21T02:30:00.000000Z"}
    file.write_text(json.dumps(members | {"outcome": outcome | {"reason": "cancelled by rm"}}))
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert ticks("done")[tick]["outcome"]["status"] == "cancelled"
    assert not (file.parents[2] / "ran").exists()


def test_rubbish_under_a_ticks_name_is_left_to_the_consumer(home: Path, cadence: Cadence) -> None:
    """Exit 65: what is no tick has no outcome."""
    path = home / "state" / "inbox" / "5-20261121T023000.123456Z-hello-7f3k9q2m.json"
    path.write_text("{torn")
    ended = cadence("rm", "7f3k9q2m")
    assert ended.returncode == 65
    assert "the consumer will bury it" in ended.stderr
    assert path.read_text() == "{torn"
