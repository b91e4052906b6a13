"""`cadence ls`: ticks as a table, for people, pipes and programs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def test_an_empty_home_has_no_ticks(cadence: Cadence) -> None:
    """An empty answer, not an error; the remark is no part of it."""
    ended = cadence("ls")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "no ticks\n")
    assert cadence("ls", "--quiet").stderr == ""


def test_programs_get_the_keys_of_the_files(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """One tick a line, as it lies on disk, with its state and place."""
    define("work")
    ready, late = enqueue("work", "--set", "n=1"), enqueue("work", "--in", "1h")
    lines = [json.loads(line) for line in cadence("ls", "--json").stdout.splitlines()]
    assert {tick["id"]: tick["state"] for tick in lines} == {ready: "inbox", late: "deferred"}
    (mine,) = [tick for tick in lines if tick["id"] == ready]
    on_disk = ticks("inbox")[ready]
    assert mine["file"] == f"inbox/{on_disk['_file'].name}"
    assert {key: mine[key] for key in on_disk if key != "_file"} == {
        key: value for key, value in on_disk.items() if key != "_file"
    }


def test_a_folder_and_a_cadence_narrow_the_list(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Only what was asked for."""
    define("one")
    define("other")
    mine = enqueue("one")
    enqueue("other")
    enqueue("one", "--in", "1h")
    rows = cadence("ls", "inbox", "--cadence", "one").stdout.splitlines()[1:]
    assert [row.split()[3] for row in rows] == [mine]


@pytest.mark.parametrize("columns", [80, 200])
def test_a_terminal_shows_ids_that_find_their_tick_in_colour(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], screen: Screen, columns: int
) -> None:
    """No line is longer than the screen; half an id would be none, its last part is as good as the whole."""
    define("a-rather-long-name", "echo 'such a very long complaint, longer than any screen' >&2; exit 1")
    tick = enqueue("a-rather-long-name")
    (prompt := define("a-rather-long-name", "exit 1", retries=0)).touch()
    cadence("run", "--drain", "--quiet")
    seen = screen("ls", columns=columns, env={"NO_COLOR": ""})
    assert "\x1b[31mdead" in seen
    plain = ESCAPES.sub("", seen)
    # Not its last character alone: every thirty-second id ends like the priority beside it.
    (shown,) = [word for word in plain.split() if len(word) > 1 and tick.endswith(word)]
    assert shown == (tick if columns > 80 else tick.rpartition("-")[2])
    assert "it failed (exit 1)" in plain
    assert json.loads(cadence("show", shown, "--json").stdout)["id"] == tick
    assert max(len(line) for line in plain.splitlines()) <= columns
    assert "\x1b" not in screen("ls", columns=columns, env={"NO_COLOR": "1"})
    assert prompt.exists()


def test_a_terminal_gets_a_screenful_and_a_pipe_gets_all(
    home: Path, cadence: Cadence, define: Define, screen: Screen
) -> None:
    """Whoever wants more on his screen asks for it."""
    define("work")
    batch = '{"cadence": "work"}\n' * 60
    assert cadence("enqueue", "--batch", "-", stdin=batch).returncode == 0
    assert len(cadence("ls").stdout.splitlines()) == 61
    assert len(screen("ls").splitlines()) == 41
    assert len(cadence("ls", "-n", "3").stdout.splitlines()) == 4


def test_what_waits_says_why(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Nobody has to ask each tick; what starts at any moment has nothing to say."""
    define("work")
    enqueue("work")
    assert cadence("ls").stdout.splitlines()[1].endswith("no consumer: cadence up starts one")
    hold = '{"since": "2026-11-21T02:30:00Z", "until": null, "detail": "moving house", "by": "operator"}'
    (home / "state" / "holds" / "cadence-work.paused.json").write_text(hold)
    assert cadence("ls").stdout.splitlines()[1].endswith("held by paused: moving house")


def test_what_has_ended_stands_in_the_order_of_its_birth(home: Path, cadence: Cadence) -> None:
    """A priority matters to what waits; the newest end is looked for at the end."""
    for priority, second in ((5, 1), (0, 2), (9, 0)):
        for folder in ("dead", "inbox"):
            name = f"{priority}-20261121T02300{second}.000001Z-work-7f3k9q2m.json"
            (home / "state" / folder / name).write_text("{}")
    for folder, order in (("dead", ["9", "5", "0"]), ("inbox", ["0", "5", "9"])):
        rows = cadence("ls", folder).stdout.splitlines()[1:]
        assert [row.split()[2] for row in rows] == order


def test_rubbish_in_the_folders_is_no_tick(home: Path, cadence: Cadence) -> None:
    """Staging is passed over; what a consumer will make a tick of is counted; a torn tick is still listed."""
    inbox = home / "state" / "inbox"
    (inbox / ".half.json").write_text("{")
    (inbox / "notes.txt").write_text("")
    (inbox / "mine.json").write_text('{"cadence": "hello"}')
    (inbox / "5-20261121T023000.123456Z-hello-7f3k9q2m.json").write_text("{torn")
    (home / "state" / "done" / "not-a-day").mkdir()
    ended = cadence("ls")
    assert [line.split()[3] for line in ended.stdout.splitlines()[1:]] == ["20261121T023000.123456Z-7f3k9q2m"]
    assert "1 file in inbox/ waits for a consumer" in ended.stderr
    (line,) = cadence("ls", "--json").stdout.splitlines()
    assert json.loads(line)["id"] == "20261121T023000.123456Z-7f3k9q2m"


def test_a_folder_that_is_missing_is_empty(home: Path, cadence: Cadence) -> None:
    """Half a home can still be looked at."""
    (home / "state" / "deferred").rmdir()
    assert cadence("ls").returncode == 0
