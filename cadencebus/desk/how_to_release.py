"""What to type to end a hold: the words behind the arrow in `status`, `top` and `doctor`."""

from __future__ import annotations

import re
import shutil
from shlex import quote
from typing import TYPE_CHECKING

from cadencebus.desk.obstacles import room_wanted
from cadencebus.model.foreign import mapping
from cadencebus.model.providers import PROVIDERS
from cadencebus.store import install_record

if TYPE_CHECKING:
    from cadencebus.model.hold import Hold
    from cadencebus.store.paths import Home

# These end when their cause does, and nobody need say so.
BY_ITSELF = {
    "disk_full": "`cadence doctor` says what to fix; it goes on by itself then",
    "network": "it goes on by itself when the network is back",
}
# What to do first, where `cadence resume` alone would only fail again.
_FIRST = {
    "auth": "log in again, then ",
    "billing": "see to the bill, then ",
    "config": "`cadence check`, then ",
    "turn_budget": "raise its max_turns or max_usd, then ",
}
_NO_ROOM = ("no space left", "quota")
_REFUSED = re.compile(r"\bexit \d+\)")
_NOT_FOUND = re.compile(r"(?P<program>[\w.+-]+): not found \(ENOENT\); install it")


def without_a_time(hold: Hold) -> str:
    """How a hold ends that names no time."""
    return "by itself" if hold.reason in BY_ITSELF else "until released"


def how_to_release(hold: Hold, home: Home) -> str:
    """What to type, and what to do before."""
    reason, detail, (kind, _, name) = hold.reason, hold.detail, hold.scope.partition("-")
    if reason == "disk_full" and any(sign in detail.lower() for sign in _NO_ROOM):
        return room_wanted(home)
    if reason in BY_ITSELF:
        return BY_ITSELF[reason]
    if reason == "circuit_open":
        return f"`cadence logs {name}`, then `cadence circuit reset {name}`"
    if unread(hold):
        return f"`rm {quote(f'{home.holds}/{hold.file}')}`"
    if consumer := _another_environment(hold, home):
        return consumer
    whom = {"cadence": f" {name}", "credentials": f" --credentials {name}"}.get(kind, "")
    return f"{_first(reason, detail, name)}`cadence resume{whom}`"


def _first(reason: str, detail: str, name: str) -> str:
    """What `cadence resume` alone would not mend."""
    if reason == "auth" and name in PROVIDERS:
        return f"{PROVIDERS[name].sign_in}, then "
    if reason == "config" and _REFUSED.search(detail):
        # A model, an option that it does not know: no check can tell, its own words do.
        return "fix its file, then "
    return _FIRST.get(reason, "")


def unread(hold: Hold) -> bool:
    """Whether nobody can read it, whatever its name says."""
    return hold.reason == "unreadable" or hold.detail.startswith("holds/")


def _another_environment(hold: Hold, home: Home) -> str | None:
    """What only another consumer can cure: a key that was refused, a PATH without the program."""
    if hold.reason == "config":
        return _only_here(hold.detail, home)
    used, provider = (
        mapping((hold.extra or {}).get("fingerprints")),
        PROVIDERS.get(hold.scope.partition("-")[2]),
    )
    # What an agent takes before any login; it comes from the consumer's environment.
    for key in (*provider.own_keys, *provider.tokens) if provider else ():
        if hold.reason == "auth" and key in used:
            return f"give the consumer's environment another {key}, or none, then `cadence restart`"
    return None


def _only_here(detail: str, home: Home) -> str | None:
    """A program that this shell finds and the consumer does not: it was started with another PATH."""
    missed = _NOT_FOUND.search(detail)
    found = shutil.which(missed["program"]) if missed else None
    if found is None:
        return None
    record = install_record.load(home)
    again = record.again if record else "cadence restart"
    return f"`{again}` in this shell, which finds {found}: the consumer has another PATH"
