"""`cadence check`: what is wrong with files that people write, and what would run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence


def test_an_empty_home_is_fine(cadence: Cadence) -> None:
    """Nothing is wrong with nothing."""
    assert cadence("check").returncode == 0
    assert json.loads(cadence("check", "--json").stdout) == {"checked": [], "problems": [], "warnings": []}


def test_every_problem_is_named_with_file_line_and_key(home: Path, cadence: Cadence, define: Define) -> None:
    """All broken files at once, the good ones with the program that they would run; exit 78."""
    define("good")
    (home / "prompts" / "typo.md").write_text("---\ndescription: x\nretires: 2\ntimeout: soon\n---\nDo it.\n")
    (home / "prompts" / "text.md").write_bytes(b"---\ntimeout: 5m\n---\n\xff")
    (home / "cadence.yaml").write_text("max_sessions: many\n")
    ended = cadence("check")
    assert ended.returncode == 78
    assert "prompts/typo.md:3: retires: unknown key; did you mean `retries`?" in ended.stdout
    assert 'prompts/typo.md:4: timeout: found "soon", allowed a duration' in ended.stdout
    assert "prompts/text.md:4: not UTF-8" in ended.stdout
    assert 'cadence.yaml:1: max_sessions: found "many"' in ended.stdout
    assert "prompts/good.md" in ended.stdout
    found = json.loads(cadence("check", "--json").stdout)["problems"]
    assert {(problem["file"], problem["line"]) for problem in found} == {
        ("prompts/typo.md", 3),
        ("prompts/typo.md", 4),
        ("prompts/text.md", 4),
        ("cadence.yaml", 1),
    }


def test_a_file_is_checked_alone_by_path_or_name(home: Path, cadence: Cadence, define: Define) -> None:
    """What else is broken does not matter then; what does not exist is exit 66."""
    define("good")
    (home / "prompts" / "bad.md").write_text("---\nretires: 2\n---\n")
    for word in ("prompts/good.md", "good.md", "good", "cadence.yaml", str(home / "prompts" / "good.md")):
        assert cadence("check", word).returncode == 0, word
    assert cadence("check", "bad").returncode == 78
    assert cadence("check", "prompts/none.md").returncode == 66


def test_a_runner_that_is_not_defined_is_a_problem(home: Path, cadence: Cadence) -> None:
    """Its runs could never start; told as any other, in its place, and not where nobody knows the runners."""
    (home / "prompts" / "x.md").write_text("---\nretries: 1\nrunner: cluade\n---\nDo it.\n")
    (home / "prompts" / "y.md").write_text("Do it.\n")
    ended = cadence("check")
    assert ended.returncode == 78
    known = "allowed one of claude, codex, command, gemini"
    assert f'prompts/x.md:3: runner: found "cluade", {known}; did you mean `claude`?' in ended.stdout
    (home / "cadence.yaml").write_text("defaults: {runner: own}\n")
    said = cadence("check").stdout
    assert f'runner: found "own", {known} (it comes from `defaults` in cadence.yaml)' in said
    (home / "cadence.yaml").write_text("defaults: {runner: own\n")
    assert [row["file"] for row in json.loads(cadence("check", "--json").stdout)["problems"]] == [
        "cadence.yaml"
    ]


@pytest.mark.parametrize(
    ("file", "text", "warning"),
    [
        ("x.md", "---\ncommand: [no-such-program]\n---\n", "no-such-program is not found in PATH"),
        ("x.md", "---\ncommand: [./tool]\n---\n", "./tool is not a program"),
        (
            "x.md",
            "---\ncommand: ['true']\nguard: [no-guard]\n---\n",
            "its guard no-guard is not found in PATH",
        ),
        ("x.md", "---\ncommand: ['true']\ncwd: nowhere\n---\n", "is not a folder: its runs can't start"),
        ("x.md", "---\ncommand: ['true']\nthen: [y]\n---\n", "then: there is no cadence 'y'"),
        ("My Job.md", "Do it.\n", "prompts/My Job.md: no cadence: a name is a-z"),
        ("x.md", "---\ncommand: [~/bin/x]\n---\n", "x.md: ~/bin/x is taken literally, write /"),
        ("x.md", "\n---\nrunner: command\n---\n", "x.md: `runner:` is part of its prompt: keys stand"),
        ("x.md", "schedule: '0 7 * * *'\n\nDo it.\n", "x.md: `schedule:` is part of its prompt: keys stand"),
    ],
)
def test_what_would_go_wrong_later_is_a_warning(
    home: Path, cadence: Cadence, file: str, text: str, warning: str
) -> None:
    """It may be right on the machine where the consumer runs: exit 0."""
    (home / "prompts" / file).write_text(text)
    ended = cadence("check")
    assert ended.returncode == 0, ended.stdout
    assert warning in ended.stderr


def test_a_notice_that_nobody_could_give_is_a_warning(home: Path, cadence: Cadence) -> None:
    """It is first needed at the worst moment."""
    (home / "cadence.yaml").write_text("notify: [{command: ['true']}, {command: [./tell-me]}]\n")
    ended = cadence("check")
    assert ended.returncode == 0
    assert ended.stderr.splitlines() == [
        "warning: cadence.yaml: notify.1: ./tell-me is not a program: nobody is told by it"
    ]


def test_an_agents_binary_is_found_as_its_run_would_and_says_its_version(
    home: Path, cadence: Cadence, tmp_path: Path
) -> None:
    """In the folders that launchd's bare PATH lacks, too."""
    folder = tmp_path / ".local" / "bin"
    folder.mkdir(parents=True)
    (folder / "claude").write_text("#!/bin/sh\necho '9.8.7 (\x1b[1mdouble\x1b[0m)'\n")
    (folder / "claude").chmod(0o755)
    (home / "prompts" / "x.md").write_text("Do it.\n")
    (checked,) = json.loads(cadence("check", "--json").stdout)["checked"]
    assert checked["program"] == str(folder / "claude")
    assert checked["version"] == "9.8.7 (double)"


def test_a_heartbeat_is_checked_with_the_cadences(home: Path, cadence: Cadence, define: Define) -> None:
    """Its broken tasks by line; a file of the same name wins, which is said."""
    (home / "cadence.yaml").write_text("defaults: {command: [cat]}\n")
    define("both")
    text = "tasks:\n- name: {}\n  interval: {}\n  prompt: p\n"
    (home / "HEARTBEAT.md").write_text(text.format("beat", "5m") + text.format("both", "5m")[7:])
    ended = cadence("check")
    assert ended.returncode == 0
    assert "HEARTBEAT.md (beat)  command" in ended.stdout
    assert "HEARTBEAT.md:5: prompts/both.md has the same name, and wins" in ended.stderr
    (home / "HEARTBEAT.md").write_text(text.format("beat", "often"))
    for words in (["check"], ["check", "HEARTBEAT.md"], ["check", "beat"]):
        ended = cadence(*words)
        assert ended.returncode == 78, words
        assert ended.stdout.count("HEARTBEAT.md:3: interval: 'often' must be") == 1, words


def test_a_schedule_that_has_ended_is_pointed_out(cadence: Cadence, define: Define) -> None:
    """Nobody would know why it never fires."""
    define("work", every="5m", expires_at="2020-01-01T00:00:00Z")
    ended = cadence("check")
    assert ended.returncode == 0
    assert "prompts/work.md: expires_at lies in the past: it does not fire any more" in ended.stderr


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("expect: { file: out.md }", "it expects out.md, and permits nothing: cadence help agents"),
        ("expect: { proof: true }", "it expects `cadence proof`, and permits nothing"),
        ("expect: { file: out.md }\npermission_mode: acceptEdits", None),
        ("expect: { file: out.md }\nargs: [--permission-mode, acceptEdits]", None),
        ("steps: [{ name: a, prompt: b }]", "steps: not built yet, it changes nothing"),
        ("investigate: true", "investigate: not built yet, it changes nothing"),
    ],
)
def test_what_does_not_do_what_one_would_think_is_a_warning(
    home: Path, cadence: Cadence, keys: str, says: str | None
) -> None:
    """An agent that may write nothing ends well, and has written nothing: better heard before the night."""
    (home / "prompts" / "brief.md").write_text(f"---\n{keys}\n---\nWrite it.\n", encoding="utf-8")
    ended = cadence("check", "brief")
    told = [line for line in ended.stderr.splitlines() if "not built" in line or "permits" in line]
    assert ended.returncode == 0
    assert len(told) == (says is not None)
    assert says is None or says in told[0]
