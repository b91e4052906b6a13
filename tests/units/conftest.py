"""A bus whose paths need every kind of quoting, and cron lines that every renderer must get right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from cadencebus.units.site import Site

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def site() -> Site:
    """An ordinary bus of an ordinary user."""
    return Site(
        home="/srv/ann/mail",
        program=("/srv/ann/.local/bin/cadence",),
        path="/srv/ann/.local/bin:/usr/bin:/bin",
        logs="/srv/ann/Library/Logs/cadencebus",
    )


@pytest.fixture
def nasty() -> Site:
    """A bus whose paths mean something to XML, to systemd, to cron or to a shell."""
    return Site(
        home='/srv/ann/50% "mail" & <it\'s> $HOME;#ü',
        program=("/opt/a b%h/cadence", "-x", "100%"),
        path="/opt/a b%h:/usr/bin:/bin",
        logs="/srv/ann/Log's 100%",
    )


@pytest.fixture
def faults() -> Callable[[dict[str, Any]], list[str]]:
    """Check a property list against launchd.plist(5).

    launchd itself says nothing about a key that it does not know: a typing error in `KeepAlive` is a consumer
    that stays down.
    """
    return _faults


# A type, a range, a set of words, a list of one kind, a map of one kind or by key; a tuple is a choice.
_Kind = Any

_CALENDAR = {
    "Month": range(1, 13),
    "Day": range(1, 32),
    "Weekday": range(8),
    "Hour": range(24),
    "Minute": range(60),
}
_KEEP_ALIVE: dict[str, Any] = {
    "SuccessfulExit": bool,
    "Crashed": bool,
    "NetworkState": bool,
    "PathState": {str: bool},
    "OtherJobEnabled": {str: bool},
    "AfterInitialDemand": bool,
}
_LIMITED = "Core CPU Data FileSize MemoryLock NumberOfFiles NumberOfProcesses ResidentSetSize Stack"
_LIMITS = dict.fromkeys(_LIMITED.split(), int)

_LAUNCHD_KEYS: dict[str, _Kind] = {
    "Label": str,
    "Disabled": bool,
    "UserName": str,
    "GroupName": str,
    "Program": str,
    "ProgramArguments": [str],
    "EnableGlobbing": bool,
    "EnableTransactions": bool,
    "EnablePressuredExit": bool,
    "KeepAlive": (bool, _KEEP_ALIVE),
    "RunAtLoad": bool,
    "RootDirectory": str,
    "WorkingDirectory": str,
    "EnvironmentVariables": {str: str},
    "Umask": (int, str),
    "TimeOut": int,
    "ExitTimeOut": int,
    "ThrottleInterval": int,
    "InitGroups": bool,
    "WatchPaths": [str],
    "QueueDirectories": [str],
    "StartOnMount": bool,
    "StartInterval": range(1, 2**31),
    "StartCalendarInterval": (_CALENDAR, [_CALENDAR]),
    "StandardInPath": str,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "Debug": bool,
    "WaitForDebugger": bool,
    "SoftResourceLimits": _LIMITS,
    "HardResourceLimits": _LIMITS,
    "Nice": range(-20, 21),
    "ProcessType": frozenset({"Background", "Standard", "Adaptive", "Interactive"}),
    "AbandonProcessGroup": bool,
    "LowPriorityIO": bool,
    "LowPriorityBackgroundIO": bool,
    "LaunchOnlyOnce": bool,
    "MachServices": {str: (bool, {"ResetAtClose": bool, "HideUntilCheckIn": bool})},
    "LimitLoadToSessionType": (str, [str]),
    "SessionCreate": bool,
    "LegacyTimers": bool,
    "AssociatedBundleIdentifiers": (str, [str]),
}
_REQUIRED = frozenset({"Label"})


def _faults(members: dict[str, Any]) -> list[str]:
    """What launchd would misunderstand or pass over, one sentence each."""
    found = [f"{key} is missing" for key in sorted(_REQUIRED - members.keys())]
    if not members.keys() & {"Program", "ProgramArguments"}:
        found.append("neither Program nor ProgramArguments is there")
    return found + _misfits("", members, _LAUNCHD_KEYS)


def _misfits(place: str, value: object, kind: _Kind) -> list[str]:
    match kind:
        case tuple():
            tries = [_misfits(place, value, choice) for choice in kind]
            # Of two ways to be wrong, the one that names the inner place helps more.
            return min(tries, key=lambda found: (len(found), f"{place} can't be" in "".join(found)))
        case dict() if isinstance(value, dict):
            return [fault for key, member in value.items() for fault in _member(place, key, member, kind)]
        case list() if isinstance(value, list):
            return [
                fault for n, item in enumerate(value) for fault in _misfits(f"{place}[{n}]", item, kind[0])
            ]
        case range() | frozenset():
            fits = isinstance(value, int | str) and not isinstance(value, bool) and value in kind
        case type():
            # True is an integer to Python, never to launchd.
            fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        case _:
            fits = False
    return [] if fits else [f"{place} can't be {value!r}"]


def _member(place: str, key: object, value: object, kind: dict[object, _Kind]) -> list[str]:
    path = f"{place}.{key}" if place else str(key)
    if str in kind and isinstance(key, str):
        return _misfits(path, value, kind[str])
    return _misfits(path, value, kind[key]) if key in kind else [f"{path} is not a key of launchd"]
