"""Why a waiting tick waits, by the consumer's own rules read from the disk."""

from __future__ import annotations

import os
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_stamp
from cadencebus.errors import CadenceError
from cadencebus.policy.admit import Wait, Waiting, held_by
from cadencebus.store import files, lock
from cadencebus.store.config import load_settings
from cadencebus.store.holds import Holds
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from cadencebus.cli.finding import Found
    from cadencebus.model.hold import Hold
    from cadencebus.store.paths import Home


class Reasons:
    """Looks once at the home, then says of each cadence why it waits."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._now = time.time()
        try:
            self._settings = load_settings(home, flags={}, environ=os.environ)
        except CadenceError:
            self._settings = load_settings(home.__class__("/nonexistent"), flags={}, environ={})
        self._prompts = Prompts(home, lambda: self._settings.defaults)
        self._scopes: dict[str, list[Hold]] = {}
        for hold in Holds(home).all(self._now):
            if not hold.over(self._now):
                self._scopes.setdefault(hold.scope, []).append(hold)
        self._stopped = files.exists(home.stop)
        self._alive = lock.is_held(home)

    def of(self, cadence: str, *, force: bool = False) -> Wait | None:
        """Why the head of this cadence's queue can't start; None: nothing on disk speaks against it."""
        if self._stopped:
            return Wait("stop", "state/STOP is there: `cadence start` removes it")
        try:
            known = self._prompts.load(cadence)
        except CadenceError as error:
            return Wait("broken", error.message)
        if not known.enabled:
            return Wait("disabled", f"prompts/{cadence}.md says enabled: false")
        runner = self._settings.runners.get(known.runner)
        credentials = runner.credentials if runner else known.runner
        held = held_by(Waiting(cadence=cadence, file="", credentials=credentials), self._scopes)
        if held is not None and not force:
            return Wait(f"held by {held.reason}", held.detail, held.until)
        if not self._alive:
            return Wait("no consumer", "nothing consumes this home: `cadence run`")
        return None


def spell(wait: Wait) -> str:
    """A wait in one line: `held by circuit_open until 14:02: …`."""
    until = "" if wait.until is None else f" until {clock(wait.until)}"
    return f"{wait.reason}{until}" + (f": {wait.detail}" if wait.detail else "")


def clock(at: float) -> str:
    """An instant as people say it: the time of day, with the date unless it is today."""
    then, now = datetime.fromtimestamp(at).astimezone(), datetime.now().astimezone()
    return then.strftime("%H:%M:%S" if then.date() == now.date() else "%Y-%m-%d %H:%M")


def why_it_waits(home: Home, found: Found, members: dict[str, Any]) -> str:
    """Why this tick waits, in one line."""
    if found.state == "deferred":
        return f"not due until {clock(parse_stamp(found.file[:23]))}"
    wait = Reasons(home).of(found.name.cadence, force=members.get("force") is True)
    return spell(wait) if wait else "ready: its turn comes when a slot is free and those before it have run"
