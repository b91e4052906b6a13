"""What a restart finds, and what it does about it, in this order (docs/architecture.md has the table)."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cadencebus.daemon.twins import Twins
from cadencebus.errors import CadenceError
from cadencebus.model import foreign
from cadencebus.model.cadence import Cadence
from cadencebus.model.naming import SUFFIX, parse_name
from cadencebus.model.settlement import settlement_of
from cadencebus.model.tick import BadTick, Tick
from cadencebus.session import life
from cadencebus.store import files, runs, tomb

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from cadencebus.daemon.gear import Gear
    from cadencebus.daemon.index import Calendar, Index
    from cadencebus.store.runs import RunFolder

_NOBODY_WRITES_SO_LONG = 3600.0

Adoptee = tuple[Tick, Cadence, "RunFolder | None"]


class Recovery:
    """Everything a consumer does once, before its first turn."""

    def __init__(self, gear: Gear, index: Index, calendar: Calendar) -> None:
        self._gear = gear
        self._home = gear.home
        self._index = index
        self._calendar = calendar

    def run(self) -> list[Adoptee]:
        """Mend the folders; return the ticks of claimed/ whose run lives, or ended unsettled."""
        self._sync()
        self._clear_tmp()
        self._letters()
        self.strangers = self._index.fill(self._gear.spool.names("inbox"))
        self.misplaced = self._calendar.fill(self._gear.spool.names("deferred"))
        # Before the table: it sends claims back to inbox/, where a twin of shorter past may lie.
        self._twins()
        claims = self._in_order(self._gear.spool.names("claimed"))
        return [adoptee for file in claims if (adoptee := self._recovered(file))]

    def strays(self, running: Container[str]) -> list[Adoptee]:
        """Mend claimed ticks that have no flight: an error came between their claim and their end."""
        left = self._in_order(file for file in self._gear.spool.names("claimed") if file not in running)
        if left:
            self._sync()
        return [
            adoptee
            for file in left
            if not self._runs_as_another(file, running) and (adoptee := self._recovered(file))
        ]

    def _in_order(self, claims: Iterable[str]) -> list[str]:
        """Claimed ticks in the order in which their ends were decided: each builds on those before."""
        return sorted(sorted(claims), key=self._decided_at)

    def _decided_at(self, file: str) -> float:
        with contextlib.suppress(FileNotFoundError, BadTick):
            return foreign.amount((self._gear.spool.read("claimed", file).settling or {}).get("at")) or 0.0
        return 0.0

    def _runs_as_another(self, file: str, running: Container[str]) -> bool:
        """Whether this is a running tick that somebody renamed, or a copy of one: if so, it is put right."""
        name = parse_name(file)
        for own in name.copies() if name else ():
            if own in running:
                if files.exists(f"{self._home.claimed}/{own}"):
                    self._lose("claimed", file, "the same id lay in two places: it is being run")
                else:
                    self._gear.spool.rename("claimed", file, own)
                return True
        return False

    def _sync(self) -> None:
        """Sync the folders, for a kill may have come between a rename and its sync.

        Else a plan would be carried out that a power cut could still undo (docs/model found this). The folder
        that a tick went to is synced before the one it came from, as in each of its moves.
        """
        days = [f"{self._home.done}/{day}" for day in self._gear.spool.done_days()[-2:]]
        home = self._home
        files.sync_folders([home.inbox, home.deferred, home.dead, home.done, *days, home.claimed])

    def _clear_tmp(self) -> None:
        """Remove what killed writers left in tmp/: none of it was ever accepted."""
        now = self._gear.clock.wall()
        for file in list(self._gear.spool.names("tmp")):
            path = f"{self._home.tmp}/{file}"
            with contextlib.suppress(OSError):
                # A producer may be writing this very moment; an hour is longer than any put takes.
                if abs(now - os.lstat(path).st_mtime) > _NOBODY_WRITES_SO_LONG or file.startswith(
                    ("memory.", "hold.")
                ):
                    files.discard(path)

    def _letters(self) -> None:
        names = list(self._gear.spool.names("dead"))
        for file in tomb.complete(
            self._home, names, self._gear.spool.max_tick_bytes, self._gear.clock.wall()
        ):
            self._gear.say(f"dead/{file}: wrote the letter that a crash had kept from it")

    def _recovered(self, file: str) -> Adoptee | None:
        """Recover one claim; it stays as it is where we stumble over it, and keeps no other from its turn."""
        try:
            return self._claimed(file)
        except OSError:
            raise
        except Exception as error:
            if not self._gear.lasting:
                # Who waits for the end of everything has to hear that this one will not come.
                raise
            self._gear.say(f"claimed/{file}: a fault of cadencebus itself, it is left as it is: {error!r}")
            name = parse_name(file)
            whose = {"cadence": name.cadence, "tick": name.id} if name else {}
            self._gear.tell({"event": "consumer.fault", **whose, "reason": repr(error)[:500]})
            return None

    def _claimed(self, file: str) -> Adoptee | None:
        """The recovery table, row by row."""
        if not file.endswith(SUFFIX) or file.startswith("."):
            return None
        try:
            tick = self._gear.spool.read("claimed", file)
        except FileNotFoundError:
            return None
        except BadTick as fault:
            self._bury("claimed", file, fault)
            return None
        tick = self._soundly_planned(file, tick)
        if self._gear.spool.ended(tick.name):
            # done or dead wins over claimed: the move had reached the disk, its other half had not.
            self._lose("claimed", file, "the same id lay in two places: it has already ended")
        elif tick.settling is not None and not self._begun_since(tick):
            if self._gear.closing.replay(tick).target == "inbox":
                self._index.add(file)
        elif tick.outcome is not None:
            self._gear.closing.deliver(tick, self._gear.clock.wall())
        else:
            return self._unsettled(file, tick)
        return None

    def _soundly_planned(self, file: str, tick: Tick) -> Tick:
        """The tick without a plan that can't be understood: then the other rows say what to do."""
        try:
            if tick.settling is not None:
                settlement_of(tick.settling)
        except ValueError as error:
            self._gear.say(f"claimed/{file}: passed over: settling is {error}")
            return tick.without_plan()
        return tick

    def _begun_since(self, tick: Tick) -> bool:
        """Whether a run was begun after the settlement that the file still carries from its last return."""
        # Returns to inbox/ and new claims are renames: neither takes the old plan out of the file.
        run = runs.latest(self._home, tick.id)
        return run is not None and all(a.get("run") != run.id for a in tick.attempts)

    def _unsettled(self, file: str, tick: Tick) -> Adoptee | None:
        """Adopt the last run of a claim without an end; where there is none, return the tick to inbox/."""
        run = runs.latest(self._home, tick.id)
        if run is not None and not self._told(tick, run):
            return tick, self._cadence(tick), run
        self._gear.spool.again([file])
        self._index.add(file)
        return None

    def _told(self, tick: Tick, run: RunFolder) -> bool:
        """Whether this run's end already stands in the tick, so that the claim was for a next one."""
        return any(a.get("run") == run.id for a in tick.attempts) and not life.is_alive(run.path)

    def _cadence(self, tick: Tick) -> Cadence:
        """The cadence as its file reads now; the defaults, where it is gone or broken."""
        try:
            return self._gear.prompts.load(tick.cadence)
        except (CadenceError, OSError):
            return Cadence(name=tick.cadence)

    def _twins(self) -> None:
        """The same tick in two places: one wins, the other becomes `dead/*.raw`."""
        for folder, file, why in list(Twins(self._gear.spool, self._index, self._calendar).losers()):
            self._index.discard(file)
            self._calendar.discard(file)
            self._lose(folder, file, why)

    def _lose(self, folder: str, file: str, why: str) -> None:
        """Set the lesser twin aside, whole."""
        with contextlib.suppress(FileNotFoundError):
            self._bury(folder, file, BadTick("duplicate_id", why))

    def _bury(self, folder: str, file: str, fault: BadTick) -> None:
        name = tomb.bury(self._home, folder, file, fault, self._gear.clock.wall())
        if name is not None:
            self._gear.tell(tomb.told(name, file, fault))
