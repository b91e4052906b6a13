"""What holds for all verbs: help, pipes, JSON, empty homes, rubbish; and the page that lists them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.cli.main import VERBS, main

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Define, Screen
    from tests.conftest import Cadence

LOOKING = [
    ["ls"],
    ["status"],
    ["status", "--check"],
    ["cadences"],
    ["next"],
    ["collisions"],
    ["check"],
    ["holds"],
    ["ps"],
    ["circuit"],
    ["dead"],
    ["history"],
    ["stats"],
    ["metrics"],
    ["doctor"],
]
STREAMS = {"ls", "dead", "history"}
PAGES = Path(__file__).parents[2] / "docs"
PAGE = (PAGES / "cli.md").read_text(encoding="utf-8")


def tree(home: Path) -> dict[str, tuple[int, int]]:
    """Take down what lies in a home, and when it was written."""
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(home.rglob("*"))}


@pytest.fixture
def ill(home: Path, define: Define) -> Path:
    """Fill a home with what goes wrong in time."""
    state = home / "state"
    define("good")
    (home / "prompts" / "broken.md").write_text("---\nretires: 2\n---\n")
    (home / "prompts" / "Not a Cadence.md").write_text("")
    (home / "cadence.yaml").write_text("max_sessions: [\n")
    (state / "consumer.json").write_text("{torn")
    (state / "circuit-open.json").write_text("")
    (state / "cadences" / "good.json").write_text('{"circuit": 7, "failures": "many", "last_run": []}')
    (state / "cadences" / "torn.json").write_text("{")
    (state / "holds" / "cadence-good.paused.json").write_text("\x00")
    (state / "holds" / "strange.json").write_text('{"until": "soon"}')
    (state / "holds" / "bus.disk_full.json").mkdir()
    (state / "events" / "2026-11-21.jsonl").write_text('{"event": "run.ended"}\n{torn\n[]\n{"at": "x"}')
    name = "5-20261121T023000.123456Z-{}-7f3k9q2{}.json"
    for at, (folder, text) in enumerate(
        [
            ("inbox", "{torn"),
            ("inbox", '{"cadence": "good", "attempts": {"a": 1}}'),
            ("claimed", "[]"),
            ("dead", ""),
        ]
    ):
        (state / folder / name.format("good", at)).write_text(text)
    (state / "inbox" / name.format("nobody", "5")).write_text('{"cadence": "nobody"}')
    (state / "inbox" / "folder.json").mkdir()
    (state / "dead" / (name.format("good", "6") + ".raw")).write_bytes(b"\xff\x1b[31m")
    (state / "deferred" / "99999999T999999.999999Z~x.json").write_text("")
    (state / "done" / "2026-11-21").mkdir()
    (state / "done" / "2026-11-21" / name.format("good", "7")).write_text('{"outcome": "ok"}')
    (state / "runs" / "2026-11-21").mkdir()
    (state / "runs" / "rubbish").write_text("")
    return home


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_at_an_empty_home_is_no_error(home: Path, cadence: Cadence, words: list[str]) -> None:
    """Exit 0, JSON that can be read, and nothing was made by looking."""
    before = tree(home)
    assert cadence(*words).returncode == 0
    told = cadence(*words, "--json")
    assert told.returncode == 0
    if words[0] in STREAMS:
        assert told.stdout == ""
    else:
        json.loads(told.stdout)
    assert tree(home) == before


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_at_a_home_that_is_half_broken_tells_what_can_be_told(
    ill: Path, cadence: Cadence, screen: Screen, words: list[str]
) -> None:
    """No traceback, no escape from the disk, nothing mended or made by looking."""
    before = tree(ill)
    ends = [cadence(*words), cadence(*words, "--json")]
    for ended in ends:
        assert ended.returncode in {0, 1, 78}, ended.stderr
        assert "Traceback" not in ended.stderr
        assert "\x1b" not in ended.stdout
    told = ends[1].stdout
    for line in told.splitlines() if words[0] in STREAMS else [told]:
        json.loads(line)
    for columns in (80, 200):
        assert "Traceback" not in screen(*words, columns=columns)
    assert tree(ill) == before


def test_each_tick_of_a_half_broken_home_can_be_shown(ill: Path, cadence: Cadence) -> None:
    """Whatever its file says."""
    for line in cadence("ls", "--json").stdout.splitlines():
        assert cadence("show", Path(json.loads(line)["file"]).name).returncode == 0, line


@pytest.fixture
def homeless(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process, far from any home: exit code, output, errors."""
    monkeypatch.setenv("CADENCE_HOME", "")
    monkeypatch.chdir("/")

    def run(*words: str) -> tuple[int, str, str]:
        return (main(words), *capsys.readouterr())

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_explains_itself_by_example(homeless: Callable[..., tuple[int, str, str]], verb: str) -> None:
    """`--help` needs no home, and the examples start with the command."""
    code, explained, errors = homeless(verb, "--help")
    assert (code, errors) == (0, "")
    assert re.search(rf"^  .*\bcadence {verb}\b", explained, re.MULTILINE), explained
    _, helped, _ = homeless("help", verb)
    # A verb with a page of its own is explained first, and then told of.
    assert helped.startswith(explained)
    assert helped == explained or (PAGES / f"{verb}.md").exists()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "enqueue"])
def test_an_option_that_nobody_knows_is_one_line(
    homeless: Callable[..., tuple[int, str, str]], verb: str
) -> None:
    """Exit 64, and where to look."""
    code, said, errors = homeless(verb, "--no-such-option")
    assert (code, said) == (64, "")
    assert len(errors.splitlines()) == 1
    assert f"cadence {verb} --help" in errors


def test_the_page_lists_every_verb_and_no_other(homeless: Callable[..., tuple[int, str, str]]) -> None:
    """docs/cli.md is true; each option that it names exists."""
    rows = re.findall(r"^\| (`.*?`(?:, `.*?`)*) \| ", PAGE, re.MULTILINE)
    spelled = [use for row in rows for use in re.findall(r"`([^`]+)`", row)]
    assert {use.split()[0] for use in spelled} == set(VERBS)
    for use in spelled:
        verb = use.split()[0]
        _, helped, _ = homeless(verb, "--help")
        for option in re.findall(r"--?[a-z][a-z-]*", use.replace("\\|", " ")):
            assert re.search(rf"(?<![\w-]){option}\b", helped), f"{verb} has no {option}"
