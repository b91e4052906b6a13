"""The keys of cadence.yaml: what each takes, what it makes of it, what it refuses."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cadencebus.model.keys import Wrong
from cadencebus.model.runner import RUNNERS
from cadencebus.model.schemas import settings_schema
from cadencebus.model.settings import (
    Gates,
    LoadGate,
    MemoryGate,
    Notice,
    PressureGate,
    Retention,
    Settings,
    UsageGate,
)
from cadencebus.model.settings_keys import KEYS, settings_of


def refused(**members: Any) -> dict[str, str]:
    """Say by key what is allowed instead of these members."""
    with pytest.raises(Wrong) as caught:
        settings_of(members)
    return {".".join(map(str, fault.path)): fault.allowed for fault in caught.value.faults}


def test_settings_made_by_hand_have_the_defaults_of_those_that_were_read() -> None:
    """The table of keys and the dataclass say the same."""
    assert settings_of({}) == Settings()
    assert {field.name for field in fields(Settings)} == set(KEYS)


@pytest.mark.parametrize(
    ("key", "written", "read"),
    [
        ("max_sessions", 0, 0),
        ("settle", "0.5s", 0.5),
        ("max_tick_bytes", 4096, 4096),
        ("max_log_bytes", "2GiB", 2 << 30),
        ("max_log_bytes", "512 KiB", 512 << 10),
        ("retention", {"done": "1d", "dead": "90d"}, Retention(done=86400.0, dead=90 * 86400.0)),
        ("retention", {"runs": "forever"}, Retention(runs=math.inf)),
        ("auth", "api-key", "api-key"),
        ("max_usd_per_day", 20, 20.0),
        ("gates", {"usage": {"command": ["u"]}}, Gates(usage=UsageGate(command=("u",)))),
        (
            "gates",
            {"pressure": {"dir": "state/pressure"}},
            Gates(pressure=PressureGate(dir="state/pressure")),
        ),
        (
            "gates",
            {"load": {}, "memory": {"min_free_mb": 0}},
            Gates(load=LoadGate(), memory=MemoryGate(min_free_mb=0)),
        ),
        ("gates", {"usage": None}, Gates()),
        (
            "notify",
            [{"command": ["notify-send", "cadence"]}, {"command": ["x"], "events": ["dead"]}],
            (
                Notice(command=("notify-send", "cadence"), events=("dead", "circuit", "hold", "recovered")),
                Notice(command=("x",), events=("dead",)),
            ),
        ),
        (
            "notify",
            [{"preset": "mail", "to": "ops@example.org", "events": []}],
            (Notice(preset="mail", to="ops@example.org", events=()),),
        ),
        ("defaults", {"timeout": "5m", "circuit": {"open": 1}}, {"timeout": "5m", "circuit": {"open": 1}}),
    ],
)
def test_a_key_is_read_as_it_is_meant(key: str, written: object, read: object) -> None:
    """One value for each form."""
    assert getattr(settings_of({key: written}), key) == read


@pytest.mark.parametrize(
    ("key", "written", "where", "allowed"),
    [
        ("max_sessions", -1, "max_sessions", "from 0"),
        ("max_sessions", None, "max_sessions", "from 0"),
        ("max_sesions", 3, "max_sesions", "one of max_sessions"),
        ("settle", "soon", "settle", "a duration"),
        ("max_tick_bytes", 0, "max_tick_bytes", "64MiB"),
        ("max_tick_bytes", "0 MiB", "max_tick_bytes", "64MiB"),
        ("max_tick_bytes", "64MB", "max_tick_bytes", "64MiB"),
        ("max_tick_bytes", True, "max_tick_bytes", "64MiB"),
        ("retention", {"done": "never"}, "retention.done", "or forever"),
        ("retention", "14d", "retention", "a map of done, runs, events, dead"),
        ("auth", "none", "auth", "auto, subscription or api-key"),
        ("gates", {"usage": {}}, "gates.usage.command", "an argv list"),
        ("gates", {"usage": {"command": ["u"], "hold_at": 101}}, "gates.usage.hold_at", "100 at most"),
        ("gates", {"usage": {"command": ["u"], "on_error": "go"}}, "gates.usage.on_error", "one_at_a_time"),
        ("gates", {"pressure": {}}, "gates.pressure.dir", "or a `command` instead"),
        (
            "gates",
            {"pressure": {"dir": "a", "command": ["b"]}},
            "gates.pressure.dir",
            "or a `command` instead",
        ),
        ("gates", {"presure": {}}, "gates.presure", "one of usage, pressure"),
        ("notify", [{"events": ["dead"]}], "notify.0.command", "an argv list"),
        ("notify", {"command": ["x"]}, "notify", "a list"),
        ("notify", [{"preset": "mail"}], "notify.0.to", "needed by the preset mail"),
        ("runners", {"aider": {}}, "runners.aider.argv", "no runner of this name is built in"),
        ("runners", {"aider": {"argv": "aider"}}, "runners.aider.argv", "an argv list"),
        ("runners", {"aider": {"argv": ["a"], "stdin": "no"}}, "runners.aider.stdin", "prompt or null"),
        (
            "runners",
            {"a": {"argv": ["a"], "credentials": "../x"}},
            "runners.a.credentials",
            "a name of letters",
        ),
        ("runners", {"../a": {"argv": ["a"]}}, "runners.../a", "a name of letters"),
        ("runners", {"claude": {"strem": "plain"}}, "runners.claude.strem", "one of argv"),
        ("runners", {"claude": None}, "runners.claude", "a map of argv"),
        ("defaults", {"retires": 3}, "defaults.retires", "one of description"),
        ("defaults", {"backoff": ["1s", "soon"]}, "defaults.backoff.1", "a duration"),
        ("defaults", ["x"], "defaults", "a map of keys of a cadence"),
    ],
)
def test_a_key_refuses_what_it_can_not_mean(key: str, written: object, where: str, allowed: str) -> None:
    """The fault has its exact place, and says what would be allowed there."""
    faults = refused(**{key: written})
    assert list(faults) == [where]
    assert allowed in faults[where]


def test_the_defaults_are_kept_as_they_were_written() -> None:
    """They are read with each cadence, beneath its own keys; nobody can change them on the way."""
    defaults = settings_of({"defaults": {"timeout": "5m"}}).defaults
    with pytest.raises(TypeError):
        defaults["timeout"] = 1  # type: ignore[index]


def test_the_built_in_runners_are_always_there() -> None:
    """A runner of one's own stands beside them."""
    runners = settings_of({"runners": {"aider": {"argv": ["aider"]}}}).runners
    assert set(runners) == {*RUNNERS, "aider"}
    assert runners["claude"] is RUNNERS["claude"]


DRAWN: dict[str, list[Any]] = {
    "max_sessions": [0, 1000, 1001, -1, "2", None],
    "max_inline": [0, True],
    "settle": ["2s", 0, -1],
    "max_tick_bytes": [1, 0, "1MiB", "1 GiB", "1MB", "0KiB", 1.5],
    "max_inbox": [0, -1],
    "retention": [{}, {"done": "14d"}, {"done": "forever", "dead": 5}, {"dune": 1}, {"done": None}, []],
    "auth": ["auto", "subscription", "api_key", None],
    "max_usd_per_day": [None, 1, 0],
    "runners": [
        *(
            {},
            {"a": {"argv": ["a"]}},
            {"a": {}},
            {"claude": {}},
            {"claude": {"stdin": None}},
            {"a b": {"argv": ["a"]}},
        ),
        *({"a": {"argv": ["a"], "stream": "json"}}, {"a": {"argv": []}}, {"codex": {"env": {"A": 1}}}, []),
    ],
    "gates": [
        *(
            {},
            {"usage": None},
            {"usage": {}},
            {"usage": {"command": ["x"], "every": 0}},
            {"load": {"max_per_core": 0}},
        ),
        *({"memory": {"min_free_mb": 1.5}}, {"usage": {"command": ["x"], "hold_at": 100}}, {"lod": {}}, None),
    ],
    "notify": [
        *([{"preset": "mail"}], [{"preset": "webhook", "url": "https://x"}], [{"preset": "pigeon"}]),
        *([{"preset": "macos", "command": ["x"]}], [{"preset": "macos", "command": None}]),
        *([], [{"command": ["x"]}], [{}], [{"command": ["x"], "events": ["daed"]}], ["x"], None),
    ],
    "defaults": [{}, {"timeout": 5}, {"timeout": 0}, {"nope": 1}, {"circuit": {"open": "x"}}, None],
    "max_sesions": [1],
}
DOCUMENTS = st.lists(st.sampled_from(sorted(DRAWN)), unique=True, max_size=4).flatmap(
    lambda keys: st.fixed_dictionaries({key: st.sampled_from(DRAWN[key]) for key in keys})
)
SCHEMA = Draft202012Validator(settings_schema())


@settings(max_examples=300)
@given(DOCUMENTS)
def test_a_document_passes_the_schema_where_it_is_read(document: dict[str, Any]) -> None:
    """Both ways."""
    try:
        settings_of(document)
    except Wrong:
        is_read = False
    else:
        is_read = True
    assert SCHEMA.is_valid(document) == is_read
