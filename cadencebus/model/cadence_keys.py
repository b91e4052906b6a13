"""The keys of a cadence's front matter: what each may hold, its default, and what it means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from cadencebus.model import duration
from cadencebus.model.cadence import (
    Auth,
    Backoff,
    CatchUp,
    CircuitRules,
    Expect,
    Mode,
    Overlap,
    PayloadWay,
)
from cadencebus.model.keys import Fault, Key, Kind, Wrong, each, list_of, map_of, must, optional, read_keys
from cadencebus.model.kinds import (
    ARGUMENT,
    CADENCE,
    COMMAND,
    DURATION,
    ENVIRONMENT,
    FLAG,
    HOURS,
    LABEL,
    MOMENT,
    PATH,
    QUESTION,
    SPAN,
    TEXT,
    WORD,
    ZONE,
    number,
    one_of,
    whole,
)

# An interval that is shorter is a mistake.
SHORTEST = 0.1
# What people may be told of.
NOTICES = ("dead", "failed", "circuit", "hold", "recovered", "budget", "starving", "gate", "fault")


def _backoff(value: Any) -> Backoff:
    if isinstance(value, dict):
        given = read_keys(value, _BACKOFF)
        if given["max"] is not None and given["max"] < given["initial"]:
            raise Wrong(Fault(path=("max",), allowed="a duration no shorter than `initial`"))
        return Backoff(delays=(), **given)
    if isinstance(value, list):
        must(value)
        return Backoff(delays=tuple(each((at, item, DURATION) for at, item in enumerate(value))))
    return Backoff(delays=(duration.parse_duration(value),))


def _circuit(value: Any) -> CircuitRules:
    must(isinstance(value, dict))
    given = read_keys(value, _CIRCUIT)
    if "max_open" not in value:
        # `open: 8h` alone means eight hours, whatever the default of the longest is.
        given["max_open"] = max(given["max_open"], given["open"])
    if given["max_open"] < given["open"]:
        raise Wrong(Fault(path=("max_open",), allowed="a duration no shorter than `open`"))
    return CircuitRules(**given)


def _interval(value: Any) -> float:
    seconds = duration.parse_duration(value)
    must(seconds >= SHORTEST)
    return seconds


def _step(value: Any) -> dict[str, Any]:
    must(isinstance(value, dict))
    return dict(value)


_BACKOFF = {
    "initial": Key(kind=DURATION, default="30s", help="the first wait"),
    "multiplier": Key(kind=number(1), default=2, help="how much longer each further wait is"),
    "max": Key(kind=optional(DURATION), help="the longest wait"),
    "jitter": Key(kind=number(0, 1), default=0.1, help="by which share a wait may be shorter or longer"),
}
_CIRCUIT = {
    "failures": Key(kind=whole(0, 1000), default=3, help="failed runs in a row that open it; 0: never"),
    "open": Key(kind=DURATION, default="30m", help="for how long; twice as long after a failed probe"),
    "max_open": Key(kind=DURATION, default="4h", help="for how long at most"),
}
_EXPECT = {
    "result": Key(kind=one_of("success", "any"), default="success", help="how its stream must end"),
    "file": Key(
        kind=list_of(PATH, alone=True), default=[], help="what it must have written, relative to cwd"
    ),
    "proof": Key(kind=FLAG, default=False, help="whether `cadence proof` must be called from inside"),
}
BACKOFF = Kind(
    read=_backoff,
    allowed="a list of durations such as [30s, 2m], or {initial, multiplier, max, jitter}",
    schema={
        "anyOf": [*list_of(DURATION, least=1, alone=True).schema["anyOf"], map_of(_BACKOFF, dict).schema]
    },
    keys=_BACKOFF,
)
CIRCUIT = replace(map_of(_CIRCUIT, CircuitRules), read=_circuit)
EVENTS = list_of(one_of(*NOTICES))
INTERVAL = Kind(
    read=_interval,
    allowed="an interval of a tenth of a second or more, such as 5m",
    schema={
        "anyOf": [
            {"type": "number", "minimum": SHORTEST, "maximum": duration.LONGEST},
            SPAN.schema["anyOf"][1],
        ]
    },
)
STEP = Kind(
    read=_step,
    allowed="a map of name, prompt or cadence, and wait_for",
    schema={"type": "object"},
)

KEYS: dict[str, Key] = {
    "description": Key(kind=TEXT, default="", help="shown in lists"),
    "enabled": Key(
        kind=FLAG, default=True, help="false: its ticks wait in inbox/, and its schedule makes none"
    ),
    "mode": Key(
        kind=one_of(*get_args(Mode)),
        default="session",
        help="session: a run takes a session slot; inline: a cheap command runs at once beside the slots;"
        " guarded: `guard` decides first, which a `guard` alone implies",
    ),
    "guard": Key(
        kind=optional(QUESTION),
        help="a command that looks first: exit 0 = go on, exit 75 = nothing to do (the tick is finished as"
        " skipped, at no cost), else a failure",
    ),
    "runner": Key(
        kind=LABEL,
        default="claude",
        help="which program runs the prompt: claude, codex, gemini, command, or"
        " a name from `runners` in cadence.yaml; `command` alone implies runner: command",
    ),
    "command": Key(kind=optional(COMMAND), help="what to run, for runner: command; the prompt is its input"),
    "auth": Key(
        kind=optional(one_of(*get_args(Auth))),
        help="whether an API key in the environment is passed on, see Credentials; default: the bus's",
    ),
    "model": Key(kind=optional(WORD), help="the model, in the runner's own words"),
    "args": Key(
        kind=list_of(ARGUMENT), default=[], help="further arguments of the runner; placeholders as in runners"
    ),
    "permission_mode": Key(
        kind=optional(WORD), help="what it may do unasked, in the runner's own words, such as acceptEdits"
    ),
    "allowed_tools": Key(kind=list_of(WORD, alone=True), default=[], help="tools that it may use unasked"),
    "skip_permissions": Key(kind=FLAG, default=False, help="true: the runner may do everything unasked"),
    "slash": Key(
        kind=FLAG, default=False, help="true: a prompt that starts with / is a slash command and meant so"
    ),
    "cwd": Key(kind=optional(WORD), help="working folder, relative to the home; default: the home"),
    "env": Key(kind=ENVIRONMENT, default={}, help="added to the run's environment"),
    "schedule": Key(kind=optional(WORD), help='a cron line, in quotes: "*/5 8-19 * * mon-fri"'),
    "every": Key(kind=optional(INTERVAL), help="an interval, instead of a cron line"),
    "once_at": Key(kind=optional(MOMENT), help="a single firing, instead of both"),
    "max_firings": Key(kind=optional(whole(1)), help="how often it fires in all"),
    "expires_at": Key(kind=optional(MOMENT), help="when it stops firing"),
    "timezone": Key(
        kind=optional(ZONE),
        help="for schedule, active_hours and times without a zone; default: local, the machine's",
    ),
    "catch_up": Key(
        kind=one_of(*get_args(CatchUp)),
        default="one",
        help="after downtime: none, one tick for all that were missed, or all",
    ),
    "jitter": Key(kind=DURATION, default=0, help="spreads scheduled ticks, by the cadence's name"),
    "overlap": Key(
        kind=one_of(*get_args(Overlap)),
        default="coalesce",
        help="queue: every tick runs; coalesce: a run absorbs the equal ticks that waited when it started;"
        " skip: ticks that come during a run are finished as skipped, unless forced",
    ),
    "concurrency": Key(kind=whole(1, 1000), default=1, help="runs of this cadence at a time"),
    "priority": Key(kind=whole(0, 9), default=5, help="of its ticks, where they name none; 0 first"),
    "group": Key(kind=optional(whole(0)), help="lower groups drain before higher ones start"),
    "active_hours": Key(
        kind=optional(HOURS), help="such as 08:00-19:00, may pass midnight: outside, its ticks wait"
    ),
    "exclusive": Key(
        kind=FLAG, default=False, help="runs alone: waits until nothing else runs, holds others back"
    ),
    "ttl": Key(kind=optional(SPAN), help="a tick older than this is finished as expired, not run"),
    "dedupe_window": Key(kind=DURATION, default="1d", help="how long a tick's `key` counts"),
    "timeout": Key(kind=SPAN, default="30m", help="a whole run; then it is ended"),
    "idle_timeout": Key(kind=DURATION, default="20m", help="no output for so long: stalled; 0: off"),
    "result_grace": Key(kind=DURATION, default="90s", help="time to exit after its result was seen"),
    "kill_grace": Key(kind=DURATION, default="30s", help="from SIGTERM to SIGKILL"),
    "retries": Key(kind=whole(0, 100), default=2, help="attempts after the first"),
    "backoff": Key(
        kind=BACKOFF,
        default=["30s", "2m"],
        help="the wait before each further attempt, the last repeats; or {initial, multiplier, max, jitter}",
    ),
    "circuit": Key(
        kind=CIRCUIT,
        default={"failures": 3, "open": "30m", "max_open": "4h"},
        help="how many failed runs in a row open the breaker, and for how long",
    ),
    "max_runs_per_hour": Key(
        kind=optional(whole(1)), help="a brake on loops; default: 120 for agents, none for runner: command"
    ),
    "pause_after": Key(
        kind=whole(0),
        default=0,
        help="dead ticks in a row that pause the cadence until somebody looks; 0: never",
    ),
    "max_turns": Key(kind=optional(whole(1)), help="turn budget of a run"),
    "max_usd": Key(kind=optional(number(0, above=True)), help="money budget of a run"),
    "max_usd_per_day": Key(kind=optional(number(0, above=True)), help="money budget of a day"),
    "expect": Key(
        kind=map_of(_EXPECT, Expect),
        default={"result": "success"},
        help="{result, file, proof}: what proves that the work was done",
    ),
    "resume": Key(kind=FLAG, default=False, help="true: continue the last session of this cadence"),
    "payload": Key(
        kind=one_of(*get_args(PayloadWay)),
        default="append",
        help="how a payload reaches the prompt: append a fenced JSON block, file only, or none",
    ),
    "then": Key(kind=list_of(CADENCE, alone=True), default=[], help="cadences to enqueue after success"),
    "steps": Key(kind=list_of(STEP), default=[], help="(later) a flow of several runs"),
    "on_dead": Key(kind=optional(CADENCE), help="a cadence to enqueue with the failure as its payload"),
    "investigate": Key(
        kind=FLAG, default=False, help="(later) after a dead letter, a session writes a plan to fix it"
    ),
    "probe": Key(
        kind=optional(QUESTION), help="a command that judges a long silent run: exit 0 healthy, 1 wedged"
    ),
    "notify": Key(kind=optional(EVENTS), help=f"events to tell, of {', '.join(NOTICES)}; default: the bus's"),
}
