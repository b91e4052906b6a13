"""Front matter as a whole: what one key implies for another, what clashes, what the bus's defaults add."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cadencebus.model.cadence import Backoff, Cadence, CircuitRules
from cadencebus.model.front_matter import cadence_of, laid_over
from cadencebus.model.keys import Wrong
from cadencebus.model.schemas import cadence_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NO_DEFAULTS: Mapping[str, Any] = {}


def read(own: Mapping[str, Any], defaults: Mapping[str, Any] = NO_DEFAULTS) -> Cadence:
    """Read front matter over the bus's defaults."""
    return cadence_of("x", own, defaults, prompt="the body", digest="d")


def faults(own: Mapping[str, Any], defaults: Mapping[str, Any] = NO_DEFAULTS) -> dict[str, str]:
    """Say by key what is wrong with it."""
    with pytest.raises(Wrong) as caught:
        read(own, defaults)
    return {str(fault.path[0]): fault.allowed for fault in caught.value.faults}


def test_no_front_matter_is_an_agent_with_all_defaults() -> None:
    """A file that is only a prompt is a cadence."""
    cadence = read({})
    assert (cadence.name, cadence.prompt, cadence.digest) == ("x", "the body", "d")
    assert (cadence.runner, cadence.mode, cadence.max_runs_per_hour) == ("claude", "session", 120)


def test_a_command_alone_implies_its_runner() -> None:
    """Nobody writes `command` for an agent."""
    assert read({"command": ["true"]}).runner == "command"


def test_a_guard_alone_implies_its_mode() -> None:
    """A guard that nobody asks would be a mistake."""
    assert read({"guard": ["true"]}).mode == "guarded"


def test_agents_have_a_brake_on_loops_and_commands_have_none() -> None:
    """A runner of the user's own is an agent until it says `command`; null lifts the brake."""
    assert read({"runner": "aider"}).max_runs_per_hour == 120
    assert read({"command": ["true"]}).max_runs_per_hour is None
    assert read({"command": ["true"], "max_runs_per_hour": 5}).max_runs_per_hour == 5
    assert read({"max_runs_per_hour": None}).max_runs_per_hour is None
    assert read({}, {"max_runs_per_hour": 7}).max_runs_per_hour == 7


@pytest.mark.parametrize(
    ("own", "key", "allowed"),
    [
        ({"mode": "guarded"}, "mode", "guarded only with a `guard`"),
        ({"mode": "session", "guard": ["true"]}, "mode", "guarded, since there is a `guard`"),
        ({"mode": "inline"}, "mode", "an agent takes a slot"),
        ({"runner": "command"}, "runner", "command only with a `command`"),
        ({"runner": "claude", "command": ["true"]}, "command", "only for runner: command"),
        ({"schedule": "* * * * *", "every": "5m"}, "every", "only one of schedule and every"),
        ({"every": "5m", "once_at": "2026-12-01T09:00Z"}, "once_at", "only one of every and once_at"),
        ({"resume": True, "concurrency": 2}, "resume", "only with concurrency: 1"),
    ],
)
def test_what_clashes_is_said_of_the_key_that_can_be_changed(
    own: dict[str, Any], key: str, allowed: str
) -> None:
    """Silence about it would mean that one of the two is ignored."""
    said = faults(own)
    assert list(said) == [key]
    assert allowed in said[key]


def test_all_clashes_are_said_at_once() -> None:
    """The third of three schedules is told of the two others."""
    own = {"schedule": "* * * * *", "every": 5, "once_at": "2026-12-01", "runner": "command"}
    assert list(faults(own)) == ["runner", "every", "once_at"]


def test_an_inline_command_may_have_a_runner_of_its_own() -> None:
    """Only what is known to be an agent is refused there."""
    assert read({"mode": "inline", "command": ["true"]}).mode == "inline"
    assert read({"mode": "inline", "runner": "my-shell"}).mode == "inline"


def test_defaults_lie_beneath_and_a_map_in_part_keeps_the_rest() -> None:
    """A cadence that changes one rule of the breaker keeps the bus's others, and the usual below those."""
    defaults = {
        "timeout": "5m",
        "circuit": {"failures": 7, "open": "1m"},
        "env": {"A": 1, "B": 2},
        "retries": 9,
    }
    cadence = read({"command": ["true"], "circuit": {"open": "2m"}, "env": {"B": 3}, "retries": 0}, defaults)
    assert cadence.timeout == 300.0
    assert cadence.circuit == CircuitRules(failures=7, open=120.0, max_open=14400.0)
    assert cadence.env == (("A", "1"), ("B", "3"))
    assert cadence.retries == 0


def test_another_form_replaces_a_default_whole() -> None:
    """A list of waits over a map of waits is a list of waits."""
    assert read({"backoff": ["1s"]}, {"backoff": {"initial": "5s"}}).backoff == Backoff(delays=(1.0,))


@pytest.mark.parametrize(
    ("own", "defaults", "outcome"),
    [
        ({"command": ["true"]}, {"runner": "codex"}, {"runner": "command"}),
        ({"guard": ["true"]}, {"mode": "session"}, {"mode": "guarded"}),
        ({"mode": "session"}, {"guard": ["true"]}, {"mode": "session", "guard": None}),
        ({"guard": None}, {"guard": ["true"]}, {"mode": "session", "guard": None}),
        (
            {"runner": "claude"},
            {"runner": "command", "command": ["true"]},
            {"runner": "claude", "command": None},
        ),
        ({}, {"runner": "command", "command": ["true"]}, {"runner": "command", "command": ("true",)}),
        ({"schedule": "@daily"}, {"every": "5m"}, {"schedule": "@daily", "every": None}),
        ({"every": "5m"}, {"once_at": "2026-12-01"}, {"every": 300.0, "once_at": None}),
    ],
)
def test_its_own_key_makes_a_contrary_default_void(
    own: dict[str, Any], defaults: dict[str, Any], outcome: dict[str, Any]
) -> None:
    """The bus's defaults must never make a cadence wrong that is right by itself."""
    cadence = read(own, defaults)
    assert {key: getattr(cadence, key) for key in outcome} == outcome


def test_a_default_that_is_wrong_is_a_fault_of_its_key() -> None:
    """Whoever reports it can see that the key does not stand in the file."""
    assert list(faults({"command": ["true"]}, {"retries": "many"})) == ["retries"]


def test_laying_over_changes_neither() -> None:
    """Defaults are shared by all cadences."""
    own, defaults = {"circuit": {"open": 1}}, {"circuit": {"failures": 2}}
    assert laid_over(own, defaults) == {"circuit": {"failures": 2, "open": 1}}
    assert (own, defaults) == ({"circuit": {"open": 1}}, {"circuit": {"failures": 2}})


@pytest.fixture
def in_sydney(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this machine somewhere else."""
    monkeypatch.setitem(os.environ, "TZ", "Australia/Sydney")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_without_a_zone_is_the_cadences_or_else_the_machines(in_sydney: None) -> None:
    """A time with a zone needs neither."""
    nine = datetime(2026, 12, 1, 9)  # noqa: DTZ001 - the zone is what is asked for
    local = read({"command": ["true"], "once_at": "2026-12-01T09:00"})
    berlin = read({"command": ["true"], "once_at": "2026-12-01T09:00", "timezone": "Europe/Berlin"})
    fixed = read({"command": ["true"], "once_at": "2026-12-01T09:00Z", "timezone": "Europe/Berlin"})
    day = read({"command": ["true"], "expires_at": "2026-12-01", "timezone": "UTC"})
    assert local.once_at == nine.replace(tzinfo=ZoneInfo("Australia/Sydney")).timestamp()
    assert berlin.once_at == nine.replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert fixed.once_at == nine.replace(tzinfo=UTC).timestamp()
    assert day.expires_at == datetime(2026, 12, 1, tzinfo=UTC).timestamp()


# Values by key, right and wrong, of the kinds that JSON Schema can tell apart: it knows no calendar.
DRAWN: dict[str, list[Any]] = {
    "description": ["", "x", 5, None],
    "enabled": [True, False, "yes", 1, None],
    "mode": ["session", "inline", "guard", ""],
    "command": [["true"], ["a", 1, ""], [""], [], "true", [None], [["a"]]],
    "guard": [None, 0, []],
    "runner": ["command", "a/b", "..", 5],
    "model": [None, "opus", "", 4],
    "args": [[], ["-x", 1, True], "x", [None]],
    "allowed_tools": ["Read", ["Read", "Edit"], [""], "", {}],
    "env": [{}, {"A": 1, "B": "x", "C": True}, {"A=B": 1}, {"": 1}, {"A": None}, []],
    "schedule": [None, "* * * * *", "", 5],
    "every": [None, "5m", 1, 0.05, "soon"],
    "once_at": [None, "2026-12-01T09:00Z", "2026-12-01", "tomorrow", 5],
    "max_firings": [None, 1, 0, "1"],
    "catch_up": ["none", "one", "all", "two", None],
    "jitter": [0, "10s", -1, "x"],
    "concurrency": [1, 1000, 0, 1001, "1"],
    "priority": [0, 9, 10, -1, 1.5],
    "group": [None, 0, -1],
    "active_hours": [None, "08:00-19:00", "8:00 - 24:00", "24:00-8:00", "8-19", "08:60-09:00", 8],
    "timeout": ["30m", 1, 0, "0s", "0.0", "0.01s", None],
    "idle_timeout": [0, "0", "20m", "20 m", "m", True],
    "backoff": [["30s", 2], "5s", 5, {"initial": 1, "jitter": 1}, {"jitter": 1.5}, {"x": 1}, [], None, ["x"]],
    "circuit": [{}, {"failures": 0}, {"failures": -1}, {"open": "1h"}, {"opens": 1}, None],
    "max_runs_per_hour": [None, 1, 0],
    "max_usd": [None, 0.01, 0, "1"],
    "expect": [
        *({}, {"file": "a/b..c"}, {"file": ["a", "/b"]}, {"file": "../a"}, {"file": "a/.."}),
        *({"file": ""}, {"proof": 1}, {"result": "any"}, {"result": "good"}, "a"),
    ],
    "then": ["a", ["a", "b.c"], ["A"], "a..b", 5, None],
    "steps": [[], [{"name": "x"}], ["x"], {}],
    "on_dead": [None, "a", "-a"],
    "notify": [None, [], ["dead"], ["daed"], "dead"],
    "retires": [1],
}
DOCUMENTS = st.lists(st.sampled_from(sorted(DRAWN)), unique=True, max_size=5).flatmap(
    lambda keys: st.fixed_dictionaries({key: st.sampled_from(DRAWN[key]) for key in keys})
)
SCHEMA = Draft202012Validator(cadence_schema())


@settings(max_examples=400)
@given(DOCUMENTS)
def test_a_document_passes_the_schema_where_it_is_read(document: dict[str, Any]) -> None:
    """Both ways, with a command beside it so that nothing is missing that `defaults` could give."""
    own = {"command": ["true"], **document}
    try:
        read(own)
    except Wrong:
        is_read = False
    else:
        is_read = True
    assert SCHEMA.is_valid(own) == is_read
