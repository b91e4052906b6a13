"""`cadence next` and `cadence cadences`: what is due, by whom, and what will hold it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Define
    from tests.conftest import Cadence


def due(cadence: Cadence, *words: str) -> list[dict[str, Any]]:
    """Ask, as a program does."""
    ended = cadence("next", *words, "--json")
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def in_hours(hours: float) -> str:
    """Spell a minute that is so far ahead, for a cron line in UTC."""
    then = datetime.now(UTC) + timedelta(hours=hours)
    return f"{then.minute} {then.hour} * * *"


def test_schedules_and_put_off_ticks_stand_in_order(cadence: Cadence, define: Define) -> None:
    """A few firings have a line each, many have one that counts them."""
    define("often", every="5m")
    define("later", schedule=in_hours(3), timezone="UTC")
    define("beyond", schedule=in_hours(-2), timezone="UTC")
    define("unscheduled")
    define("off", every="1m", enabled=False)
    tick = cadence("enqueue", "unscheduled", "--in", "90m").stdout.strip()
    rows = due(cadence, "--hours", "6")
    assert [row["cadence"] for row in rows] == ["often", "unscheduled", "later"]
    assert (rows[0]["times"], rows[0]["when"], rows[0]["by"]) == (72, "every 5 minutes", "clock")
    assert (rows[1]["tick"], rows[1]["by"]) == (tick, "deferred")
    assert [row["wait"] for row in rows] == [None, None, None]
    assert [row["cadence"] for row in due(cadence, "--hours", "90m")] == ["often", "unscheduled"]
    assert cadence("next", "--hours", "soon").returncode == 64


def test_what_will_hold_it_is_shown(home: Path, cadence: Cadence, define: Define) -> None:
    """A pause that lasts, not one that ends before; active hours; a broken file; the stop."""
    here = datetime.now(UTC)
    closed = f"{here + timedelta(hours=5):%H:%M}-{here + timedelta(hours=6):%H:%M}"
    define("hours", schedule=in_hours(3), timezone="UTC", active_hours=closed)
    define("long", schedule=in_hours(3), timezone="UTC")
    define("short", schedule=in_hours(3), timezone="UTC")
    cadence("pause", "long", "--for", "9h")
    cadence("pause", "short", "--for", "1h")
    waits = {row["cadence"]: row["wait"] and row["wait"]["reason"] for row in due(cadence)}
    assert waits == {"hours": "active_hours", "long": "paused", "short": None}
    assert "paused until" in cadence("next").stdout
    (home / "state" / "STOP").touch()
    ended = cadence("next")
    assert "no consumer" in ended.stderr
    assert ended.stdout.count("stopped") == 3


def test_what_was_missed_is_due_as_soon_as_somebody_consumes(
    home: Path, cadence: Cadence, define: Define
) -> None:
    """The cursor on disk says how far the clock had come; looking changes nothing."""
    define("work", every="10m")
    assert cadence("run", "--for", "300ms", "--quiet").returncode == 0
    memory = home / "state" / "cadences" / "work.json"
    members = json.loads(memory.read_text())
    members["schedule"]["slot"] = rfc3339(time.time() - 3600)
    memory.write_text(json.dumps(members))
    before = memory.read_bytes()
    missed, rest = due(cadence)
    assert (missed["missed"], missed["times"]) == (True, 1)
    assert parse_rfc3339(missed["at"]) <= time.time() < parse_rfc3339(rest["at"])
    assert "missed; fires as soon as a consumer is up" in cadence("next").stdout
    assert memory.read_bytes() == before


def test_the_list_of_cadences_says_when_and_by_whom(home: Path, cadence: Cadence, define: Define) -> None:
    """In words; what a service manager fires; what goes on by its last good schedule; heartbeats."""
    define("work", every="10m")
    define("native", schedule="0 7 * * 1-5")
    define("plain")
    (home / "HEARTBEAT.md").write_text("tasks:\n- name: beat\n  interval: 30m\n  prompt: Look.\n")
    (home / "state" / "producers.json").write_text('{"by": "systemd", "cadences": ["native"]}')
    assert cadence("run", "--for", "300ms", "--quiet").returncode == 0
    (home / "prompts" / "work.md").write_text("---\nevery: [\n---\n")
    rows = {row["name"]: row for row in json.loads(cadence("cadences", "--json").stdout)}
    said = {name: (row["state"], row["when"], row["by"]) for name, row in rows.items()}
    assert said == {
        "beat": ("well", "every 30 minutes", "clock"),
        "native": ("well", "at 07:00 on Mon\N{EN DASH}Fri", "systemd"),
        "plain": ("well", None, None),
        "work": ("broken", "every 10 minutes (until its file is fixed)", "clock"),
    }
    assert parse_rfc3339(rows["beat"]["next_at"]) > time.time()
    assert "every 30 minutes" in cadence("cadences").stdout


def test_what_is_due_beyond_the_look_is_named(cadence: Cadence, define: Define) -> None:
    """On a Saturday nothing is due until Monday: that is no reason to write a schedule."""
    assert "write `every: 5m`" in cadence("next").stderr
    define("brief", every="90d")
    said = cadence("next").stderr
    assert "nothing is due in the next 24 hours; then brief, 20" in said
    hours = said.partition("--hours ")[2].partition("`")[0]
    assert "brief" in cadence("next", "--hours", hours).stdout
