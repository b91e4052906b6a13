"""The keys of launchd.plist(5) that an agent may use, as data, and a check of a property list against them.

launchd itself says nothing about a key that it does not know: a typing error in `KeepAlive` is a consumer
that stays down.
"""

from __future__ import annotations

from typing import Any

# A type, a range, a set of words, a list of one kind, a map of one kind or by key; a tuple is a choice.
Kind = Any

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

LAUNCHD_KEYS: dict[str, Kind] = {
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
REQUIRED = frozenset({"Label"})


def faults(members: dict[str, Any]) -> list[str]:
    """What launchd would misunderstand or pass over, one sentence each."""
    found = [f"{key} is missing" for key in sorted(REQUIRED - members.keys())]
    if not members.keys() & {"Program", "ProgramArguments"}:
        found.append("neither Program nor ProgramArguments is there")
    return found + _misfits("", members, LAUNCHD_KEYS)


def _misfits(place: str, value: object, kind: Kind) -> list[str]:
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


def _member(place: str, key: object, value: object, kind: dict[object, Kind]) -> list[str]:
    path = f"{place}.{key}" if place else str(key)
    if str in kind and isinstance(key, str):
        return _misfits(path, value, kind[str])
    return _misfits(path, value, kind[key]) if key in kind else [f"{path} is not a key of launchd"]
