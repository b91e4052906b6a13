"""What a run finds in its environment: ours, the bus's own, less what would mislead an agent."""

from __future__ import annotations

import os
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from cadencebus.errors import Misconfigured
from cadencebus.model.providers import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

# With these, an agent would believe that it runs inside another one, or under another supervisor.
_MISLEADING = frozenset(
    {
        "CLAUDECODE",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_SESSION_ID",
        "CLAUDE_CODE_CHILD_SESSION",
        "CLAUDE_CODE_SSE_PORT",
        "CLAUDE_CODE_RETRY_WATCHDOG",
        "AI_AGENT",
        "NOTIFY_SOCKET",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_FDNAMES",
        "INVOCATION_ID",
        "JOURNAL_STREAM",
    }
)
_MISLEADING_PREFIXES = ("WATCHDOG_", "CADENCE_SET_")
# launchd and cron give a bare PATH: these are where people install things.
_USER_FOLDERS = ("~/.local/bin", "/opt/homebrew/bin", "/usr/local/bin")
_BARE = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")

# What forms and examples say where a key belongs: nothing, a word that stands for one, or its shape alone.
_PLACEHOLDER = re.compile(
    r"(change|replace)[-_ ]?(me|this)|placeholder|none|null|todo|tbd|fixme|secret|(my[-_ ]?)?(api[-_ ]?)?key"
    r"|(your|xxx|<|\$\{).*"
    r"|(.*[-_ ])?your[-_ ].*key.*"
    r"|(sk-)?(ant-|proj-)?(api\d+-)?[x.*-]*"
    r"|.*\.\.\."
)

# What is called so is a secret, unless it is short, or says where to find one.
_SECRET = re.compile(
    r"(?:(?:\b|_|API)KEY|TOKEN|SECRET|PASS(?:WORD|WD|PHRASE)|CREDENTIALS?)(?![A-Z])", re.IGNORECASE
)
_SECRET_LEAST = 8
_NOTHING: Mapping[str, str] = MappingProxyType({})


def is_placeholder(value: str) -> bool:
    """Whether a key is empty or obviously nobody's."""
    return _PLACEHOLDER.fullmatch(value.strip().strip("\"'").lower()) is not None


def credentialed(environ: dict[str, str], credentials: str, auth: str) -> dict[str, str]:
    """Apply the credentials rule: a useless key is dropped, so that the CLI falls back to its own login."""
    keys = PROVIDERS[credentials].keys if credentials in PROVIDERS else ()
    if auth == "api-key":
        if keys and not any(not is_placeholder(environ.get(key, "")) for key in keys):
            raise Misconfigured(f"auth: api-key, but {' or '.join(keys)} is not set to a real key")
        return environ
    drop = [key for key in keys if auth == "subscription" or is_placeholder(environ.get(key, ""))]
    return {name: value for name, value in environ.items() if name not in drop}


def search_path(path: str, home: str) -> str:
    """A PATH that also finds what people install for themselves."""
    folders = [folder for folder in path.split(os.pathsep) if folder]
    for folder in (*_USER_FOLDERS, *_BARE):
        place = folder.replace("~", home, 1)
        if place not in folders:
            folders.append(place)
    return os.pathsep.join(folders)


def secrets(environ: Mapping[str, str]) -> list[str]:
    """The values in an environment that must go no further, the longest first."""
    found = {
        value
        for name, value in environ.items()
        if _SECRET.search(name)
        and len(value) >= _SECRET_LEAST
        and not value.startswith(("/", "~"))
        and not is_placeholder(value)
    }
    return sorted(found, key=len, reverse=True)


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """What a run takes over of the consumer's own environment."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _MISLEADING and not name.startswith(_MISLEADING_PREFIXES)
    }


def environment(
    base: Mapping[str, str],
    ours: Mapping[str, str],
    runner: Mapping[str, str] = _NOTHING,
    cadence: Mapping[str, str] = _NOTHING,
) -> dict[str, str]:
    """The whole environment of a run, or of another command of the bus, of what is `inherited`.

    What the cadence sets wins over the runner's, ours over everything.
    """
    kept = {**base, **runner, **cadence}
    kept["PATH"] = search_path(kept.get("PATH", ""), kept.get("HOME", "/"))
    return {**kept, **ours}
