"""The keys of cadence.yaml: what each may hold, its default, and what it means."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, get_args

from cadencebus.model.cadence import Auth
from cadencebus.model.cadence_keys import EVENTS
from cadencebus.model.cadence_keys import KEYS as CADENCE_KEYS
from cadencebus.model.keys import Fault, Key, Kind, Wrong, list_of, map_of, must, named, optional, read_keys
from cadencebus.model.kinds import (
    BYTES,
    COMMAND,
    DURATION,
    ENVIRONMENT,
    KEPT,
    LABEL,
    SPAN,
    WORD,
    number,
    one_of,
    whole,
)
from cadencebus.model.notice_presets import PRESETS
from cadencebus.model.runner import RUNNERS, STREAMS, runner_of
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.runner import Runner


def _runners(given: Mapping[str, dict[str, Any]]) -> Mapping[str, Runner]:
    faults = [
        Fault(path=(name, "argv"), allowed="an argv list, since no runner of this name is built in")
        for name, members in given.items()
        if name not in RUNNERS and "argv" not in members
    ]
    if faults:
        raise Wrong(*faults)
    return MappingProxyType(RUNNERS | {name: runner_of(name, members) for name, members in given.items()})


def _defaults(value: Any) -> Mapping[str, Any]:
    must(isinstance(value, dict))
    read_keys(value, CADENCE_KEYS)
    return MappingProxyType(value)


def _pressure(**values: Any) -> PressureGate:
    if (values["dir"] is None) == (values["command"] is None):
        raise Wrong(Fault(path=("dir",), allowed="a folder, or a `command` instead"))
    return PressureGate(**values)


def _notice(**values: Any) -> Notice:
    if (values["command"] is None) == (values["preset"] is None):
        raise Wrong(Fault(path=("command",), allowed="an argv list, or a `preset` instead"))
    needs = PRESETS[values["preset"]].needs if values["preset"] else ()
    faults = [
        Fault(path=(name,), allowed=f"needed by the preset {values['preset']}")
        for name in needs
        if values[name] is None
    ]
    if faults:
        raise Wrong(*faults)
    return Notice(**values)


RUNNER = {
    "argv": Key(
        kind=COMMAND,
        help="the command line; {prompt_file} {run_dir} {tick_file} {home} {model} {session_id} are replaced",
    ),
    "stdin": Key(
        kind=replace(optional(one_of("prompt")), allowed="prompt or null"),
        default="prompt",
        help="prompt: the prompt file is standard input; null: nothing is",
    ),
    "stream": Key(kind=one_of(*STREAMS), default="plain", help="how its output is read"),
    "credentials": Key(
        kind=LABEL, help="runners that share credentials share their holds; default: the runner's name"
    ),
    "env": Key(kind=ENVIRONMENT, default={}, help="added to the environment of its runs"),
}
_RETENTION = {
    "done": Key(kind=KEPT, default="14d", help="finished ticks"),
    "runs": Key(kind=KEPT, default="30d", help="folders of runs, with their logs"),
    "events": Key(kind=KEPT, default="90d", help="the journal"),
    "dead": Key(kind=KEPT, default="forever", help="dead letters"),
}
_USAGE = {
    "command": Key(kind=COMMAND, required=True, help="prints how much of the plan is used, in per cent"),
    "hold_at": Key(kind=number(0, 100, above=True), default=90, help="per cent from which new runs wait"),
    "every": Key(kind=SPAN, default="60s", help="how often it is asked"),
    "on_error": Key(
        kind=one_of("one_at_a_time", "hold", "ignore"),
        default="one_at_a_time",
        help="while nothing is known: one session at a time, none, or all",
    ),
    "credentials": Key(
        kind=optional(LABEL), help="whose plan it is: only what uses these waits; default: everything"
    ),
}
_ON_ERROR = Key(
    kind=one_of("hold", "ignore"), default="ignore", help="while it can't be asked: start nothing, or go on"
)
_PRESSURE = {
    "dir": Key(kind=optional(WORD), help="presence files: who touches one is at work for its time to live"),
    "command": Key(kind=optional(COMMAND), help="exit 0: somebody works"),
    "delay": Key(kind=SPAN, default="30s", help="new starts wait so long at a time"),
    "at_most": Key(kind=SPAN, default="10m", help="and so long in all; then they go on"),
    "ttl": Key(kind=SPAN, default="5m", help="how long a presence file counts that does not say it itself"),
    "on_error": _ON_ERROR,
}
_LOAD = {
    "max_per_core": Key(kind=number(0, above=True), default=0.85, help="1-minute load per core"),
    "on_error": _ON_ERROR,
}
_MEMORY = {"min_free_mb": Key(kind=number(0), default=500, help="free memory"), "on_error": _ON_ERROR}
_GATES = {
    "usage": Key(kind=optional(map_of(_USAGE, UsageGate)), help="waits while the plan is nearly used up"),
    "pressure": Key(kind=optional(map_of(_PRESSURE, _pressure)), help="waits while somebody works"),
    "load": Key(kind=optional(map_of(_LOAD, LoadGate)), help="waits while the machine is busy"),
    "memory": Key(kind=optional(map_of(_MEMORY, MemoryGate)), help="waits while memory is short"),
}
_NOTICE = {
    "command": Key(kind=optional(COMMAND), help="gets the event as JSON on its standard input"),
    "preset": Key(
        kind=optional(one_of(*PRESETS)), help="a ready-made command instead: mail needs `to`, webhook `url`"
    ),
    "url": Key(kind=optional(WORD), help="where the preset webhook posts the event"),
    "to": Key(kind=optional(WORD), help="whom the preset mail writes to"),
    "events": Key(kind=EVENTS, default=["dead", "circuit", "hold", "recovered"], help="which ones"),
}
_NOTIFIED = map_of(_NOTICE, _notice)
_NULL = {"type": "null"}
_ONE_WAY = [
    {"required": ["command"], "properties": {"command": {"type": "array"}, "preset": _NULL}},
    *(
        {
            "required": ["preset", *preset.needs],
            "properties": {
                "command": _NULL,
                "preset": {"const": name},
                **{need: {"type": "string"} for need in preset.needs},
            },
        }
        for name, preset in PRESETS.items()
    ),
]
_CHANGED = map_of(RUNNER, dict, fill=False)
_ADDED = {**_CHANGED.schema, "required": ["argv"]}
_RUNNERS = named(LABEL, _CHANGED, allowed="a map of runners by name", build=_runners)
_RUNNERS_SCHEMA = {
    **_RUNNERS.schema,
    "properties": dict.fromkeys(RUNNERS, _CHANGED.schema),
    "additionalProperties": _ADDED,
}

KEYS: dict[str, Key] = {
    "max_sessions": Key(
        kind=whole(0, 1000), default=2, help="sessions at a time; 0 = drain: start nothing new"
    ),
    "max_inline": Key(kind=whole(0, 1000), default=4, help="inline commands and guards at a time"),
    "settle": Key(
        kind=DURATION,
        default="2s",
        help="how long a file that is not a tick (yet) must stay unchanged before it is judged",
    ),
    "unknown_grace": Key(
        kind=DURATION,
        default="30s",
        help="how long the file of a cadence may be missing before its ticks die",
    ),
    "max_tick_bytes": Key(kind=BYTES, default="1MiB", help="the largest tick file"),
    "max_inbox": Key(
        kind=whole(0), default=0, help="so many ticks may wait, then enqueue exits 75; 0 = no limit"
    ),
    "max_log_bytes": Key(kind=BYTES, default="64MiB", help="the largest log of a run, each stream"),
    "retention": Key(
        kind=map_of(_RETENTION, Retention),
        default={name: key.default for name, key in _RETENTION.items()},
        help="how long finished ticks, run folders, the journal and dead letters are kept",
    ),
    "auth": Key(
        kind=one_of(*get_args(Auth)),
        default="auto",
        help="whether an API key in the environment is passed on: Credentials in `cadence help cadence`",
    ),
    "max_usd_per_day": Key(
        kind=optional(number(0, above=True)), help="money budget of a day, all cadences together"
    ),
    "runners": Key(
        kind=replace(_RUNNERS, schema=_RUNNERS_SCHEMA),
        default={},
        help="adds runners to claude, codex, gemini and command, or changes these",
    ),
    "gates": Key(kind=map_of(_GATES, Gates), default={}, help="when new runs wait"),
    "notify": Key(
        kind=list_of(replace(_NOTIFIED, schema={**_NOTIFIED.schema, "oneOf": _ONE_WAY})),
        default=[],
        help="commands that are told of events",
    ),
    "defaults": Key(
        kind=Kind(
            read=_defaults,
            allowed="a map of keys of a cadence",
            schema=map_of(CADENCE_KEYS, dict).schema,
        ),
        default={},
        help="for keys of a cadence that its file does not give",
    ),
}


def settings_of(members: Mapping[str, Any]) -> Settings:
    """The settings behind the members of cadence.yaml; `Wrong` says everything that makes no sense."""
    return Settings(**read_keys(members, KEYS))
