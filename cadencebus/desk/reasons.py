"""Why waiting ticks wait: the consumer's own rules, asked about what lies on the disk."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cadencebus.desk import human_time
from cadencebus.desk.lookup import Found, names
from cadencebus.desk.snapshot import Snapshot
from cadencebus.errors import CadenceError, NoSuch
from cadencebus.model.naming import parse_name
from cadencebus.model.tick import BadTick
from cadencebus.policy import brakes
from cadencebus.policy.admit import STOPPED, Admission, Caps, Running, Wait, Waiting, admit, run_of
from cadencebus.policy.circuit import half_open
from cadencebus.policy.starvation import FOR_ROOM
from cadencebus.session import life
from cadencebus.store import fitness, runs
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Collection

    from cadencebus.model.cadence import Cadence
    from cadencebus.store.paths import Home

NO_CONSUMER = Wait("no consumer", "cadence up starts one")


class Reasons(Snapshot):
    """A home at one moment; and for each cadence and each tick, why it does not start."""

    def __init__(self, home: Home, now: float, *, before: Snapshot | None = None) -> None:
        """Look; `before` is a former look, of which all is kept that did not change since."""
        super().__init__(home, now, before=before)
        self._spool = Spool(home)
        self._own: dict[str, Wait] = {}
        self._shut = fitness.shut(home.state)
        self.admission = self._admit()

    def of_cadence(self, cadence: str) -> Wait | None:
        """Why the next tick of this cadence does not start; None: it starts at any moment."""
        if self.stopped:
            return STOPPED
        if self._shut is not None:
            # A full disk has no room for the hold either.
            return Wait("disk_full", f"{self._shut}, nothing can be accepted")
        wait = self._own.get(cadence) or self.admission.waits.get(cadence)
        # Without a consumer, none of the others goes that would take the room.
        if not self.consumed and (wait is None or wait.reason in FOR_ROOM):
            return NO_CONSUMER
        return wait or self._former_run(cadence)

    def free_since(self, cadence: str) -> float | None:
        """Since when its next tick lies here with nothing in its way; None where something is."""
        if self.of_cadence(cadence) is not None:
            return None
        try:
            # Its name tells when it was made: since then it may have been put off, or have lain elsewhere.
            return os.stat(f"{self.home.inbox}/{self.heads[cadence]}").st_ctime
        except (OSError, KeyError):
            return None

    def orphaned(self, cadence: str) -> Wait | None:
        """What keeps all that is put off for a cadence from ever starting: nothing defines it."""
        try:
            return None if self.prompts.defined(cadence) else _no_prompt(cadence)
        except OSError:
            return None

    def _former_run(self, cadence: str) -> Wait | None:
        """Wait for the run of a tick that was moved back by hand: no second one starts beside it."""
        head = parse_name(self.heads.get(cadence, ""))
        run = runs.latest(self.home, head.id) if head else None
        if run is None or not life.is_alive(run.path):
            return None
        return Wait("running", f"its last run is still going: {run.id}")

    def of_tick(self, found: Found) -> Wait | None:
        """Why this tick does not start; None: it starts at any moment."""
        if found.due is not None and found.due > self.now:
            return Wait("not due", until=found.due)
        wait = self.of_cadence(found.name.cadence)
        before = self._before(found)
        if before and wait is None:
            return Wait("queue", f"{before} of its cadence are before it")
        if before and wait is not None:
            return Wait(wait.reason, f"{wait.detail} ({before} of its cadence are before it)", wait.until)
        return wait

    def would_start(
        self, cadence: Cadence, *, force: bool = False, spared: Collection[str] = ()
    ) -> Wait | None:
        """Why a new tick at the very front would not start; None: it would. `spared` brakes are let go."""
        if self.stopped or not self.consumed:
            return self.of_cadence(cadence.name) if self.stopped else NO_CONSUMER
        head = self._head(cadence, f"0-{cadence.name}", force=force)
        brake = None if force else self._brake(cadence)
        if brake is not None and brake.reason not in spared:
            return brake
        return admit([head], self._room(), self.holds, self._caps(), now=self.now).waits.get(cadence.name)

    def _admit(self) -> Admission:
        heads = []
        for name, file in self.heads.items():
            cadence = self._known(name)
            if cadence is None:
                continue
            head = self._head(cadence, file, force=self._forced(file))
            brake = None if head.force else self._brake(cadence)
            if brake is not None:
                self._own[name] = brake
            else:
                heads.append(head)
        return admit(heads, self._room(), self.holds, self._caps(), now=self.now)

    def _head(self, cadence: Cadence, file: str, *, force: bool) -> Waiting:
        memory = self.memory.cadence(cadence.name, self.now, mend=False)
        held = any(hold.reason == "circuit_open" for hold in self.holds_on(cadence.name))
        return Waiting(
            cadence=cadence.name,
            file=file,
            priority=int(file[0]),
            group=cadence.group,
            force=force,
            inline=cadence.mode == "inline" or cadence.guard is not None,
            exclusive=cadence.exclusive,
            concurrency=cadence.concurrency,
            credentials=self.settings.credentials_of(cadence.runner),
            half_open=half_open(memory, held=held),
        )

    def _brake(self, cadence: Cadence) -> Wait | None:
        memory = self.memory.cadence(cadence.name, self.now, mend=False)
        hold = brakes.brake(cadence, memory, running=self.running[cadence.name], now=self.now)
        return None if hold is None else Wait(hold.reason, hold.detail, hold.until)

    def _known(self, name: str) -> Cadence | None:
        """The cadence, if it could run at all; why not is noted."""
        try:
            cadence = self.prompts.current(name)
        except NoSuch:
            self._own[name] = _no_prompt(name)
        except CadenceError as error:
            self._own[name] = Wait("broken", error.message)
        except OSError as error:
            self._own[name] = Wait("unreadable", f"prompts/{name}.md: {error.strerror}")
        else:
            if cadence.enabled:
                return cadence
            self._own[name] = Wait("disabled", f"prompts/{name}.md says enabled: false")
        return None

    def _forced(self, file: str) -> bool:
        try:
            return self._spool.read("inbox", file).force
        except (BadTick, OSError):
            return False

    def _room(self) -> list[Running]:
        room = []
        for name, count in self.running.items():
            try:
                cadence = self.prompts.load(name)
            except (CadenceError, OSError):
                room += [Running(cadence=name)] * count
            else:
                room += [run_of(cadence, self.settings.credentials_of(cadence.runner))] * count
        return room

    def _caps(self) -> Caps:
        return Caps(sessions=self.slots, inline=self.settings.max_inline)

    def _before(self, found: Found) -> int:
        if found.state != "inbox" or self.heads.get(found.name.cadence) == found.file:
            return 0
        # Of a million names only those are taken apart that may be meant.
        mark = f"-{found.name.cadence}-"
        queue = (file for file in names(self.home, "inbox") if mark in file and file < found.file)
        return sum(1 for file in queue if (name := parse_name(file)) and name.cadence == found.name.cadence)


def _no_prompt(cadence: str) -> Wait:
    return Wait("unknown", f"prompts/{cadence}.md does not exist")


def spell(wait: Wait | None, now: float) -> str:
    """A wait in one line: `held by circuit_open until 14:02:10 (in 9m): 3 failed runs in a row`."""
    if wait is None:
        return "starts at any moment"
    until = ""
    if wait.until is not None:
        left = f"in {human_time.ago(wait.until - now)}" if wait.until > now else "now"
        until = f" until {human_time.clock(wait.until, now)} ({left})"
    held = f"held by {wait.reason}"
    # Two things may be unreadable: the file of a cadence, and one in holds/.
    prompt = wait.reason != "unreadable" or wait.detail.startswith("prompts/")
    said = _SPOKEN.get(wait.reason, held) if prompt else held
    return f"{said}{until}" + (f": {wait.detail}" if wait.detail else "")


def cure(reason: str, cadence: str) -> str:
    """What to type for what waits for that reason and need not; empty where it only has to wait its turn."""
    return _CURES.get(reason, "").format(cadence=cadence)


_PASSES = "it goes on by itself; all the same now: `cadence fire {cadence} --force`"
_CURES = {
    "backoff": "it is tried again by itself; now: `cadence resume {cadence}`",
    "daily_budget": "wait, or raise it where it is set: prompts/{cadence}.md, cadence.yaml",
    "disabled": "say enabled: true in prompts/{cadence}.md",
    "runs_per_hour": "wait, or raise max_runs_per_hour in prompts/{cadence}.md",
    "running": "`cadence logs {cadence} -f` shows that run, `cadence kill {cadence}` ends it",
    **dict.fromkeys(("active_hours", "load", "memory", "pressure", "rate_limited", "usage"), _PASSES),
}

# Reasons that are no holds.
_SPOKEN = {
    "broken": "its file is broken",
    "disabled": "disabled",
    "drain": "draining",
    "exclusive": "waits for quiet",
    "full": "no slot is free",
    "group": "its group's turn comes later",
    "no consumer": "no consumer",
    "not due": "not due",
    "probing": "a probe of its circuit runs",
    "queue": "in the queue",
    "running": "running",
    "stop": "stopped",
    "unknown": "no such cadence",
    "unreadable": "its file can't be read",
}
