"""`cadence pause`, `resume`, `holds`: reasons not to start, set and released by a person."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.store.lock import ConsumerLock
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence, Eventually

    Ticks = Callable[[str], dict[str, dict[str, Any]]]


def journal(home: Path) -> list[dict[str, Any]]:
    """Read every line of the journal."""
    return [
        json.loads(line)
        for path in sorted((home / "state" / "events").iterdir())
        for line in path.read_text().splitlines()
    ]


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ([], "bus.paused.json"),
        (["work"], "cadence-work.paused.json"),
        (["--credentials", "anthropic"], "credentials-anthropic.paused.json"),
        (["--credentials", "claude"], "credentials-anthropic.paused.json"),
    ],
)
def test_a_pause_is_one_file_and_resume_removes_it(
    home: Path, cadence: Cadence, define: Define, words: list[str], file: str
) -> None:
    """On the bus, a cadence or credentials; the journal tells of both."""
    define("work")
    assert cadence("pause", *words, "--reason", "why not").returncode == 0
    hold = json.loads((home / "state" / "holds" / file).read_text())
    assert (hold["reason"], hold["until"], hold["detail"], hold["by"]) == (
        "paused",
        None,
        "why not",
        "operator",
    )
    (listed,) = json.loads(cadence("holds", "--json").stdout)
    assert (listed["file"], listed["in_force"]) == (file, True)
    assert "why not" in cadence("holds").stdout
    assert cadence("resume", *words).stdout == f"released {hold['scope']} paused\n"
    assert not list((home / "state" / "holds").iterdir())
    assert [(line["event"], line["hold"], line["by"]) for line in journal(home)] == [
        ("hold.set", file, "operator"),
        ("hold.released", file, "operator"),
    ]


@pytest.mark.parametrize("words", [(), ("work",), ("--credentials", "anthropic")])
def test_the_resume_that_a_pause_names_ends_it(
    cadence: Cadence, define: Define, words: tuple[str, ...]
) -> None:
    """Typed as it stands; where another is typed, it says that something else is held."""
    define("work")
    told = cadence("pause", *words).stdout
    if words:
        assert cadence("resume").stderr == "nothing was held; what is: cadence holds\n"
    typed = told.partition("`cadence ")[2].partition("`")[0].split()
    assert cadence(*typed).stdout.startswith("released ")


def test_a_pause_may_end_by_itself(home: Path, cadence: Cadence, define: Define) -> None:
    """--for gives the file its end; a hold that is over is not listed."""
    define("work")
    assert "is paused until 2" in cadence("pause", "work", "--for", "30d").stdout
    paused = cadence("pause", "--until", "2099-12-01 08:00")
    assert paused.stdout == "the bus is paused until 2099-12-01 08:00\n"
    cadence("resume")
    assert cadence("pause", "work", "--for", "0s").returncode == 0
    assert cadence("holds").stdout == ""
    (listed,) = json.loads(cadence("holds", "--json").stdout)
    assert listed["in_force"] is False


def test_a_drain_waits_for_a_pause_that_ends_by_itself(cadence: Cadence, define: Define) -> None:
    """One that does not is listed, with its reason where it has one."""
    define("work")
    tick = cadence("enqueue", "work").stdout.strip()
    cadence("pause", "work", "--for", "700ms")
    assert cadence("run", "--drain", "--quiet").returncode == 0
    assert cadence("wait", tick).stdout == f"{tick} ok\n"
    cadence("enqueue", "work")
    cadence("pause", "work")
    ended = cadence("run", "--drain", "--quiet")
    assert (ended.returncode, ended.stderr) == (75, "work: paused\n")


def test_a_failure_after_a_release_holds_again(
    *,
    home: Path,
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """What was released stays away; the next failed run is news, and must not burn all retries at once."""
    define("bad", "exit 1", retries=5, backoff=["1h"], circuit={"failures": 3})
    hold, opened = (
        home / "state" / "holds" / f"cadence-bad.{why}.json" for why in ("backoff", "circuit_open")
    )
    consumer()
    tick = enqueue("bad")

    def tried() -> int:
        # On its way back it lies in claimed/ still.
        return len(ticks("inbox").get(tick, {}).get("attempts", ()))

    eventually(hold.exists)
    assert cadence("resume", "bad").returncode == 0
    eventually(lambda: hold.exists() and tried() == 2)
    assert cadence("resume", "bad").returncode == 0
    eventually(opened.exists)
    assert cadence("circuit", "reset", "bad").returncode == 0
    eventually(lambda: hold.exists() and tried() == 4)


def test_a_paused_cadence_waits_and_others_run_on(
    cadence: Cadence,
    define: Define,
    enqueue: Callable[..., str],
    ticks: Ticks,
    consumer: Callable[[], subprocess.Popen[bytes]],
    eventually: Eventually,
) -> None:
    """A live consumer obeys at once, and goes on at once."""
    define("work")
    define("other")
    consumer()
    cadence("pause", "work")
    held, free = enqueue("work"), enqueue("other")
    eventually(lambda: free in ticks("done"))
    assert held in ticks("inbox")
    cadence("resume", "work")
    eventually(lambda: held in ticks("done"))


def test_resume_says_what_still_holds(home: Path, cadence: Cadence, define: Define) -> None:
    """A cadence is free, the bus is not."""
    define("work")
    cadence("pause")
    cadence("pause", "work")
    assert cadence("holds").stdout.count("until released") == 2, "not that it was"
    ended = cadence("resume", "work")
    assert ended.stdout == "released cadence-work paused\n"
    assert "work still waits" in ended.stderr
    assert [path.name for path in (home / "state" / "holds").iterdir()] == ["bus.paused.json"]


def test_a_brake_that_was_let_go_is_not_said_to_hold(home: Path, cadence: Cadence, define: Define) -> None:
    """A consumer at work puts it on again in five minutes, not before; what else holds is said."""
    here = datetime.now(UTC)
    closed = f"{here + timedelta(hours=5):%H:%M}-{here + timedelta(hours=6):%H:%M}"
    define("work", timezone="UTC", active_hours=closed)
    brake = home / "state" / "holds" / "cadence-work.active_hours.json"
    brake.write_text(json.dumps({"scope": "cadence-work", "reason": "active_hours", "by": "consumer"}))
    with ConsumerLock(Home(str(home))):
        assert "held by active_hours" in cadence("fire", "work").stderr
        ended = cadence("resume", "work")
        assert (ended.stdout, ended.stderr) == ("released cadence-work active_hours\n", "")
        brake.write_text("{}")
        cadence("pause")
        assert "paused" in cadence("resume", "work").stderr


def test_resume_all_releases_even_what_can_not_be_read(home: Path, cadence: Cadence) -> None:
    """Whatever its name, whoever set it."""
    holds = home / "state" / "holds"
    (holds / "strange.json").write_text("{torn")
    (holds / "weird.paused.json").write_text("{}")
    (holds / "credentials-claude.auth.json").write_text('{"until": null, "by": "consumer"}')
    assert len(json.loads(cadence("resume", "--all", "--json").stdout)) == 3
    assert not list(holds.iterdir())


def test_mistakes_are_told_apart(cadence: Cadence, define: Define) -> None:
    """An unknown cadence is 66, two targets are 64, nothing to release is no error."""
    define("work")
    assert cadence("pause", "wrok").returncode == 66
    assert cadence("pause", "work", "--credentials", "claude").returncode == 64
    assert cadence("resume", "wrok").returncode == 66
    assert cadence("resume", "work", "--all").returncode == 64
    ended = cadence("resume")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "nothing was held\n")
