"""`cadence show`: a tick's whole story, and why it waits."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence


def waits(cadence: Cadence, tick: str) -> str:
    """Ask why a tick waits."""
    shown = cadence("show", tick)
    assert shown.returncode == 0, shown.stderr
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith("waits")]
    return line.partition("  ")[2].strip()


def test_a_dead_tick_tells_its_story(cadence: Cadence, define: Define, enqueue: Callable[..., str]) -> None:
    """Every attempt with its exit and last words, the outcome, and where everything lies."""
    define("bad", "echo 'no such luck' >&2; exit 3", retries=1, backoff=[0])
    tick = enqueue("bad", "--set", "week=47")
    cadence("run", "--drain", "--quiet")
    shown = cadence("show", tick[-8:]).stdout
    assert len(re.findall(r"^attempt \d .*crash \(exit 3 after .* s\)", shown, re.MULTILINE)) == 2
    assert "| no such luck" in shown
    assert re.search(r"^outcome +dead: .*\(attempt 2 of 2\)", shown, re.MULTILINE)
    assert '{"week": 47}' in shown
    assert len(re.findall(r"^run +/.*/state/runs/", shown, re.MULTILINE)) == 2


def test_whoever_misses_a_server_that_a_run_started_is_told_who_ended_it(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """A run that ended well says nothing else of what it left running, which the bus swept."""
    # In the middle of an exec a process shows no command line: these two are past theirs, and do no other.
    left = "sh -c ': >{0}; read -r _ <never' & until [ -e {0} ]; do :; done; "
    define("work", "mkfifo never; setsid " + left.format("one") + left.format("two"))
    tick = enqueue("work")
    cadence("run", "--drain", "--quiet")
    shown = cadence("show", tick).stdout
    assert re.search(r"^left over +2 [a-z]+, ended by the bus: .*<never; .*<never$", shown, re.MULTILINE), (
        shown
    )


def test_what_a_run_absorbed_is_counted_where_it_would_fill_the_screen(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """One run may have stood for thousands; programs get them all."""
    define("work")
    tick = enqueue("work")
    cadence("run", "--drain", "--quiet")
    (file,) = home.glob("state/done/*/*.json")
    members = json.loads(file.read_text())
    members["outcome"]["absorbed"] = [f"20261121T000000.{number:06d}Z-abcdefgh" for number in range(500)]
    file.write_text(json.dumps(members))
    shown = cadence("show", tick).stdout
    assert shown.count("Z-abcdefgh") == 20
    assert "000019Z-abcdefgh and 480 more: --json has them all" in shown
    assert len(json.loads(cadence("show", tick, "--json").stdout)["outcome"]["absorbed"]) == 500


def test_programs_get_the_file_and_what_is_around_it(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """The tick's own keys, its state, its place, its runs."""
    define("work")
    tick = enqueue("work")
    cadence("run", "--drain", "--quiet")
    shown = json.loads(cadence("show", tick, "--json").stdout)
    assert (shown["id"], shown["state"], shown["waits"]) == (tick, "done", None)
    assert shown["file"].startswith("done/")
    assert shown["runs"] == [f"runs/{tick[:4]}-{tick[4:6]}-{tick[6:8]}/{tick}.1"]
    assert shown["outcome"]["status"] == "ok"


@pytest.mark.parametrize(
    ("hold", "said"),
    [
        ("bus.paused", "held by paused until 20"),
        ("cadence-work.circuit_open", "held by circuit_open until 20"),
        ("credentials-command.auth", "held by auth until 20"),
        ("cadence-other.paused", "no consumer"),
    ],
)
def test_a_held_tick_says_by_what_and_until_when(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str], hold: str, said: str
) -> None:
    """By the rules of the consumer: a hold covers a bus, credentials or a cadence."""
    define("work")
    tick = enqueue("work")
    members = {"since": "2026-01-01T00:00:00Z", "until": "2099-01-01T12:00:00Z", "by": "operator"}
    (home / "state" / "holds" / f"{hold}.json").write_text(json.dumps(members))
    assert waits(cadence, tick).startswith(said)
    until = json.loads(cadence("show", tick, "--json").stdout)["waits"]["until"]
    assert until in {None, "2099-01-01T12:00:00.000000Z"}, "a time, as everywhere else"


def test_other_reasons_are_told_as_well(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Not due, disabled, broken, unknown, stopped, behind others."""
    define("work")
    first, second = enqueue("work"), enqueue("work")
    assert waits(cadence, enqueue("work", "--in", "1h")).startswith("not due until ")
    assert "(1 of its cadence are before it)" in waits(cadence, second)
    define("work", enabled=False)
    assert waits(cadence, first).startswith("disabled: prompts/work.md says enabled: false")
    (home / "prompts" / "work.md").write_text("---\nretires: 2\n---\n")
    assert "did you mean `retries`?" in waits(cadence, first)
    (home / "prompts" / "work.md").unlink()
    assert waits(cadence, first).startswith("no such cadence: prompts/work.md does not exist")
    (home / "state" / "STOP").touch()
    assert waits(cadence, first).startswith("stopped: ")


def test_full_slots_are_a_reason_under_a_live_consumer(
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    consumer: Callable[[], subprocess.Popen[bytes]],
) -> None:
    """What runs takes the slots; the next of the same cadence waits for its former run."""
    (home / "cadence.yaml").write_text("max_sessions: 1\n")
    define("long", "touch started; sleep 60", overlap="queue")
    define("other")
    running = enqueue("long")
    consumer()
    assert cadence("wait", running, "--timeout", "1s").returncode == 75
    assert (home / "started").exists()
    assert waits(cadence, enqueue("other")).startswith("no slot is free: all 1 session slots are taken")
    assert waits(cadence, enqueue("long")).startswith("running: its last run is still going")


def test_words_from_the_disk_give_no_orders_to_a_terminal(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """Payloads and names are shown without escapes, as text and as JSON."""
    define("work")
    tick = "20261121T023000.123456Z-7f3k9q2m"
    evil = {"cadence": "work", "payload": {"x": "\x1b]0;owned\x07 \x9b31m \u202e"}, "source": "\x1b[2J"}
    path = home / "state" / "inbox" / "5-20261121T023000.123456Z-work-7f3k9q2m.json"
    path.write_text(json.dumps(evil, ensure_ascii=False))
    line = {"at": 5, "event": {"\x1b[2J": []}, "run": ["\x9b"], "attempt": {}, "tick": tick}
    (home / "state" / "events" / "2026-11-21.jsonl").write_text(json.dumps(line) + "\n")
    for words in (["show", tick], ["show", tick, "--json"], ["ls", "--json"], ["edit", tick, "--set", "y=1"]):
        ended = cadence(*words)
        assert ended.returncode == 0, ended.stderr
        assert not set("\x1b\x07\x9b\u202e") & set(ended.stdout), words
    assert json.loads(path.read_bytes())["payload"]["x"] == evil["payload"]["x"]  # type: ignore[index]


def test_part_of_several_ids_is_refused_with_the_candidates(
    cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """Exit 64; a path or a file name will do as well as an id; nothing at all is part of everything."""
    define("work")
    first, second = enqueue("work"), enqueue("work")
    ended = cadence("show", first[:8])
    assert ended.returncode == 64
    assert first in ended.stderr
    assert second in ended.stderr
    file = json.loads(cadence("show", first, "--json").stdout)["file"]
    assert first in cadence("show", f"state/{file}").stdout
    assert cadence("show", first[20:28]).returncode == 0, "a part may span both halves of an id"
    assert cadence("rm", "").returncode == 64


def test_the_story_is_told_in_order_with_what_came_of_it(
    home: Path, cadence: Cadence, define: Define, enqueue: Callable[..., str]
) -> None:
    """From its acceptance to its death, each attempt, its files, and whom it left behind."""
    define("bad", "echo why >&2; exit 3", retries=1, backoff=["10ms"], on_dead="mourner")
    define("mourner")
    tick = enqueue("bad")
    cadence("run", "--drain", "--quiet")
    told = json.loads(cadence("show", tick, "--json").stdout)
    events = [line["event"] for line in told["story"]]
    assert events[0] == "tick.accepted"
    assert events[-1] == "tick.dead"
    assert events.count("run.ended") == 2
    shown = cadence("show", tick).stdout
    story = shown.split("\nstory\n")[1]
    assert [
        word for word in ("accepted", "claimed", "run starts", "crash (exit 3)", "dead") if word not in story
    ] == []
    assert "stderr.log" in shown
    (mourner,) = (home / "state").rglob("*-mourner-*.json")
    mourners = json.loads(mourner.read_text())
    assert f"because of the death of  {tick}  bad, dead" in cadence("show", mourners["id"]).stdout


def test_an_agents_last_words_are_told_as_people_read_them(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """A letter keeps its stream as it was; nobody wants to read that at night."""
    define("brief")
    tick, result = "20261121T023000.000000Z-7f3k9q2m", {"type": "result", "subtype": "error_during_execution"}
    attempt = {"n": 1, "class": "crash", "run": f"{tick}.1", "stderr_tail": json.dumps(result) + "\nmore\n"}
    letter = {"id": tick, "cadence": "brief", "attempts": [attempt], "outcome": {"status": "dead"}}
    (home / "state" / "dead" / "5-20261121T023000.000000Z-brief-7f3k9q2m.json").write_text(json.dumps(letter))
    run = home / "state" / "runs" / "2026-11-21" / f"{tick}.1"
    run.mkdir(parents=True)
    (run / "run.json").write_text('{"runner": "claude"}')
    shown = cadence("show", "7f3k9q2m").stdout
    assert "| = error_during_execution, " in shown
    assert "| more" in shown
    assert '"type"' not in shown
