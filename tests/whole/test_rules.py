"""What a cadence may ask for, each through the whole: front matter, consumer, folders."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Cadence

SETTINGS = """\
max_sessions: 3
defaults: {runner: command, overlap: queue, retries: 0, backoff: [10ms], circuit: {failures: 0}}
"""


class House:
    """A home whose commands write down when they begin and end."""

    def __init__(self, home: Path, cadence: Cadence) -> None:
        self.home = home
        self.cadence = cadence
        (home / "cadence.yaml").write_text(SETTINGS)

    def write(self, name: str, shell: str = "true", **keys: object) -> None:
        """Define a cadence."""
        log = f"echo +{name} >> log; {shell}; code=$?; echo -{name} >> log; exit $code"
        given = {"command": ["sh", "-c", log], **keys}
        matter = "".join(f"{key}: {json.dumps(value)}\n" for key, value in given.items())
        (self.home / "prompts" / f"{name}.md").write_text(f"---\n{matter}---\n")

    def enqueue(self, *ticks: dict[str, Any] | str) -> None:
        """Put some in at once, in this order."""
        lines = [
            json.dumps({"cadence": one, "payload": {"n": n}} if isinstance(one, str) else one)
            for n, one in enumerate(ticks)
        ]
        assert self.cadence("enqueue", "--batch", "-", stdin="\n".join(lines)).returncode == 0

    def drain(self) -> int:
        """Consume until nothing is left that could run."""
        return self.cadence("run", "--drain", "--quiet").returncode

    def log(self) -> list[str]:
        """Read what the commands wrote down."""
        return (self.home / "log").read_text().split() if (self.home / "log").exists() else []

    def statuses(self) -> list[str]:
        """Read how ticks ended."""
        found = [
            *(self.home / "state" / "done").rglob("*.json"),
            *(self.home / "state" / "dead").glob("*.json"),
        ]
        return sorted(json.loads(path.read_text())["outcome"]["status"] for path in found)

    def holds(self) -> dict[str, dict[str, Any]]:
        """Read every hold."""
        return {p.name: json.loads(p.read_text()) for p in (self.home / "state" / "holds").glob("*.json")}


@pytest.fixture
def house(home: Path, cadence: Cadence) -> House:
    """Open the house."""
    return House(home, cadence)


def test_an_exclusive_run_is_alone_and_nobody_waits_for_ever(house: House) -> None:
    """It waits for quiet, holds the others back, and they go on after it."""
    house.write("alone", "sleep 0.1", exclusive=True, priority=4)
    for name in "abc":
        house.write(name, "sleep 0.1")
    house.enqueue("a", "b", "alone", "c", "a", "b")
    assert house.drain() == 0
    log = house.log()
    began = log.index("+alone")
    assert log[began + 1] == "-alone", "somebody began while it ran"
    assert log[:began].count("-a") == log[:began].count("+a"), "somebody was still running"
    assert len(log) == 12


def test_priorities_go_first_and_groups_one_after_the_other(house: House) -> None:
    """Lower groups drain before higher ones begin, whatever the priority; inside a group slots are filled."""
    (house.home / "cadence.yaml").write_text(SETTINGS.replace("max_sessions: 3", "max_sessions: 1"))
    house.write("second", group=2, priority=0)
    house.write("first", group=1, priority=9)
    house.write("free", priority=5)
    house.write("urgent", priority=1)
    house.enqueue("second", "first", "free", "urgent", "first")
    assert house.drain() == 0
    order = [word for word in house.log() if word.startswith("+")]
    assert order == ["+urgent", "+free", "+first", "+first", "+second"]


def test_a_forced_tick_passes_who_runs_alone_and_who_goes_first(house: House) -> None:
    """Slots are free: it is not for want of room that it would have to wait."""
    # Whoever ends last begins first; should the forced one wait for it, it waits in vain.
    wait = "(for _ in $(seq 200); do grep -q +urgent log && exit; sleep 0.01; done; exit 1)"
    for keys in ({"exclusive": True}, {"group": 1}):
        house.write("first", wait, priority=1, **keys)
        house.write("urgent", group=2)
        house.enqueue("first", {"cadence": "urgent", "force": True})
        assert house.drain() == 0
        assert house.log().index("-urgent") < house.log().index("-first")
        (house.home / "log").unlink()
    assert house.statuses() == ["ok"] * 4


def test_inline_commands_run_beside_full_slots(house: House) -> None:
    """With no session slot at all they still run, and the sessions wait."""
    (house.home / "cadence.yaml").write_text(SETTINGS.replace("max_sessions: 3", "max_sessions: 0"))
    house.write("beside", mode="inline")
    house.write("session")
    house.enqueue("session", "beside")
    assert house.drain() == 75
    assert house.log() == ["+beside", "-beside"]


def test_outside_its_active_hours_a_cadence_waits_and_force_passes(house: House) -> None:
    """In its own time zone; the hold says until when; what is forced is journalled as such."""
    now = datetime.now(UTC)
    window = f"{now + timedelta(hours=2):%H}:00-{now + timedelta(hours=3):%H}:00"
    house.write("office", active_hours=window, timezone="UTC")
    house.write(
        "night",
        active_hours=f"{now - timedelta(hours=1):%H}:00-{now - timedelta(hours=2):%H}:00",
        timezone="UTC",
    )
    house.enqueue("office", "night")
    house.cadence("run", "--once", "--quiet")
    assert house.log() == ["+night", "-night"], "a window that passes midnight is open now"
    hold = house.holds()["cadence-office.active_hours.json"]
    opens = datetime.fromisoformat(hold["until"])
    assert (opens.hour, opens.minute) == ((now.hour + 2) % 24, 0)
    house.enqueue({"cadence": "office", "force": True, "priority": 0})
    house.cadence("run", "--once", "--quiet")
    assert house.log()[2:] == ["+office", "-office"]
    assert '"force": true' in "".join(
        p.read_text() for p in (house.home / "state" / "events").glob("*.jsonl")
    )


def test_so_many_runs_an_hour_and_no_more(house: House, slowness: Callable[[], float]) -> None:
    """A brake on loops: the rest waits, also for the next consumer."""
    house.write("loop", max_runs_per_hour=3)
    house.enqueue(*["loop"] * 5)
    for _ in range(2):
        house.cadence("run", "--for", f"{0.7 * slowness():.1f}s", "--quiet")
    assert house.log().count("+loop") == 3
    assert "max_runs_per_hour: 3" in house.holds()["cadence-loop.runs_per_hour.json"]["detail"]


def test_failed_ticks_in_a_row_pause_a_cadence_until_somebody_looks(house: House) -> None:
    """Two dead letters, then a hold that only an operator releases."""
    house.write("sick", "exit 3", pause_after=2)
    house.enqueue(*["sick"] * 5)
    assert house.drain() == 75
    assert (house.statuses(), house.holds()["cadence-sick.failures.json"]["until"]) == (["dead"] * 2, None)
    assert house.cadence("resume", "sick").returncode == 0
    assert house.drain() == 75
    assert house.statuses() == ["dead"] * 4


def test_what_is_too_old_is_not_run(house: House) -> None:
    """By the cadence's ttl, or by the tick's own end."""
    house.write("fresh", ttl="1h")
    old = "2026-01-01T00:00:00Z"
    house.enqueue({"cadence": "fresh", "created_at": old}, {"cadence": "fresh", "expires_at": old}, "fresh")
    assert house.drain() == 0
    assert house.statuses() == ["expired", "expired", "ok"]


def test_a_guard_is_asked_before_a_slot_is_taken(house: House) -> None:
    """Nothing to do costs no session; a guard that fails is a failure."""
    house.write("idle", guard=["sh", "-c", "exit 75"])
    house.write("busy", guard=["true"])
    house.write("broken", guard=["sh", "-c", "exit 9"])
    house.enqueue("idle", "busy", "broken")
    assert house.drain() == 0
    assert (house.log(), house.statuses()) == (["+busy", "-busy"], ["dead", "ok", "skipped"])


def test_resume_all_releases_whatever_holds_however_it_is_called(house: House) -> None:
    """A hold that can't be read, one of an odd name, one that is a folder."""
    house.write("x")
    house.enqueue("x")
    holds = house.home / "state" / "holds"
    (holds / "bus.paused.json").write_text("{")
    (holds / "odd.json").write_text('{"until": null}')
    (holds / "somewhere.else.json").write_text("[]")
    (holds / "cadence-x.auth.json").mkdir()
    assert house.drain() == 75
    assert house.log() == []
    ended = house.cadence("resume", "--all")
    assert (ended.returncode, sorted(holds.iterdir())) == (0, []), ended.stderr
    assert house.drain() == 0
    assert house.log() == ["+x", "-x"]


def test_once_starts_whoever_stands_behind_those_that_are_not_to_run(house: House) -> None:
    """One that expired, one whose key was used, one that is no tick: none of them is what it starts."""
    house.write("x", overlap="queue")
    house.enqueue({"cadence": "x", "key": "used"})
    assert house.drain() == 0
    late = "2020-01-01T00:00:00Z"
    house.enqueue({"cadence": "x", "expires_at": late}, {"cadence": "x", "key": "used"}, "x", "x")
    (house.home / "state" / "inbox" / "torn.json").write_text("{")
    assert house.cadence("run", "--once", "--quiet").returncode == 0
    assert house.log() == ["+x", "-x"] * 2
    assert house.statuses() == ["dead", "duplicate", "expired", "ok", "ok"]
