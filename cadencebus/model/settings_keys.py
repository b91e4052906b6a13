"""The keys of cadence.yaml: what each may hold, its default, and what it means."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cadencebus.model.cadence_keys import EVENTS
from cadencebus.model.cadence_keys import KEYS as CADENCE_KEYS
from cadencebus.model.keys import (
    COMMAND,
    DURATION,
    ENVIRONMENT,
    WORD,
    Key,
    Kind,
    Wrong,
    list_of,
    map_of,
    number,
    one_of,
    optional,
    read_keys,
    whole,
)
from cadencebus.model.runner import RUNNERS, Runner
from cadencebus.model.settings import (
    FOREVER,
    MIB,
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


def _kept(value: Any) -> float:
    return FOREVER if value == "forever" else float(DURATION(value))  # type: ignore[arg-type]


def _bytes(value: Any) -> int:
    units = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}
    if isinstance(value, str):
        unit = next((u for u in units if value.endswith(u)), None)
        if unit is None or not value.removesuffix(unit).strip().isdigit():
            raise ValueError
        return int(value.removesuffix(unit)) * units[unit]
    return int(whole(1)(value))  # type: ignore[call-overload,no-any-return]


def _runners(value: Any) -> Mapping[str, Runner]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - every wrong value is one kind of fault
    runners = dict(RUNNERS)
    for name, members in value.items():
        if not isinstance(members, dict):
            raise Wrong("a map with argv, stdin, stream, credentials, env", str(name))
        try:
            given = {key: read_keys(members, RUNNER)[key] for key in RUNNER if key in members}
        except Wrong as wrong:
            raise wrong.below(str(name)) from None
        old = RUNNERS.get(name)
        if old is None and "argv" not in given:
            raise Wrong("a new runner wants an argv list", str(name))
        merged = {"credentials": name, **given} if old is None else given
        base = (
            {}
            if old is None
            else {slot: getattr(old, slot) for slot in Runner.__dataclass_fields__ if slot != "name"}
        )
        runners[name] = Runner(name=str(name), **{**base, **merged})
    return MappingProxyType(runners)


def _defaults(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - every wrong value is one kind of fault
    read_keys(value, CADENCE_KEYS)
    return MappingProxyType(value)


KEPT = Kind(
    read=_kept,
    allowed="a duration such as 14d, or forever",
    schema={"anyOf": [{"const": "forever"}, dict(DURATION.schema)]},
)
BYTES = Kind(
    read=_bytes,
    allowed="bytes such as 1048576 or 64MiB",
    schema={
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": r"^[0-9]+\s*(KiB|MiB|GiB)$"},
        ]
    },
)
RUNNER = {
    "argv": Key(
        kind=COMMAND,
        default=(),
        help="the command line; {prompt_file} {run_dir} {tick_file} {home} {model} {session_id}",
    ),
    "stdin": Key(
        kind=optional(one_of("prompt")),
        default="prompt",
        help="prompt: the prompt file is standard input; null: nothing",
    ),
    "stream": Key(
        kind=one_of("claude", "codex", "gemini", "plain"), default="plain", help="how its output is read"
    ),
    "credentials": Key(kind=WORD, default="", help="runners that share credentials share their holds"),
    "env": Key(kind=ENVIRONMENT, default=(), help="added to the environment of its runs"),
}
_RETENTION = {
    name: Key(kind=KEPT, default=getattr(Retention(), name), help=f"how long {name} is kept")
    for name in ("done", "runs", "events", "dead")
}
_USAGE = {
    "command": Key(kind=COMMAND, default=(), help="prints the utilisation in per cent"),
    "hold_at": Key(kind=number(), default=90.0, help="hold from here on"),
    "every": Key(kind=DURATION, default=60.0, help="how often it is asked"),
    "on_error": Key(
        kind=one_of("one_at_a_time", "hold", "ignore"), default="one_at_a_time", help="while nothing is known"
    ),
}
_PRESSURE = {
    "dir": Key(kind=optional(WORD), default=None, help="presence files with a time to live"),
    "command": Key(kind=optional(COMMAND), default=None, help="exit 0: somebody works"),
    "delay": Key(kind=DURATION, default=30.0, help="new starts wait so long at a time"),
    "at_most": Key(kind=DURATION, default=600.0, help="and so long in all"),
}
_GATES = {
    "usage": Key(
        kind=optional(map_of(_USAGE, UsageGate)), default=None, help="hold while the plan is nearly used up"
    ),
    "pressure": Key(
        kind=optional(map_of(_PRESSURE, PressureGate)), default=None, help="wait while somebody works"
    ),
    "load": Key(
        kind=optional(
            map_of(
                {"max_per_core": Key(kind=number(), default=0.85, help="1-minute load per core")}, LoadGate
            )
        ),
        default=None,
        help="wait while the machine is busy",
    ),
    "memory": Key(
        kind=optional(
            map_of(
                {"min_free_mb": Key(kind=number(above=0, least=True), default=500.0, help="free memory")},
                MemoryGate,
            )
        ),
        default=None,
        help="wait while memory is short",
    ),
}
_NOTICE = map_of(
    {
        "command": Key(kind=COMMAND, default=(), help="gets the event as JSON on stdin"),
        "events": Key(kind=EVENTS, default=("dead", "circuit", "hold", "recovered"), help="which"),
    },
    Notice,
)

KEYS: dict[str, Key] = {
    "max_sessions": Key(
        kind=whole(0, 1000), default=2, help="sessions at a time; 0 = drain: start nothing new"
    ),
    "max_inline": Key(kind=whole(0, 1000), default=4, help="inline commands and guards at a time"),
    "settle": Key(kind=DURATION, default=2.0, help="how long unparsable content may still change"),
    "unknown_grace": Key(kind=DURATION, default=30.0, help="how long a cadence's file may be missing"),
    "max_tick_bytes": Key(kind=BYTES, default=MIB, help="largest tick file"),
    "max_inbox": Key(kind=whole(0), default=0, help="most waiting ticks that enqueue accepts; 0 = no limit"),
    "max_log_bytes": Key(kind=BYTES, default=64 * MIB, help="largest log of a run, each stream"),
    "retention": Key(
        kind=map_of(_RETENTION, Retention),
        default=Retention(),
        help="{done, runs, events, dead}: how long they are kept",
    ),
    "auth": Key(
        kind=one_of("auto", "subscription", "api-key"), default="auto", help="whether API keys are passed on"
    ),
    "max_usd_per_day": Key(kind=optional(number()), default=None, help="money budget of a day, all cadences"),
    "runners": Key(
        kind=Kind(
            read=_runners,
            allowed="a map of runners",
            schema={
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {name: dict(key.kind.schema) for name, key in RUNNER.items()},
                },
            },
        ),
        default=MappingProxyType(RUNNERS),
        help="adds or overrides runners",
    ),
    "gates": Key(
        kind=map_of(_GATES, Gates),
        default=Gates(),
        help="{usage, pressure, load, memory}: when new runs wait",
    ),
    "notify": Key(kind=list_of(_NOTICE), default=(), help="commands that are told of events"),
    "defaults": Key(
        kind=Kind(
            read=_defaults,
            allowed="a map of cadence keys",
            schema={
                "type": "object",
                "additionalProperties": False,
                "properties": {name: dict(key.kind.schema) for name, key in CADENCE_KEYS.items()},
            },
        ),
        default=MappingProxyType({}),
        help="for any cadence key",
    ),
}


def settings_of(members: Mapping[str, Any]) -> Settings:
    """The settings behind the members of cadence.yaml; `Wrong` where one makes no sense."""
    return Settings(**read_keys(members, KEYS))
