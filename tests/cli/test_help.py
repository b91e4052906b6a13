"""`cadence help` and `cadence completion`: what can be typed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.cli.main import VERBS, all_verbs, main

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence

OPTIONS = ["--debug", "--help", "--home", "--json", "--quiet"]
DOCS = Path(__file__).parents[2] / "docs"


def test_every_document_can_be_read(cadence: Cadence) -> None:
    """The same texts, by name; without a topic, all names."""
    listed = cadence("help", env={"CADENCE_HOME": ""}).stdout
    for document in DOCS.glob("*.md"):
        assert f"\n{document.stem} " in f"\n{listed}"
        shown = cadence("help", document.stem, env={"CADENCE_HOME": ""}).stdout
        assert shown.endswith(document.read_text())
    assert cadence("help", "nothing").returncode == 66
    for room in ("finding", "main", "../x"):
        assert cadence("help", room).returncode == 66


def test_a_verb_explains_itself_where_python_drops_what_modules_say(cadence: Cadence) -> None:
    """`python -OO`: a verb is known by its file, not by the line above its code."""
    bare = {"CADENCE_HOME": "", "PYTHONOPTIMIZE": "2"}
    assert cadence("help", "wait", env=bare).stdout.startswith("usage: cadence wait ")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("help cli", "text"),
        ("help wait", "text"),
        ("help rate_limited", "text"),
        ("completion bash", "script"),
    ],
)
def test_texts_are_one_document_of_json_as_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: str, key: str
) -> None:
    """One rule for all verbs; what stands in it is what is printed without."""
    monkeypatch.setenv("CADENCE_HOME", "")
    assert main(words.split()) == 0
    plain = capsys.readouterr().out
    assert main([*words.split(), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[key] == plain


@pytest.mark.parametrize(
    ("word", "says"),
    [
        (
            "max_turns",
            "cadence: max_turns · allowed: a whole number, 1 or more · meaning: turn budget of a run",
        ),
        ("billing", "failures: auth, billing · on: credentials · set when: not signed in, no credit"),
        ("rate_limited", "failures: rate_limited · it means: the account has reached a usage or rate limit"),
        ("tick.again", "journal: tick.again · when: it went back to inbox/"),
        ("clock.jumped", "doctor: clock.jumped · level: warn"),
        ("coalesce", "scheduling: overlap · promise: coalesce (default)"),
    ],
)
def test_a_word_of_the_bus_is_explained_by_the_tables(
    capsys: pytest.CaptureFixture[str], word: str, says: str
) -> None:
    """A key, a class, an event: what one meets on a screen can be asked for by its name."""
    assert main(["help", word]) == 0
    said = capsys.readouterr()
    assert says in said.out
    assert "all of it: cadence help " in said.err


def test_a_document_is_set_for_a_terminal(screen: Screen) -> None:
    """Words are not broken at its edge, tables are tables."""
    shown = screen("help", "failures", columns=60).splitlines()
    assert max(map(len, shown)) <= 60
    assert not [line for line in shown if line.startswith("| ")]
    assert any(line.split()[:2] == ["ok", "the"] for line in shown)


def test_a_document_has_no_background_of_its_own(screen: Screen) -> None:
    """A white box blinds on a dark terminal, a black one is a hole in a light one."""
    shown = screen("help", "cookbook", env={"NO_COLOR": ""})
    assert "\x1b[1m" in shown
    assert not re.findall(r"\x1b\[(?:\d+;)*(?:4[0-8]|10[0-7])[;m]", shown)


def test_no_line_of_help_is_wider_than_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eighty columns are what everybody has; a broken example can't be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, all_verbs().splitlines())) <= 80
    for verb in VERBS:
        assert main([verb, "--help"]) == 0
        assert not [line for line in capsys.readouterr().out.splitlines() if len(line) > 80], verb


def complete(environment: dict[str, str], home: Path, *words: str) -> list[str]:
    """Press the key behind these words, the last of which is being typed."""
    typed = " ".join(f"'{word}'" for word in words)
    script = (
        f"source <(cadence completion bash); COMP_WORDS=(cadence {typed}); COMP_CWORD={len(words)}; "
        '_cadence; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    ended = subprocess.run(
        ["bash", "-c", script], env=environment, cwd=home, capture_output=True, encoding="utf-8", check=True
    )
    assert ended.stderr == ""
    return ended.stdout.split()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_bash_completes_verbs_cadences_ids_and_options(
    home: Path,
    environment: dict[str, str],
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
) -> None:
    """Of the home that is meant."""
    define("brief")
    define("other")
    tick = enqueue("brief")
    assert complete(environment, home, "st") == ["status", "stop", "start", "stats"]
    assert complete(environment, home, "enqueue", "br") == ["brief"]
    assert complete(environment, home, "show", "") == [tick[-8:]]
    assert complete(environment, home, "show", "-") == OPTIONS
    assert complete(environment, home, "show", "--") == OPTIONS
    assert "--check" in complete(environment, home, "status", "")
    assert complete(environment, home, "kill", "--re") == ["--requeue"]
    assert complete(environment, home, "ls", "--cadence", "o") == ["other"]
    batch = cadence("enqueue", "--batch", "-", stdin='{"cadence": "other"}\n' * 40)
    # Of what waits longest nobody is shown more than fits; typed, it is found.
    assert len(complete(environment, home, "show", "")) < 20
    assert complete(environment, home, "show", tick[-8:-3]) == [tick[-8:]]
    cadence("rm", *batch.stdout.split())
    cadence("rm", tick)
    assert tick[-8:] not in complete(environment, home, "bump", "")
    environment["CADENCE_HOME"] = ""
    assert complete(environment, home.parent, "show", "--h") == ["--help", "--home"]
    assert complete(environment, home.parent, "--home", str(home), "enqueue", "br") == ["brief"]


def in_zsh(words: tuple[str, ...]) -> str:
    """Press the key in zsh: `compadd` tells what it is given."""
    typed = " ".join(f"'{word}'" for word in words)
    return (
        "compdef() { }; compadd() { shift; print -rl -- $@ }; source <(cadence completion zsh); "
        f"words=(cadence {typed}); CURRENT={len(words) + 1}; _cadence"
    )


def in_fish(words: tuple[str, ...]) -> str:
    """Press the key in fish, which can be asked what it would offer."""
    return f"cadence completion fish | source; complete -C 'cadence {' '.join(words)}'"


@pytest.mark.parametrize(("shell", "press"), [("zsh -f", in_zsh), ("fish --no-config", in_fish)])
def test_other_shells_complete_as_well(
    home: Path,
    environment: dict[str, str],
    define: Define,
    enqueue: Callable[..., str],
    shell: str,
    press: Callable[[tuple[str, ...]], str],
) -> None:
    """Where zsh or fish is installed: verbs, ids, cadences, documents."""
    program, option = shell.split()
    if not shutil.which(program):
        pytest.skip(f"no {program}")

    def offered(*words: str) -> set[str]:
        ended = subprocess.run(
            [program, option, "-c", press(words)],
            env=environment,
            cwd=home,
            capture_output=True,
            encoding="utf-8",
            check=True,
        )
        assert ended.stderr == ""
        return {line.split("\t")[0] for line in ended.stdout.splitlines()}

    define("brief")
    tick = enqueue("brief")
    assert {"status", "stop", "doctor"} <= offered("")
    assert tick[-8:] in offered("show", "")
    assert "brief" in offered("fire", "")
    assert {"doctor", "security"} <= offered("help", "")
    assert {"retry", "purge"} <= offered("dead", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shells_script_is_one_of_that_shell(cadence: Cadence, shell: str) -> None:
    """Where the shell is installed, it reads its script without complaint."""
    script = cadence("completion", shell, env={"CADENCE_HOME": ""}).stdout
    assert "cadence completion words" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, encoding="utf-8", check=True)
