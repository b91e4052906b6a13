"""The keys of a cadence's front matter: what each may hold, its default, and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339
from cadencebus.model.cadence import Backoff, Cadence, CircuitRules, Expect, Hours
from cadencebus.model.keys import (
    ARGUMENT,
    CADENCE,
    COMMAND,
    DURATION,
    ENVIRONMENT,
    FLAG,
    TEXT,
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

if TYPE_CHECKING:
    from collections.abc import Mapping


def _backoff(value: Any) -> Backoff:
    if isinstance(value, dict):
        return Backoff(delays=(), **read_keys(value, _BACKOFF))
    return Backoff(delays=tuple(list_of(DURATION, least=1, alone=True).read(value)))


def _hours(value: Any) -> Hours:
    start, dash, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    if not dash:
        raise ValueError
    return Hours(start=_minute(start.strip()), end=_minute(end.strip()))


def _minute(text: str) -> int:
    hour, colon, minute = text.partition(":")
    if not (colon and hour.isdigit() and minute.isdigit() and len(minute) == len("00")):
        raise ValueError
    if int(hour) * 60 + int(minute) > 24 * 60 or minute > "59":
        raise ValueError
    return int(hour) * 60 + int(minute)


def _moment(value: Any) -> float:
    from datetime import datetime  # noqa: PLC0415 - few cadences name a moment

    text = str(value) if isinstance(value, str) else ""
    try:
        return parse_rfc3339(text)
    except ValueError:
        # Without a zone it is meant in local time.
        return datetime.fromisoformat(text).astimezone().timestamp()


def _relative(value: Any) -> str:
    text = str(WORD(value))
    if ".." in text.split("/") or "\0" in text:
        raise Wrong("a path without `..`")
    return text


def _zone(value: Any) -> str:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - few cadences name a zone

    name = str(WORD(value))
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Wrong("a time zone such as Europe/Berlin") from None
    return name


_BACKOFF = {
    "initial": Key(kind=DURATION, default=30.0, help="the first wait"),
    "multiplier": Key(
        kind=number(above=1.0, least=True), default=2.0, help="how much longer each further wait is"
    ),
    "max": Key(kind=optional(DURATION), default=None, help="the longest wait"),
    "jitter": Key(kind=number(above=0.0, least=True), default=0.1, help="by which share a wait may differ"),
}
_CIRCUIT = {
    "failures": Key(kind=whole(0, 1000), default=3, help="failed runs in a row that open it; 0: never"),
    "open": Key(kind=DURATION, default=1800.0, help="for how long"),
    "max_open": Key(kind=DURATION, default=14400.0, help="for how long at most"),
}
_PATH = Kind(read=_relative, allowed="a path without `..`", schema={"type": "string", "minLength": 1})
_EXPECT = {
    "result": Key(kind=one_of("success", "any"), default="success", help="how it must end"),
    "file": Key(kind=list_of(_PATH, alone=True), default=(), help="what must have been written"),
    "proof": Key(kind=FLAG, default=False, help="whether `cadence proof` must be called from inside"),
}
HOURS = Kind(
    read=_hours,
    allowed="hours such as 08:00-19:00",
    schema={"type": "string", "pattern": r"^\s*[0-9]{1,2}:[0-9]{2}\s*-\s*[0-9]{1,2}:[0-9]{2}\s*$"},
)
MOMENT = Kind(read=_moment, allowed="a time such as 2026-12-01T09:00", schema={"type": "string"})
ZONE = Kind(read=_zone, allowed="a time zone such as Europe/Berlin", schema={"type": "string"})
BACKOFF = Kind(
    read=_backoff,
    allowed="a list of durations such as [30s, 2m], or {initial, multiplier, max, jitter}",
    schema={
        "anyOf": [
            dict(list_of(DURATION, least=1, alone=True).schema),
            dict(map_of(_BACKOFF, dict).schema),
        ]
    },
)
EVENTS = list_of(WORD)

KEYS: dict[str, Key] = {
    "description": Key(kind=TEXT, default="", help="shown in lists"),
    "enabled": Key(kind=FLAG, default=True, help="false: its ticks wait in inbox/"),
    "mode": Key(
        kind=one_of("session", "inline", "guarded"),
        default="session",
        help="session: takes a slot; inline: cheap, beside the slots; guarded: `guard` decides first",
    ),
    "guard": Key(
        kind=optional(COMMAND),
        default=None,
        help="a command; exit 0: go on, 75: nothing to do, else a failure",
    ),
    "runner": Key(kind=WORD, default="claude", help="which program runs the prompt: a name from `runners`"),
    "command": Key(kind=optional(COMMAND), default=None, help="for runner: command; an argv list"),
    "auth": Key(
        kind=optional(one_of("auto", "subscription", "api-key")),
        default=None,
        help="whether an API key is passed on",
    ),
    "model": Key(kind=optional(WORD), default=None, help="passed to the runner"),
    "args": Key(kind=list_of(ARGUMENT), default=(), help="further arguments of the runner"),
    "permission_mode": Key(kind=optional(WORD), default=None, help="passed to the runner"),
    "allowed_tools": Key(kind=list_of(WORD, alone=True), default=(), help="passed to the runner"),
    "skip_permissions": Key(kind=FLAG, default=False, help="the runner may do everything"),
    "slash": Key(
        kind=FLAG, default=False, help="a prompt that starts with / is a slash command and meant so"
    ),
    "cwd": Key(kind=optional(WORD), default=None, help="working folder, relative to the home"),
    "env": Key(kind=ENVIRONMENT, default=(), help="added to the run's environment"),
    "schedule": Key(kind=optional(WORD), default=None, help="a cron line"),
    "every": Key(kind=optional(DURATION), default=None, help="an interval"),
    "once_at": Key(kind=optional(MOMENT), default=None, help="a single firing"),
    "max_firings": Key(kind=optional(whole(1)), default=None, help="an end by count"),
    "expires_at": Key(kind=optional(MOMENT), default=None, help="an end by date"),
    "timezone": Key(kind=optional(ZONE), default=None, help="for schedule and active_hours; default: local"),
    "catch_up": Key(
        kind=one_of("none", "one", "all"),
        default="one",
        help="after downtime: none, one tick for all missed, or all",
    ),
    "jitter": Key(kind=DURATION, default=0.0, help="spreads scheduled ticks"),
    "overlap": Key(
        kind=one_of("queue", "coalesce", "skip"),
        default="coalesce",
        help="queue: each runs; coalesce: a run stands for equal ones that waited; skip: none during a run",
    ),
    "concurrency": Key(kind=whole(1, 1000), default=1, help="runs of this cadence at a time"),
    "priority": Key(kind=whole(0, 9), default=5, help="default for its ticks; 0 first"),
    "group": Key(kind=optional(whole(0)), default=None, help="lower groups drain before higher ones start"),
    "active_hours": Key(
        kind=optional(HOURS), default=None, help="08:00-19:00, may pass midnight: outside, its ticks wait"
    ),
    "exclusive": Key(kind=FLAG, default=False, help="runs alone"),
    "ttl": Key(kind=optional(DURATION), default=None, help="an older tick is expired, not run"),
    "dedupe_window": Key(kind=DURATION, default=86400.0, help="for ticks with a key"),
    "timeout": Key(kind=DURATION, default=1800.0, help="whole run, then terminate"),
    "idle_timeout": Key(kind=DURATION, default=1200.0, help="no output for so long: stalled; 0: off"),
    "result_grace": Key(kind=DURATION, default=90.0, help="time to exit after its result was seen"),
    "kill_grace": Key(kind=DURATION, default=30.0, help="from SIGTERM to SIGKILL"),
    "retries": Key(kind=whole(0, 100), default=2, help="attempts after the first"),
    "backoff": Key(
        kind=BACKOFF, default=Backoff(), help="wait before each further attempt; the last repeats"
    ),
    "circuit": Key(
        kind=map_of(_CIRCUIT, CircuitRules),
        default=CircuitRules(),
        help="{failures, open, max_open}: the breaker",
    ),
    "max_runs_per_hour": Key(
        kind=optional(whole(1)), default=None, help="a brake on loops; 120 for agents, none for command"
    ),
    "pause_after": Key(
        kind=whole(0), default=0, help="failed ticks in a row that pause the cadence; 0: never"
    ),
    "max_turns": Key(kind=optional(whole(1)), default=None, help="turn budget of a run"),
    "max_usd": Key(kind=optional(number()), default=None, help="money budget of a run"),
    "max_usd_per_day": Key(kind=optional(number()), default=None, help="money budget of a day"),
    "expect": Key(
        kind=map_of(_EXPECT, Expect),
        default=Expect(),
        help="{result, file, proof}: what proves the work was done",
    ),
    "resume": Key(kind=FLAG, default=False, help="continue the last session of this cadence"),
    "payload": Key(
        kind=one_of("append", "file", "none"), default="append", help="how a payload reaches the prompt"
    ),
    "then": Key(kind=list_of(CADENCE, alone=True), default=(), help="cadences to enqueue after success"),
    "steps": Key(
        kind=list_of(Kind(read=lambda v: v, allowed="a step", schema={})), default=(), help="(later) a flow"
    ),
    "on_dead": Key(
        kind=optional(CADENCE), default=None, help="a cadence to enqueue with the failure as its payload"
    ),
    "investigate": Key(kind=FLAG, default=False, help="(later) a session reads the log of a dead letter"),
    "probe": Key(
        kind=optional(COMMAND), default=None, help="judges a long silent run: exit 0 healthy, 1 wedged"
    ),
    "notify": Key(kind=optional(EVENTS), default=None, help="events to tell: dead, circuit, hold, recovered"),
}


def cadence_of(name: str, members: Mapping[str, Any], *, prompt: str, digest: str) -> Cadence:
    """The cadence behind front matter merged with the defaults; `Wrong` where it makes no sense."""
    values = read_keys(members, KEYS)
    if values["guard"] is not None and "mode" not in members:
        values["mode"] = "guarded"
    if values["mode"] == "guarded" and values["guard"] is None:
        raise Wrong("mode guarded wants a `guard`", "mode")
    if values["runner"] == "command" and values["command"] is None:
        raise Wrong("runner command wants a `command`, an argv list", "runner")
    if values["command"] is not None and values["runner"] != "command" and "runner" not in members:
        values["runner"] = "command"
    times = [key for key in ("schedule", "every", "once_at") if values[key] is not None]
    if len(times) > 1:
        raise Wrong(f"only one of {' and '.join(times)}", times[1])
    if values["every"] is not None and values["every"] < 1:
        raise Wrong("an interval of a second or more", "every")
    if "max_runs_per_hour" not in members and values["runner"] != "command":
        values["max_runs_per_hour"] = 120
    return Cadence(name=name, prompt=prompt, digest=digest, **values)
