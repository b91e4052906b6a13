"""`cadence dead`: letters are read, retried as new ticks, removed into an archive."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture
def die(cadence: Cadence, define: Define, enqueue: Callable[..., str]) -> Callable[..., str]:
    """Let a tick of a cadence die, and give its id."""

    def let_die(name: str = "bad", *words: str, script: str = "exit 3") -> str:
        define(name, script, retries=0, backoff=[0], circuit={"failures": 0})
        tick = enqueue(name, *words)
        assert cadence("run", "--drain", "--quiet").returncode == 0
        return tick

    return let_die


def archive(home: Path) -> list[dict[str, Any]]:
    """Read the archive of letters that left dead/."""
    path = home / "state" / "dead-archive.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_letters_are_listed_by_what_they_died_of(cadence: Cadence, die: Callable[..., str]) -> None:
    """Filters by cadence, class and time; as JSON the files' own keys."""
    one = die("one", "--set", "n=1")
    other = die("other", script="exit 78")
    shown = cadence("dead").stdout
    assert one in shown
    assert other in shown
    for words, wanted in (
        (["--cadence", "one"], [one]),
        (["--class", "crash"], [one]),
        (["--since", "1h"], [one, other]),
        (["--since", "0s"], []),
        (["--all"], [one, other]),
        ([one[-8:]], [one]),
    ):
        lines = cadence("dead", "ls", *words, "--json").stdout.splitlines()
        assert [json.loads(line)["id"] for line in lines] == wanted, words
    assert "exit 3" in cadence("dead", "show", one).stdout


def test_a_retry_is_a_new_tick_that_names_the_old_one(
    home: Path, cadence: Cadence, die: Callable[..., str], define: Define, ticks: Ticks
) -> None:
    """With its cadence, payload, priority and hops; its key is remembered, not kept."""
    old = die("bad", "--set", "week=47", "--priority", "2", "--key", "k")
    letter = ticks("dead")[old]
    ended = cadence("dead", "retry", old[-8:])
    assert ended.returncode == 0, ended.stderr
    new = ended.stdout.strip()
    tick = ticks("inbox")[new]
    assert (tick["cadence"], tick["payload"], tick["priority"]) == ("bad", {"week": 47}, 2)
    assert (tick["source"], tick["retry_of"], tick["origin_key"], tick["key"]) == ("retry", old, "k", None)
    assert tick["attempts"] == []
    assert not ticks("dead")
    (line,) = archive(home)
    assert (line["why"], line["retried_as"]) == ("retried", [new])
    assert line["letter"] == {key: value for key, value in letter.items() if key != "_file"}
    define("bad")
    cadence("run", "--drain", "--quiet")
    assert ticks("done")[new]["outcome"]["status"] == "ok"


def test_what_a_dead_run_had_absorbed_comes_back_too(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """Each as a tick of its own that names the one it was."""
    define("bad", "exit 3", retries=0)
    ids = [enqueue("bad", "--set", "n=1") for _ in range(3)]
    cadence("run", "--drain", "--quiet")
    ended = cadence("dead", "retry", "--all", "--json")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == "1 retried, and 2 ticks that its run had absorbed\n"
    back = ticks("inbox")
    assert {tick["retry_of"] for tick in back.values()} == set(ids)
    assert [tick["payload"] for tick in back.values()] == [{"n": 1}] * 3
    assert set(json.loads(ended.stdout)["retried_as"]) == set(back)


def test_what_a_killed_run_had_absorbed_comes_back_too(
    cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """It lies in done/, and stays there: asked twice, the same ticks are named; no filter takes it along."""
    define("bad", f"{sys.executable} -m cadencebus kill $CADENCE_TICK_ID; sleep 30", kill_grace="100ms")
    ids = [enqueue("bad") for _ in range(3)]
    cadence("run", "--drain", "--quiet")
    assert ticks("done")[ids[0]]["outcome"]["status"] == "killed"
    assert cadence("dead", "retry", "--all").stdout == ""
    ended = cadence("dead", "retry", ids[0])
    assert ended.returncode == 0, ended.stderr
    assert {tick["retry_of"] for tick in ticks("inbox").values()} == set(ids)
    assert cadence("dead", "retry", ids[0]).stdout == ended.stdout
    assert len(ticks("inbox")) == len(ids) == len(ticks("done"))
    assert cadence("dead", "retry", ids[1]).returncode == 66, "what ended otherwise is not brought back"
    assert cadence("dead", "purge", ids[0]).returncode == 66


def test_a_letter_names_all_that_its_run_had_absorbed_however_soon_it_died(
    cadence: Cadence, define: Define, ticks: Ticks
) -> None:
    """Setting many aside takes longer than a command that fails at once: its end must wait for that."""
    define("bad", "exit 3", retries=0)
    lines = '{"cadence": "bad", "payload": {"n": 1}}\n' * 900
    ids = cadence("enqueue", "--batch", "-", "--json", stdin=lines).stdout
    assert cadence("run", "--drain", "--quiet").returncode == 0
    (letter,) = ticks("dead").values()
    assert len(letter["outcome"]["absorbed"]) == 899
    assert {letter["id"], *letter["outcome"]["absorbed"]} == {
        json.loads(line)["id"] for line in ids.splitlines()
    }


def test_a_retry_that_a_crash_cut_in_two_makes_no_second_tick(
    home: Path, cadence: Cadence, die: Callable[..., str], define: Define, ticks: Ticks
) -> None:
    """The new tick was put in, the letter still lies there; the tick may even have run by then."""
    die()
    (file,) = [tick["_file"] for tick in ticks("dead").values()]
    letter = file.read_bytes()
    new = cadence("dead", "retry", "--all").stdout.strip()
    file.write_bytes(letter)
    assert cadence("dead", "retry", "--all").stdout.strip() == new
    assert list(ticks("inbox")) == [new]
    define("bad")
    cadence("run", "--drain", "--quiet")
    file.write_bytes(letter)
    assert cadence("dead", "retry", "--all").stdout.strip() == new
    assert not ticks("inbox")
    assert not ticks("dead")
    assert list(ticks("done")) == [new]
    assert len(archive(home)) == 3


def test_a_tick_of_a_cadence_that_came_too_late_can_be_retried(
    home: Path, cadence: Cadence, define: Define, ticks: Ticks
) -> None:
    """Its bytes were set aside; what they say now makes a tick."""
    (home / "cadence.yaml").write_text("unknown_grace: 0\nsettle: 0\n")
    text = '{"cadence": "late", "payload": {"n": 1}, "priority": 3, "key": "k"}'
    (home / "state" / "inbox" / "x.json").write_text(text)
    cadence("run", "--drain", "--quiet")
    (old,) = ticks("dead")
    refused = cadence("dead", "retry", old)
    assert refused.returncode == 66
    assert "no cadence 'late'" in refused.stderr
    define("late")
    assert cadence("dead", "retry", old).returncode == 0
    (tick,) = ticks("inbox").values()
    assert (tick["payload"], tick["priority"], tick["retry_of"]) == ({"n": 1}, 3, old)
    assert archive(home)[0]["raw"] == {"text": text}
    assert not list((home / "state" / "dead").iterdir())


def test_what_can_not_be_a_tick_stays_and_is_named(
    home: Path, cadence: Cadence, die: Callable[..., str], define: Define, ticks: Ticks
) -> None:
    """By name: exit 65. Among others: a warning, and the others are retried."""
    (home / "cadence.yaml").write_text("settle: 0\n")
    define("bad")
    (home / "state" / "inbox" / "x.json").write_text('{"cadence": "bad", ')
    died = die()
    (rubbish,) = set(ticks("dead")) - {died}
    refused = cadence("dead", "retry", rubbish)
    assert refused.returncode == 65
    assert "can't be retried: not JSON" in refused.stderr
    ended = cadence("dead", "retry", "--all")
    assert ended.returncode == 0
    # What can't be retried has one way out, which is named.
    assert f"1 retried, 1 left in dead/; remove it: cadence dead purge {rubbish[-8:]}" in ended.stderr
    assert list(ticks("dead")) == [rubbish]


def test_a_letter_that_waits_for_its_cadence_is_named(
    home: Path, cadence: Cadence, define: Define, die: Callable[..., str]
) -> None:
    """Among many letters nobody knows which one is meant by a cadence alone."""
    died = die()
    (home / "prompts" / "bad.md").unlink()
    assert f"left in dead/: {died}: no cadence 'bad'" in cadence("dead", "retry", "--all").stderr
    define("bad")
    assert cadence("dead", "retry", died).returncode == 0


def test_a_twin_is_only_retried_by_name(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str], ticks: Ticks
) -> None:
    """The other one has its own end: together they would be done twice."""
    (home / "cadence.yaml").write_text("settle: 0\n")
    define("work")
    done = enqueue("work")
    cadence("run", "--drain", "--quiet")
    (home / "state" / "inbox" / "x.json").write_text(f'{{"cadence": "work", "id": "{done}"}}')
    cadence("run", "--drain", "--quiet")
    (twin,) = ticks("dead")
    assert cadence("dead", "retry", "--all").stdout == ""
    assert list(ticks("dead")) == [twin]
    assert cadence("dead", "retry", twin).returncode == 0
    assert len(ticks("inbox")) == 1


def test_a_purged_letter_leaves_a_line_in_the_archive(
    home: Path, cadence: Cadence, die: Callable[..., str], ticks: Ticks
) -> None:
    """Letter and bytes are gone, be they a file, a folder or a link to somewhere else."""
    (home / "cadence.yaml").write_text("settle: 0\n")
    inbox, outside = home / "state" / "inbox", home / "outside"
    outside.write_text("precious")
    (inbox / "a.json").write_bytes(b"\xff\x00")
    (inbox / "b.json").mkdir()
    (inbox / "b.json" / "in it").write_text("")
    (inbox / "c.json").symlink_to(outside)
    died = die()
    assert len(ticks("dead")) == 4
    ended = cadence("dead", "purge", "--all")
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) == 4
    assert not list((home / "state" / "dead").iterdir())
    assert outside.read_text() == "precious"
    kept = {line["letter"]["id"]: line for line in archive(home)}
    assert kept[died]["letter"]["outcome"]["class"] == "crash"
    raws = [line["raw"] for line in kept.values() if "raw" in line]
    assert {"base64": "/wA="} in raws
    assert sorted(raw["mode"][0] for raw in raws if "mode" in raw) == ["d", "l"]


def test_what_is_meant_must_be_said(cadence: Cadence, die: Callable[..., str]) -> None:
    """Nothing is retried or purged by leaving something out; ids and filters don't mix."""
    died = die()
    for what in ("show", "retry", "purge"):
        assert cadence("dead", what).returncode == 64
    assert cadence("dead", "purge", died, "--all").returncode == 64
    assert cadence("dead", "purge", "zzzzzzzz").returncode == 66
    assert cadence("dead", "bury").returncode == 64
    assert died in cadence("dead").stdout


def _handed_in(home: Path, size: int) -> str:
    """Put a compact tick in as a producer does, with a `mv`; its id."""
    name = "20261121T023000.123456Z-7f3k9q2m"
    tick = json.dumps({"cadence": "work", "payload": {"all": [1] * (size // 2)}}, separators=(",", ":"))
    (home / "state" / "inbox" / f"5-{name[:23]}-work-{name[24:]}.json").write_text(tick)
    return name


def test_what_an_operator_writes_anew_is_never_too_large_for_the_consumer(
    home: Path, cadence: Cadence, define: Define, ticks: Callable[[str], dict[str, dict[str, Any]]]
) -> None:
    """Spelled by the bus it is longer: refused, it stays as it lies; written, it would have been buried."""
    define("work", "exit 78")
    (home / "cadence.yaml").write_text("max_tick_bytes: 8KiB\n")
    one = _handed_in(home, 8000)
    refused = cadence("bump", one)
    assert (refused.returncode, "8192 are allowed" in refused.stderr) == (65, True)
    assert "raise max_tick_bytes" in refused.stderr
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert ticks("dead")[one]["outcome"]["class"] == "ex_config"
    assert cadence("dead", "retry", one).returncode == 65
    assert "1 left in dead/" in cadence("dead", "retry", "--all").stderr
    assert set(ticks("dead")) == {one}
    (home / "cadence.yaml").write_text("max_tick_bytes: 16KiB\n")
    again = cadence("dead", "retry", one).stdout.strip()
    assert ticks("inbox")[again]["retry_of"] == one


def test_a_larger_limit_holds_for_operators_too(
    home: Path, cadence: Cadence, define: Define, ticks: Callable[[str], dict[str, dict[str, Any]]]
) -> None:
    """A tick that the consumer will run can be moved to the front, changed and cancelled."""
    define("work")
    (home / "cadence.yaml").write_text("max_tick_bytes: 4MiB\n")
    one = _handed_in(home, 1_100_000)
    for words in (("bump", one), ("edit", one, "--priority", "3"), ("rm", one)):
        ended = cadence(*words)
        assert ended.returncode == 0, ended.stderr
    assert ticks("done")[one]["outcome"]["status"] == "cancelled"
