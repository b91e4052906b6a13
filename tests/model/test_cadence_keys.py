"""The keys of a cadence: what each takes, what it makes of it, what it refuses."""

from __future__ import annotations

import zoneinfo
from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cadencebus.model.cadence import Backoff, Cadence, CircuitRules, Expect, Hours
from cadencebus.model.cadence_keys import KEYS
from cadencebus.model.front_matter import cadence_of
from cadencebus.model.keys import Wrong

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = {"command": ["true"]}
# The published table: every key, and its default as it is written there.
CONTRACT = """
{description: "", enabled: true, mode: session, guard: , runner: claude, command: , auth: , model: ,
args: [], permission_mode: , allowed_tools: [], skip_permissions: false, slash: false, cwd: , env: {},
schedule: , every: , once_at: , max_firings: , expires_at: , timezone: , catch_up: one, jitter: 0,
overlap: coalesce, concurrency: 1, priority: 5, group: , active_hours: , exclusive: false, ttl: ,
dedupe_window: 1d, timeout: 30m, idle_timeout: 20m, result_grace: 90s, kill_grace: 30s, retries: 2,
backoff: [30s, 2m], circuit: {failures: 3, open: 30m, max_open: 4h}, max_runs_per_hour: , pause_after: 0,
max_turns: , max_usd: , max_usd_per_day: , expect: {result: success}, resume: false, payload: append,
then: [], steps: [], on_dead: , investigate: false, probe: , notify: }
"""


def cadence(**members: Any) -> Cadence:
    """Read front matter with these members, of a plain command unless a runner is named."""
    own = members if "runner" in members else {**COMMAND, **members}
    return cadence_of("x", own, {}, prompt="", digest="")


def refused(**members: Any) -> dict[str, str]:
    """Say by key what is allowed instead of these members."""
    with pytest.raises(Wrong) as caught:
        cadence(**members)
    return {".".join(map(str, fault.path)): fault.allowed for fault in caught.value.faults}


def test_the_keys_and_their_defaults_are_those_of_the_contract() -> None:
    """Nobody adds, loses or renames one by accident."""
    assert {name: key.default for name, key in KEYS.items()} == yaml.safe_load(CONTRACT)


def test_a_cadence_made_by_hand_has_the_defaults_of_one_that_was_read() -> None:
    """The table of keys and the dataclass say the same, but for the brake that agents have."""
    read = cadence_of("x", {}, {}, prompt="", digest="")
    differ = {
        field.name
        for field in fields(Cadence)
        if getattr(read, field.name) != getattr(Cadence(name="x"), field.name)
    }
    assert differ == {"max_runs_per_hour"}
    assert {field.name for field in fields(Cadence)} == {*KEYS, "name", "prompt", "digest"}
    assert read.path == "prompts/x.md"


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("timeout", "90s", 90.0),
        ("idle_timeout", 0, 0.0),
        ("every", "5m", 300.0),
        ("every", "500ms", 0.5),
        ("ttl", "1.5h", 5400.0),
        ("command", ["sleep", 5, True, "", "a b"], ("sleep", "5", "true", "", "a b")),
        ("guard", None, None),
        ("args", ["--n", 3], ("--n", "3")),
        ("allowed_tools", "Bash(git *)", ("Bash(git *)",)),
        ("allowed_tools", ["Read", "Edit"], ("Read", "Edit")),
        ("env", {"A": "1", "B": 2, "C": True, "D": ""}, (("A", "1"), ("B", "2"), ("C", "true"), ("D", ""))),
        ("then", "next", ("next",)),
        ("then", ["a", "b.c"], ("a", "b.c")),
        ("notify", [], ()),
        ("notify", ["dead", "recovered"], ("dead", "recovered")),
        ("active_hours", "08:00-19:00", Hours(start=480, end=1140)),
        ("active_hours", "22:30 - 6:00", Hours(start=1350, end=360)),
        ("active_hours", "0:00-24:00", Hours(start=0, end=1440)),
        ("backoff", "5s", Backoff(delays=(5.0,))),
        ("backoff", [1, "2m"], Backoff(delays=(1.0, 120.0))),
        ("backoff", {"initial": "5s", "max": "1h"}, Backoff(delays=(), initial=5.0, max=3600.0)),
        (
            "backoff",
            {"multiplier": 3, "jitter": 0},
            Backoff(delays=(), initial=30.0, multiplier=3.0, jitter=0.0),
        ),
        ("circuit", {"failures": 0}, CircuitRules(failures=0)),
        ("circuit", {"open": "1m"}, CircuitRules(open=60.0)),
        ("circuit", {"open": "8h"}, CircuitRules(open=28800.0, max_open=28800.0)),
        ("expect", {"file": "out/x.md"}, Expect(file=("out/x.md",))),
        ("expect", {"file": ["a", "/b", "~/c"], "proof": True}, Expect(file=("a", "/b", "~/c"), proof=True)),
        ("expect", {"result": "any"}, Expect(result="any")),
        ("once_at", "2026-12-01T09:00:00Z", datetime(2026, 12, 1, 9, tzinfo=UTC).timestamp()),
        ("once_at", "2026-12-01 09:00:00.5+01:00", datetime(2026, 12, 1, 8, tzinfo=UTC).timestamp() + 0.5),
        ("expires_at", "2026-12-01t09:00z", datetime(2026, 12, 1, 9, tzinfo=UTC).timestamp()),
        ("timezone", "Europe/Berlin", "Europe/Berlin"),
        ("timezone", "local", None),
        ("max_usd", 0.25, 0.25),
        ("max_usd_per_day", 5, 5.0),
        ("priority", 0, 0),
        ("steps", [{"name": "a", "cadence": "b"}], ({"name": "a", "cadence": "b"},)),
    ],
)
def test_a_key_is_read_as_it_is_meant(key: str, written: object, read: object) -> None:
    """One value for each form that docs/cadence.md allows."""
    assert getattr(cadence(**{key: written}), key) == read


@pytest.mark.parametrize(
    ("key", "written", "where", "allowed"),
    [
        ("timeout", "soon", "timeout", "such as 90s, 20m, 2h"),
        ("timeout", 0, "timeout", "more than 0"),
        ("ttl", "0s", "ttl", "more than 0"),
        ("every", "50ms", "every", "a tenth of a second or more"),
        ("enabled", "yes", "enabled", "true or false"),
        ("enabled", 1, "enabled", "true or false"),
        ("mode", "sesion", "mode", "session, inline or guarded"),
        ("retries", 101, "retries", "from 0 to 100"),
        ("retries", True, "retries", "a whole number"),
        ("retries", 1.5, "retries", "a whole number"),
        ("priority", 10, "priority", "from 0 to 9"),
        ("priority", "5", "priority", "from 0 to 9"),
        ("concurrency", 0, "concurrency", "from 1"),
        ("max_turns", 0, "max_turns", "1 or more"),
        ("max_usd", 0, "max_usd", "above 0"),
        ("max_usd", float("inf"), "max_usd", "above 0"),
        ("command", "echo hello", "command", "an argv list"),
        ("command", [], "command", "an argv list"),
        ("command", ["", "x"], "command", "an argv list"),
        ("command", ["a", None], "command.1", "a text"),
        ("command", ["a", "b\0c"], "command.1", "a text"),
        ("command", ["a", "\ud800"], "command.1", "a text"),
        ("guard", " ", "guard", "or a line for sh"),
        ("guard", "a\0b", "guard", "or a line for sh"),
        ("probe", ["", "x"], "probe", "an argv list"),
        ("args", "--fast", "args", "a list"),
        ("env", {"A=B": "1"}, "env.A=B", "a name without ="),
        ("env", {"": "1"}, "env.", "a name without ="),
        ("env", {"A": None}, "env.A", "a text"),
        ("env", ["A=1"], "env", "a map of names to texts"),
        ("cwd", "", "cwd", "not empty"),
        ("cwd", "a\0b", "cwd", "not empty"),
        ("expect", {"file": "../x"}, "expect.file", "without `..`"),
        ("expect", {"file": ["a", "b/../../c"]}, "expect.file.1", "without `..`"),
        ("expect", {"fil": "x"}, "expect.fil", "one of result, file, proof"),
        ("expect", "out.md", "expect", "a map of result, file, proof"),
        ("circuit", {"failures": -1}, "circuit.failures", "from 0"),
        ("circuit", {"open": "2h", "max_open": "1h"}, "circuit.max_open", "no shorter than `open`"),
        ("backoff", [], "backoff", "a list of durations"),
        ("backoff", ["soon"], "backoff.0", "a duration"),
        ("backoff", "soon", "backoff", "a list of durations"),
        ("backoff", {"initial": "1h", "max": "1m"}, "backoff.max", "no shorter than `initial`"),
        ("backoff", {"jitter": 2}, "backoff.jitter", "from 0, 1 at most"),
        ("active_hours", "8-19", "active_hours", "such as 08:00-19:00"),
        ("active_hours", "24:00-08:00", "active_hours", "such as 08:00-19:00"),
        ("active_hours", "08:00-25:00", "active_hours", "such as 08:00-19:00"),
        (
            "active_hours",
            "\u0660\u0668:\u0660\u0660-\u0661\u0669:\u0660\u0660",
            "active_hours",
            "such as 08:00-19:00",
        ),
        ("timezone", "Mars/Olympus", "timezone", "such as Europe/Berlin"),
        ("timezone", "Europe", "timezone", "such as Europe/Berlin"),
        ("timezone", "../../etc/passwd", "timezone", "such as Europe/Berlin"),
        ("once_at", "tomorrow", "once_at", "such as 2026-12-01T09:00"),
        ("once_at", "2026-13-01T09:00", "once_at", "such as 2026-12-01T09:00"),
        ("once_at", "20261201T0900", "once_at", "such as 2026-12-01T09:00"),
        ("once_at", "0001-01-01T00:00", "once_at", "such as 2026-12-01T09:00"),
        ("then", ["ok", "Not a name"], "then.1", "the name of a cadence"),
        ("on_dead", "a..b", "on_dead", "the name of a cadence"),
        ("notify", ["daed"], "notify.0", "dead, failed"),
        ("steps", ["a"], "steps.0", "a map of name"),
    ],
)
def test_a_key_refuses_what_it_can_not_mean(key: str, written: object, where: str, allowed: str) -> None:
    """The fault has its exact place, and says what would be allowed there."""
    faults = refused(**{key: written})
    assert list(faults) == [where]
    assert allowed in faults[where]


def test_where_no_zone_is_known_that_is_said_and_the_cure(tmp_path: Path) -> None:
    """A small image has none: "found Europe/Berlin, allowed a zone such as Europe/Berlin" helped nobody."""
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        assert "until tzdata is installed" in refused(timezone="Europe/Berlin")["timezone"]
    finally:
        zoneinfo.reset_tzpath()
        zoneinfo.ZoneInfo.clear_cache()


@pytest.mark.parametrize("line", ["./job.sh --all", """cd /x && echo "it's" > y"""])
def test_a_line_where_a_list_belongs_is_answered_by_the_list_to_write(line: str) -> None:
    """Who comes from a crontab copies it from the message."""
    told = refused(command=line)["command"].removeprefix("an argv list: ")
    assert cadence(command=yaml.safe_load(told)).command == ("sh", "-c", line)


def test_a_question_may_be_a_line_for_the_shell() -> None:
    """As people write it; `command` is the work itself, and wants to be exact."""
    assert cadence(guard="test -s list || exit 75").guard == ("sh", "-c", "test -s list || exit 75")
    assert cadence(probe="exit 1").probe == ("sh", "-c", "exit 1")
    assert cadence(guard=["test", "-s", "list"]).guard == ("test", "-s", "list")


def test_a_runner_is_named_by_a_name_that_may_stand_in_a_file_name() -> None:
    """Its credentials name a hold's file: no slash, no way out of the folder."""
    assert cadence(runner="My-agent_2.0").runner == "My-agent_2.0"
    for name in ("a/b", "..", ".a", "", "a b", "x" * 65, 5, None):
        assert list(refused(runner=name)) == ["runner"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Nobody mends a file one fault a try."""
    faults = refused(retires=1, timeout="soon", expect={"fil": 1, "proof": "yes"}, then=["A", "b", "C"])
    assert set(faults) == {"retires", "timeout", "expect.fil", "expect.proof", "then.0", "then.2"}
