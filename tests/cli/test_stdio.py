"""Standard output that is full, closed or no longer read; standard error and input likewise."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define

    Shell = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def shell(home: Path, environment: dict[str, str], define: Define) -> Shell:
    """Run a line of shell in a home that has the cadence `work`."""
    define("work")

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", line], env=environment, cwd=home, capture_output=True, encoding="utf-8", check=False
        )

    return run


ANSWERS = ["ls --help", "enqueue work", "holds --json"]


@pytest.mark.parametrize("words", ANSWERS)
@pytest.mark.parametrize(("where", "why"), [("/dev/full", "No space left"), ("&-", "Bad file descriptor")])
def test_an_answer_that_can_t_be_written_is_an_error(shell: Shell, words: str, where: str, why: str) -> None:
    """Exit 74 and one line, not the interpreter's 120 and its last words."""
    ended = shell(f"cadence {words} >{where}")
    assert (ended.returncode, ended.stderr.count("\n")) == (74, 1), ended.stderr
    assert ended.stderr.startswith(f"cadence: standard output: {why}")


@pytest.mark.parametrize("words", ["ls --help", "help cli", "metrics"])
def test_a_reader_who_has_seen_enough_hears_nothing(
    home: Path, environment: dict[str, str], words: str
) -> None:
    """`| true`: exit 0, no last words."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        ended = subprocess.run(
            ["cadence", *words.split()],
            env=environment,
            cwd=home,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_where_nobody_can_be_told_the_work_is_done_all_the_same(shell: Shell, home: Path) -> None:
    """A hint that finds standard error full or closed changes no exit code."""
    for where in ("/dev/full", "&-"):
        assert shell(f"cadence holds 2>{where}").returncode == 0
        assert shell(f"cadence stop 2>{where}").returncode == 0
        assert shell(f"cadence enqueue nobody 2>{where}").returncode == 66
    assert shell("cadence run --drain 2>/dev/full").returncode == 0
    assert (home / "state" / "STOP").read_text().endswith("cadence stop\n")


@pytest.mark.parametrize("words", ["enqueue work --payload -", "enqueue --batch -", "import -"])
def test_input_that_can_t_be_read_is_one_line(shell: Shell, home: Path, words: str) -> None:
    """Exit 66, and nothing was put in."""
    ended = shell(f"cadence {words} <&-")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (66, "", 1), ended.stderr
    assert not list((home / "state" / "inbox").iterdir())


def test_debug_adds_the_traceback_and_takes_nothing_away(shell: Shell) -> None:
    """The line, the next step and the exit code stay what they are."""
    ended = shell("cadence --debug enqueue nobody")
    assert ended.returncode == 66
    *trace, line = ended.stderr.splitlines()
    assert trace[0].startswith("Traceback")
    assert line.startswith("cadence: no cadence 'nobody'")
    assert line.endswith("; try: cadence cadences")


def test_a_home_that_is_half_gone_is_sent_to_the_doctor(shell: Shell) -> None:
    """An error of the disk names the path, and who looks after it."""
    ended = shell("rmdir state/tmp && cadence pause")
    assert ended.returncode == 74
    assert ended.stderr.startswith(f"cadence: {shell('pwd').stdout.strip()}/state/tmp/hold.")
    assert ended.stderr.endswith("; try: cadence doctor\n")
    assert ended.stderr.count("\n") == 1


def test_a_filter_that_finds_nothing_may_be_mistyped(shell: Shell) -> None:
    """Exit 0: there may be ticks of a cadence that is no more; but it is said."""
    for words in ("ls", "history"):
        ended = shell(f"cadence {words} --cadence wrok")
        assert (ended.returncode, ended.stdout) == (0, "")
        assert "no cadence 'wrok'" in ended.stderr
        assert "did you mean 'work'?" in ended.stderr
        assert "wrok" not in shell(f"cadence {words} --cadence work").stderr


def test_a_fault_of_our_own_is_one_line_and_no_verdict(shell: Shell, home: Path) -> None:
    """Exit 70, never 1, which says that something is not well."""
    line = "import sys; from cadencebus.cli import ls, main; ls.main = None; sys.argv[1:] = ['ls']"
    ended = shell(f'python -c "{line}; sys.exit(main.main())"')
    assert (ended.returncode, ended.stderr.count("\n")) == (70, 1), ended.stderr
    assert "main.py:" in ended.stderr


WRONG = {
    "enqueue work --priority ²": (64, "0 to 9"),
    "enqueue work --paylod 1": (64, "did you mean '--payload'?"),
    "enqueue -x work": (64, "no option -x"),
    "enqueue work --wait --timeout soon": (64, "--timeout soon"),
    "enqueue work --timeout 5s": (64, "goes with --wait"),
    "fire work --timeout 5s": (64, "goes with --wait"),
    "enqueue work --payload @nowhere": (66, "No such file"),
    "enqueue work --set a=$(printf '\\377')": (65, "--set: not UTF-8"),
    "enqueue work --key $(printf '\\377')": (65, "--key: not UTF-8"),
    "fire work --payload $(printf '\\377')": (65, "not UTF-8"),
    "ls --cadnce work": (64, "no option --cadnce: did you mean '--cadence'?"),
    "enqueue work --home=": (64, "--home wants a folder"),
    "enqueue --batch a --batch b": (64, "goes alone"),
    "enqueue work --payload @/dev/zero": (65, "more than 1048576 bytes"),
    "init /dev/null/home": (73, "/dev/null"),
    "help enqueu": (66, "did you mean 'enqueue'?"),
    "--jsn ls": (64, "no option '--jsn': did you mean '--json'?"),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_word_puts_nothing_in(shell: Shell, home: Path, words: str) -> None:
    """One line says which, before anything has happened."""
    code, says = WRONG[words]
    ended = shell(f"cadence {words}")
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr.splitlines()[0]
    assert not list((home / "state" / "inbox").iterdir())


def test_a_locale_that_can_t_spell_it_ends_no_answer(shell: Shell, define: Define) -> None:
    """A person reads a question mark, a program every character."""
    define("work", description="naïve")
    poor = "LC_ALL=POSIX PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 cadence"
    for words in ("--help", "enqueue --help", "completion zsh"):
        ended = shell(f"{poor} {words}")
        assert (ended.returncode, ended.stderr) == (0, ""), words
    assert "na?ve" in shell(f"{poor} cadences").stdout
    tick = shell(f"{poor} enqueue work --set k=ü --key ß").stdout
    assert [json.loads(shell(f"cadence show --json {tick}").stdout)[key] for key in ("payload", "key")] == [
        {"k": "ü"},
        "ß",
    ]
    assert json.loads(shell(f"{poor} cadences --json").stdout)[0]["description"] == "naïve"


def test_without_a_verb_the_verbs_are_told_as_an_error(shell: Shell) -> None:
    """A pipe gets nothing that looks like an answer."""
    ended = shell("cadence")
    assert (ended.returncode, ended.stdout) == (64, "")
    assert "enqueue" in ended.stderr


def test_json_stays_one_document_where_a_hint_is_due(shell: Shell) -> None:
    """What a person should know stands on standard error."""
    assert json.loads(shell("cadence resume work --json").stdout) == []
    assert json.loads(shell("cadence uninstall --json").stdout) == {"by": None, "files": []}
    units = json.loads(shell("cadence install systemd --print --json").stdout)["units"]
    assert units[0]["text"].splitlines()[2] == "[Unit]"
    gone = shell("mkdir x && cd x && rmdir ../x && env -u CADENCE_HOME cadence ls")
    assert gone.returncode == 78
    assert gone.stderr.startswith("cadence: the current folder is gone; try: ")


def test_a_locale_from_before_gets_signs_that_it_can_spell(shell: Shell, define: Define) -> None:
    """A `?` in the place of an arrow, or of a cross, would be another word; a row of them is no plot."""
    define("work", "true")
    shell("cadence enqueue work; cadence run --drain")
    assert ".......#" in shell("PYTHONIOENCODING=ascii cadence stats").stdout
    assert "  ->  cadence up\n" in shell("PYTHONIOENCODING=latin-1 cadence doctor").stdout
