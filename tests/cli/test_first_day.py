"""The verbs of the first day, through the installed command."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cadence


@pytest.fixture
def hello(home: Path) -> Path:
    """Give the home a cadence that works."""
    (home / "prompts" / "hello.md").write_text('---\ncommand: ["true"]\noverlap: queue\n---\nHi\n')
    return home


def test_init_makes_a_private_home_and_overwrites_nothing(cadence: Cadence, tmp_path: Path) -> None:
    """Under umask 000, too; what it made works at once."""
    root = tmp_path / "new"
    old = os.umask(0)
    try:
        assert cadence("init", root).returncode == 0
    finally:
        os.umask(old)
    loose = [path for path in root.rglob("*") if path.stat().st_mode & 0o077]
    assert not loose
    (root / "cadence.yaml").write_text("max_sessions: 7\n")
    again = cadence("--json", "init", root)
    assert json.loads(again.stdout)["made"] == []
    assert (root / "cadence.yaml").read_text() == "max_sessions: 7\n"
    assert cadence("--home", root, "enqueue", "hello").returncode == 0
    assert cadence("run", "--home", root, "--drain", "--quiet").returncode == 0
    assert "ok" in cadence("ls", "done", "--home", root).stdout


def test_the_commented_settings_load_when_uncommented(cadence: Cadence, tmp_path: Path) -> None:
    """Each key's line shows what may stand there."""
    cadence("init", tmp_path / "new")
    text = (tmp_path / "new" / "cadence.yaml").read_text()
    keys = [
        line[2:]
        for line in text.splitlines()
        if line.startswith("# ")
        and ":" in line
        and line[2].islower()
        and " " not in line[2:].partition(":")[0]
    ]
    assert len(keys) >= 14
    (tmp_path / "new" / "cadence.yaml").write_text("\n".join(keys) + "\n")
    ended = cadence("--home", tmp_path / "new", "check")
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    assert "cadence.yaml" in ended.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["enqueue", "helo"], 66, "did you mean 'hello'?"),
        (["enqueue", "../x"], 66, "can't name a cadence"),
        (["enqueue"], 64, "wants the name"),
        (["enqueue", "hello", "--payload", "[1]"], 65, "not a JSON object"),
        (["enqueue", "hello", "--payload", "{"], 65, "--payload: not JSON"),
        (["enqueue", "hello", "--in", "soon"], 64, "--in soon"),
        (["enqueue", "hello", "--priority", "12"], 64, "0 to 9"),
        (["enqueue", "hello", "--nope"], 64, "no option --nope"),
        (["lss"], 64, "did you mean 'ls'?"),
        (["show", "nothing"], 66, "no tick"),
        (["wait", "nothing"], 66, "no tick"),
        (["rm", "nothing"], 66, "no tick"),
        (["ls", "--nope"], 64, "no option --nope"),
        (["run", "--for", "soon"], 64, "--for"),
        (["run", "--set", "max_sessions=many"], 78, "--set max_sessions"),
    ],
)
def test_a_mistake_is_one_line_with_its_exit_code(
    hello: Path, cadence: Cadence, words: list[str], code: int, says: str
) -> None:
    """What is wrong, where, and what to do next; never a traceback, nothing on standard output."""
    ended = cadence(*words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr
    assert ended.stderr.startswith("cadence: ")
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_no_home_is_said_with_what_to_do(cadence: Cadence, tmp_path: Path) -> None:
    """Exit 78 and the hint."""
    ended = cadence("ls", env={"CADENCE_HOME": ""}, cwd=tmp_path)
    assert ended.returncode == 78
    assert "cadence init" in ended.stderr


def test_a_batch_is_accepted_whole_or_not_at_all(hello: Path, cadence: Cadence) -> None:
    """One bad line refuses all and is named."""
    lines = ['{"cadence": "hello"}', '{"cadence": "hello", "priority": 3, "payload": {"a": 1}}']
    good = cadence("enqueue", "--batch", "-", stdin="\n".join(lines))
    assert (good.returncode, len(good.stdout.split())) == (0, 2)
    bad = cadence("enqueue", "--batch", "-", stdin="\n".join([*lines, '{"cadence": "helo"}']))
    assert (bad.returncode, bad.stdout) == (66, "")
    assert "-:3:" in bad.stderr
    assert len(list((hello / "state" / "inbox").iterdir())) == 2


@pytest.mark.parametrize("said", ["max_inbox: 1", "{max_inbox: 1}", '  "max_inbox": 1'])
def test_max_inbox_gives_back_pressure(said: str, hello: Path, cadence: Cadence) -> None:
    """Exit 75, and nothing is visible; in every spelling of YAML."""
    (hello / "cadence.yaml").write_text(f"# max_inbox: 0\n{said}\n")
    assert cadence("enqueue", "hello").returncode == 0
    assert cadence("enqueue", "hello").returncode == 75
    assert cadence("enqueue", "hello", env={"CADENCE_SET_MAX_INBOX": "2"}).returncode == 0


def test_settings_that_can_not_be_read_cost_no_producer_its_tick(hello: Path, cadence: Cadence) -> None:
    """A link that leads to itself, a pipe that nobody fills: accepted, and nothing is waited for."""
    settings = hello / "cadence.yaml"
    settings.unlink(missing_ok=True)
    settings.symlink_to("cadence.yaml")
    put = cadence("enqueue", "hello")
    assert (put.returncode, "accepted by the default limits" in put.stderr) == (0, True)
    settings.unlink()
    os.mkfifo(settings)
    assert cadence("enqueue", "hello").returncode == 0


def test_waiting_ticks_are_cancelled_changed_and_moved_to_the_front(hello: Path, cadence: Cadence) -> None:
    """By any unique part of the id."""
    first, second, late = (cadence("enqueue", "hello", *w).stdout.strip() for w in ([], [], ["--in", "1h"]))
    assert cadence("bump", second[-8:]).returncode == 0
    assert [line.split()[3] for line in cadence("ls", "inbox").stdout.splitlines()[1:]] == [second, first]
    assert cadence("edit", first[-8:], "--set", "week=47", "--priority", "2").returncode == 0
    shown = json.loads(cadence("--json", "show", first[-8:]).stdout)
    assert (shown["payload"], shown["file"][:8]) == ({"week": 47}, "inbox/2-")
    assert "not due until" in cadence("show", late[-8:]).stdout
    assert cadence("rm", late[-8:], first[-8:]).returncode == 0
    assert cadence("run", "--drain", "--quiet").returncode == 0
    done = [json.loads(line) for line in cadence("--json", "ls", "done").stdout.splitlines()]
    assert {t["id"]: t["outcome"]["status"] for t in done} == {
        first: "cancelled",
        late: "cancelled",
        second: "ok",
    }


def test_wait_tells_how_it_ended(hello: Path, cadence: Cadence) -> None:
    """0 for well, 1 for dead, 75 at the time-out."""
    (hello / "prompts" / "bad.md").write_text("---\ncommand: [sh, -c, 'exit 1']\nretries: 0\n---\n")
    good, bad = cadence("enqueue", "hello").stdout.strip(), cadence("enqueue", "bad").stdout.strip()
    assert cadence("wait", good, "--timeout", "50ms").returncode == 75
    cadence("run", "--drain", "--quiet")
    assert cadence("wait", good).stdout == f"{good} ok\n"
    assert cadence("wait", good, bad).returncode == 1


def test_an_unwilling_home_is_refused_with_the_reason(hello: Path, cadence: Cadence) -> None:
    """A folder others may write, a symbolic link, a layout from the future."""
    state = hello / "state"
    state.chmod(0o770)
    assert "may be written by its group" in cadence("run", "--once").stderr
    state.chmod(0o700)
    (state / "keys").rmdir()
    (state / "keys").symlink_to(hello)
    assert "symbolic link" in cadence("run", "--once").stderr
    (state / "keys").unlink()
    (state / "keys").mkdir(mode=0o700)
    tick = cadence("enqueue", "hello").stdout.strip()
    (state / "FORMAT").write_text("2\n")
    for line in (
        *("run --once", "enqueue hello", "ls", f"rm {tick}", f"edit {tick} --priority 1", "pause", "gc"),
        *("dead purge --all", "down", "export", "stop"),
    ):
        ended = cadence(*line.split())
        assert (ended.returncode, "upgrade cadencebus" in ended.stderr) == (78, True), line
    assert [file.stem[-8:] for file in (state / "inbox").iterdir()] == [tick[-8:]]
    assert cadence("doctor").returncode == 1


def test_names_from_strangers_never_reach_a_terminal_raw(hello: Path, cadence: Cadence) -> None:
    """Escape sequences and newlines in a file's name are shown, not obeyed."""
    (hello / "state" / "inbox" / "a\x1b[31m\nb.json").write_text("{")
    (hello / "cadence.yaml").write_text("settle: 0\n")
    cadence("run", "--drain", "--quiet")
    (letter,) = (hello / "state" / "dead").glob("*.json")
    assert json.loads(letter.read_text())["file"] == "a\\x1b[31m\\nb.json"
    for words in (["ls"], ["show", letter.stem[-8:]]):
        assert "\x1b" not in cadence(*words).stdout
