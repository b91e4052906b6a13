"""What people mistype, and what they are told: what is wrong, and what would be right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cadencebus.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define

# argparse's own words, which tell a person little; and a question that answers itself.
JARGON = re.compile(
    r"argument |invalid choice|are required|unrecognized|explicit|expected one"
    r"|no option (\S+): did you mean '\1'"
)
MISTAKES: list[tuple[str, int, str]] = [
    ("ls waiting", 64, "'waiting' is none of deferred, inbox, claimed, done, dead"),
    ("ls inbx", 64, "did you mean 'inbox'?"),
    ("ls --cadense hello", 64, "no option --cadense: did you mean '--cadence'?"),
    ("pause --untli 09:00", 64, "no option --untli: did you mean '--until'?"),
    ("circuit --until 09:00", 64, "no option --until; try: "),
    ("pause --until 2020-01-01", 64, "--until lies in the past"),
    ("pause --until 09:00 --for 2h", 64, "--for and --until: only one of them"),
    ("pause --until monday", 64, "'monday' is not a time: 14:30, 2026-12-01 09:00"),
    ("ls --limit", 64, "wants a value"),
    ("ls inbox dead", 64, "one word too many: 'dead'"),
    ("dead rety", 64, "'rety' is none of ls, show, retry, purge: did you mean 'retry'?"),
    ("dead --since soon", 64, "--since: 'soon' is not a duration such as 90s"),
    ("pause hello --for -3", 64, "--for"),
    ("next --hours never", 64, "--hours never: not a duration"),
    ("next --hours 99999999999", 64, "at most ten years"),
    ("ls --limit 99999999999999999999", 64, "'99999999999999999999' is more than there can be"),
    ("enqueue hello --in soon", 64, "--in soon: not a duration"),
    ("enqueue hello --in 1h --at 14:00", 64, "give one of them"),
    ("enqueue hello world", 64, "'world' is one word too many"),
    ("enqueue hello --key=", 64, "--key is empty"),
    ("enqueue hello --source=", 64, "--source takes plain characters"),
    ("enqueue hello --wait=3", 64, "--wait takes no value"),
    ("enqueue prompts/hello.md", 66, "did you mean 'hello'?"),
    ("enqueue Hello", 66, "did you mean 'hello'?"),
    ("import prompts/hello.md", 65, "prompts/hello.md: line 1: not JSON"),
    ("install", 64, "install: wants launchd, systemd or cron"),
    ("install windows", 64, "'windows' is none of launchd, systemd, cron"),
    ("show", 64, "show: wants TICK"),
    ("proof", 64, "proof: wants TEXT"),
    ("run --once --drain", 64, "--drain and --once: only one of them"),
    ("fire hello --wait=3", 64, "--wait: takes no value"),
    ("collisions --weigh time", 64, "--weigh: 'time' is none of duration"),
    ("fire hello --payload=", 65, "--payload: "),
    ("show hello", 66, "'hello' is a cadence, not a tick"),
    ("logs helo", 66, "no tick 'helo' in"),
    ("logs helo", 66, "did you mean 'hello'?"),
    ("fire hello", 75, "hello can't start now: no consumer: cadence up starts one"),
]


class Answer(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def typed(
    define: Define, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Answer]:
    """Type a line in a home that has the cadence `hello`."""
    define("hello")
    monkeypatch.setenv("CADENCE_HOME", str(home))
    monkeypatch.chdir(home)

    def type_(line: str) -> Answer:
        return Answer(main(line.split()), *capsys.readouterr())

    return type_


@pytest.mark.parametrize(("line", "code", "says"), MISTAKES)
def test_a_mistake_is_answered_in_plain_words(
    typed: Callable[[str], Answer], line: str, code: int, says: str
) -> None:
    """One line with what to type; no argparse in it, and nothing for a pipe to swallow."""
    answer = typed(line)
    assert (answer.code, answer.out) == (code, "")
    assert says in answer.err
    assert answer.err.startswith("cadence: ")
    assert len(answer.err.splitlines()) == 1
    assert not JARGON.search(answer.err)


@pytest.mark.parametrize(
    "words",
    [
        *(["pause", ""], ["pause", "--credentials", ""], ["resume", ""], ["resume", "--credentials="]),
        *(["dead", "purge", "--class=", "--all"], ["ls", "--cadence", ""], ["metrics", "--textfile", ""]),
        ["init", ""],
    ],
)
def test_a_variable_that_was_never_set_means_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """`cadence pause "$NAME"` does not mean the whole bus, nor `cadence init "$DIR"` this folder."""
    monkeypatch.setenv("CADENCE_HOME", str(home))
    assert main(words) == 64
    assert "an empty word names nothing" in capsys.readouterr().err
    assert not list((home / "state" / "holds").iterdir())


@pytest.mark.parametrize(
    ("given", "says"), [("cadence.yaml", "a file"), ("nowhere", "no such folder"), (".", "no state/")]
)
def test_what_is_no_home_is_called_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: str, says: str
) -> None:
    """A file is not answered by an invitation to make a home of it."""
    (tmp_path / "cadence.yaml").touch()
    assert main(["--home", str(tmp_path / given), "ls"]) == 78
    said = capsys.readouterr().err
    assert says in said
    assert ("cadence init" in said) == (given != "cadence.yaml")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("dead retry --class tiemout", "0 retried: none died of 'tiemout': did you mean 'timeout'?"),
        ("dead --class tiemout", "did you mean 'timeout'?"),
        ("dead show --class crash", "no dead letters: none died of 'crash'\n"),
        ("circuit ls helo", "no circuit is open: no cadence 'helo'"),
        ("dead retry --cadence helo", "did you mean 'hello'?"),
        ("dead purge --class tiemout", "0 purged: none died of 'tiemout'"),
        ("resume --credentials antropic", "no runner uses credentials 'antropic'"),
    ],
)
def test_a_filter_that_finds_nothing_says_why(typed: Callable[[str], Answer], line: str, says: str) -> None:
    """Nothing to do is no error, but the word may be mistyped."""
    answer = typed(line)
    assert (answer.code, answer.out) == (0, "")
    assert says in answer.err


@pytest.mark.parametrize("line", ["ls", "doctor", "init", "init there"])
def test_whoever_stands_in_no_folder_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """The system says "No such file or directory", and of which it does not say."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(line.split()) == 78
    assert capsys.readouterr().err.startswith("cadence: the current folder is gone; try: cd")


def test_a_word_that_is_not_utf8_is_part_of_no_id(home: Path, typed: Callable[[str], Answer]) -> None:
    """Also where letters have left dead/, which are looked through then."""
    (home / "state" / "dead-archive.jsonl").write_text("{}\n")
    answer = typed("show \udcff")
    assert answer.code == 66
    assert "no tick" in answer.err


def test_a_number_that_is_not_allowed_is_not_guessed_at(typed: Callable[[str], Answer]) -> None:
    """99 was hardly meant as 9."""
    tick = typed("enqueue hello").out.strip()
    said = typed(f"edit {tick} --priority 99").err
    assert "99 is none of 0, 1" in said
    assert "did you mean" not in said


def test_who_runs_once_hears_that_something_still_waits(home: Path, typed: Callable[[str], Answer]) -> None:
    """An emergency stop, a hold: silence would look like success."""
    typed("enqueue hello")
    (home / "state" / "STOP").touch()
    assert typed("run --once").err.endswith("some ticks still wait: cadence status says why\n")
    assert typed("run --once --quiet").err == ""
    (home / "state" / "STOP").unlink()
    assert "still wait" not in typed("run --once").err


def test_what_waits_for_a_consumer_does_not_blame_the_slots(
    define: Define, typed: Callable[[str], Answer]
) -> None:
    """Three queues, two slots, nobody there: all three wait for the same thing."""
    for name in ("one", "two", "three"):
        define(name)
        assert typed(f"enqueue {name}").code == 0
    assert typed("ls inbox").out.count("no consumer: cadence up starts one") == 3
