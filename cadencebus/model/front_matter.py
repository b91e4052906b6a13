"""Front matter as a whole: the bus's defaults below it, what one key implies for another, what clashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from cadencebus.model.cadence import Cadence
from cadencebus.model.cadence_keys import KEYS
from cadencebus.model.keys import Fault, Wrong, over, read_keys
from cadencebus.model.runner import RUNNERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

# Agents loop in earnest: this many runs an hour are a mistake.
_AGENTS_RUNS_PER_HOUR = 120
_WHEN = ("schedule", "every", "once_at")
# A cadence's own key makes these defaults of the bus void.
_BEATS = {
    "command": ("runner",),
    "guard": ("mode",),
    **{key: tuple(other for other in _WHEN if other != key) for key in _WHEN},
}


def laid_over(own: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A cadence's own keys over those of the bus's defaults that they leave standing."""
    beaten = {below for key in own for below in _BEATS.get(key, ())}
    if own.get("runner", "command") != "command":
        beaten.add("command")
    if own.get("mode", "guarded") != "guarded":
        beaten.add("guard")
    return over(own, {key: value for key, value in defaults.items() if key not in beaten})


def cadence_of(
    name: str, own: Mapping[str, Any], defaults: Mapping[str, Any], *, prompt: str, digest: str
) -> Cadence:
    """The cadence behind front matter and the bus's defaults; `Wrong` says everything that makes no sense."""
    given = laid_over(own, defaults)
    values = read_keys(given, KEYS)
    if values["guard"] and "mode" not in given:
        values["mode"] = "guarded"
    if values["command"] and "runner" not in given:
        values["runner"] = "command"
    if "max_runs_per_hour" not in given and values["runner"] != "command":
        values["max_runs_per_hour"] = _AGENTS_RUNS_PER_HOUR
    if faults := [Fault(path=(key,), allowed=allowed) for key, allowed in _clashes(values)]:
        raise Wrong(*faults)
    for key in ("once_at", "expires_at"):
        values[key] = _instant(values[key], values["timezone"])
    return Cadence(name=name, prompt=prompt, digest=digest, **values)


def _clashes(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys that are right each for itself and wrong together: which one, and what it would have to be."""
    mode, guard, runner, command = (values[key] for key in ("mode", "guard", "runner", "command"))
    if mode == "guarded" and not guard:
        yield "mode", "guarded only with a `guard`"
    if mode != "guarded" and guard:
        yield "mode", "guarded, since there is a `guard`"
    if mode == "inline" and runner in RUNNERS and RUNNERS[runner].agent:
        yield "mode", "session or guarded: an agent takes a slot, only commands run inline"
    if runner == "command" and not command:
        yield "runner", "command only with a `command`, an argv list"
    if runner != "command" and command:
        yield "command", "a `command` only for runner: command"
    when = [key for key in _WHEN if values[key] is not None]
    for key in when[1:]:
        yield key, f"only one of {' and '.join(when)}"
    if values["resume"] and values["concurrency"] > 1:
        yield "resume", "true only with concurrency: 1, for no session can be continued twice at a time"


def _instant(moment: datetime | None, zone: str | None) -> float | None:
    if moment is None:
        return None
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    return moment.timestamp()
