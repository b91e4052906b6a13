"""`cadence edit`: a waiting tick changes as a whole, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]

NEXT_WEEK = 'sed -i "s/\\"week\\": 47/\\"week\\": 48/" "$1"'


@pytest.fixture
def waiting(define: Define, enqueue: Callable[..., str]) -> str:
    """Put in one tick that waits."""
    define("work")
    return enqueue("work", "--set", "week=47", "--set", "who=me")


@pytest.fixture
def editor(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Make an editor of a piece of shell; the text is in the file $1."""

    def make(script: str) -> dict[str, str]:
        path = tmp_path / "editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return {"EDITOR": f"'{path}'", "TMPDIR": str(tmp_path)}

    return make


def test_options_change_the_payload_and_the_place(cadence: Cadence, waiting: str, ticks: Ticks) -> None:
    """One member, all of it, the priority in name and content."""
    assert cadence("edit", waiting, "--set", "week=48", "--priority", "2").returncode == 0
    tick = ticks("inbox")[waiting]
    assert (tick["payload"], tick["priority"]) == ({"week": 48, "who": "me"}, 2)
    assert tick["_file"].name.startswith("2-")
    ended = cadence("edit", waiting[-8:], "--payload", '{"a": [1]}', "--json")
    assert json.loads(ended.stdout)["payload"] == {"a": [1]}
    assert ticks("inbox")[waiting]["payload"] == {"a": [1]}


def test_its_time_moves_it_between_the_folders(cadence: Cadence, waiting: str, ticks: Ticks) -> None:
    """Not before tomorrow: deferred/. Now: back."""
    assert cadence("edit", waiting, "--not-before", "2099-01-01T12:00:00Z").returncode == 0
    assert ticks("deferred")[waiting]["_file"].name.startswith("20990101T120000.000000Z~5-")
    assert cadence("edit", waiting, "--priority", "1").returncode == 0
    assert ticks("deferred")[waiting]["_file"].name.startswith("20990101T120000.000000Z~1-")
    assert cadence("edit", waiting, "--not-before", "now").returncode == 0
    assert list(ticks("inbox")) == [waiting]
    assert not ticks("deferred")


def test_an_editor_edits_the_json(
    cadence: Cadence, waiting: str, ticks: Ticks, editor: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    """What it saved is the tick; nothing of it is left lying about."""
    assert cadence("edit", waiting, env=editor(NEXT_WEEK)).returncode == 0
    assert ticks("inbox")[waiting]["payload"]["week"] == 48
    assert not list(tmp_path.glob("cadence-*"))


def test_a_text_that_is_no_tick_changes_nothing_and_is_kept(
    cadence: Cadence, waiting: str, ticks: Ticks, editor: Callable[[str], dict[str, str]]
) -> None:
    """Ten minutes of typing are not thrown away for a comma."""
    ended = cadence("edit", waiting, env=editor('echo \'{"payload": \' > "$1"'))
    assert ended.returncode == 65
    assert "not JSON" in ended.stderr
    kept = Path(ended.stderr.split("kept in ")[1].strip())
    assert kept.read_text() == '{"payload": \n'
    assert ticks("inbox")[waiting]["payload"]["week"] == 47


@pytest.mark.parametrize(
    "script",
    ['sed -i \'s/"work"/"other"/\' "$1"', 'sed -i \'s/"attempts": \\[\\]/"attempts": [{}]/\' "$1"'],
)
def test_what_makes_it_this_tick_can_not_be_changed(
    cadence: Cadence, waiting: str, script: str, editor: Callable[[str], dict[str, str]]
) -> None:
    """Neither its cadence nor its past."""
    ended = cadence("edit", waiting, env=editor(script))
    assert ended.returncode == 65
    assert "can't be changed" in ended.stderr


def test_a_tick_that_was_taken_meanwhile_is_not_touched(
    cadence: Cadence, waiting: str, ticks: Ticks, editor: Callable[[str], dict[str, str]], home: Path
) -> None:
    """The consumer was faster than the typing."""
    script = f"mv {home}/state/inbox/*.json {home}/state/claimed/; {NEXT_WEEK}"
    ended = cadence("edit", waiting, env=editor(script))
    assert ended.returncode == 66
    assert "it was taken meanwhile" in ended.stderr
    assert '"week": 48' in Path(ended.stderr.split("kept in ")[1].strip()).read_text()
    assert ticks("claimed")[waiting]["payload"]["week"] == 47
    assert not ticks("inbox")


def test_two_who_edit_at_once_do_not_overwrite_each_other(
    cadence: Cadence, waiting: str, ticks: Ticks, editor: Callable[[str], dict[str, str]]
) -> None:
    """The later one is told."""
    inner = f"cadence edit {waiting} --set who=somebody; {NEXT_WEEK}"
    ended = cadence("edit", waiting, env=editor(inner))
    assert ended.returncode == 75
    assert ticks("inbox")[waiting]["payload"] == {"week": 47, "who": "somebody"}
    kept = Path(ended.stderr.split("kept in ")[1].strip())
    assert json.loads(kept.read_text())["payload"] == {"week": 48, "who": "me"}


def test_ctrl_c_in_an_editor_is_a_key_of_the_editors(
    cadence: Cadence, waiting: str, ticks: Ticks, editor: Callable[[str], dict[str, str]]
) -> None:
    """The terminal sends it to both: the editor was killed over it, with all that was typed."""
    script = f"trap : INT; kill -INT $PPID $$; {NEXT_WEEK}"
    assert cadence("edit", waiting, env=editor(script)).returncode == 0
    assert ticks("inbox")[waiting]["payload"]["week"] == 48


def test_a_mistake_leaves_a_deferred_tick_where_it_was(
    cadence: Cadence, enqueue: Callable[..., str], waiting: str, ticks: Ticks
) -> None:
    """It does not become ready by a failed edit."""
    late = enqueue("work", "--in", "1h")
    before = ticks("deferred")
    assert cadence("edit", late, "--payload", "[1]").returncode == 65
    assert cadence("edit", late, "--not-before", "whenever").returncode == 64
    assert ticks("deferred") == before


def test_an_editor_that_can_not_be_started_is_named(cadence: Cadence, waiting: str) -> None:
    """Exit 64; one that fails changes nothing."""
    assert "no-such-editor" in cadence("edit", waiting, env={"EDITOR": "no-such-editor"}).stderr
    assert cadence("edit", waiting, env={"EDITOR": "false"}).returncode == 65


def test_nobody_waits_for_an_editor_that_nobody_sees(cadence: Cadence, waiting: str) -> None:
    """In a pipe, a script or a unit `vi` would wait for ever."""
    ended = cadence("edit", waiting, env={"EDITOR": "", "VISUAL": ""})
    assert (ended.returncode, ended.stdout) == (64, "")
    assert "no terminal to edit at" in ended.stderr
