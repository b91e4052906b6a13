"""The spool: a tick's state is the folder it lies in, every change of state is one rename.

Each verb here is one change of state, in the order that a crash at any point forgives. Only the
consumer claims and finishes; claim, edit, bump and rm hold a lock on inbox/ while they move.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from typing import TYPE_CHECKING

from cadencebus.clock import day, stamp
from cadencebus.model.legible import escaped
from cadencebus.model.naming import deferred_name, parse_deferred, parse_name
from cadencebus.model.tick import LARGEST, BadTick, Misnamed, Tick, read_members, tick_of
from cadencebus.store import files, inlet, lock, together, tomb
from cadencebus.store.glance import glance_at, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cadencebus.model.naming import Name
    from cadencebus.store.glance import Glance
    from cadencebus.store.paths import Home

MIB = 1 << 20
# Claims wait for the lock in threads of their own; the loop has signals to hear, and runs to look after.
_LOOP_WAITS = 0.5
# What was read lately is kept, if it takes little room.
_SMALL, _KEPT = 4096, 64
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Spool:
    """The folders of one home, known by their verbs."""

    def __init__(self, home: Home, *, max_tick_bytes: int = MIB) -> None:
        self.home = home
        self.max_tick_bytes = max_tick_bytes
        self._days: set[str] = set()
        # The tick that was read last.
        self._read: dict[str, tuple[Glance, Tick]] = {}

    # --- looking ---------------------------------------------------------------------------------

    def names(self, folder: str) -> Iterator[str]:
        """The file names of one of the folders, in no order."""
        with os.scandir(f"{self.home.state}/{folder}") as entries:
            for entry in entries:
                yield entry.name

    def done_days(self) -> list[str]:
        """The days that have finished ticks, oldest first."""
        with os.scandir(self.home.done) as entries:
            return sorted(
                e.name for e in entries if _DAY.fullmatch(e.name) and e.is_dir(follow_symlinks=False)
            )

    def read(self, folder: str, file: str) -> Tick:
        """The tick in a file of a folder: BadTick where it is none, FileNotFoundError where it is gone."""
        name = parse_name(file) or _named(file)
        path = f"{self.home.state}/{folder}/{file}"
        at, limit = tomb.regular(path), self.max_tick_bytes
        # Only a producer's file is held to the limit: what has run carries its whole past.
        if folder not in {"inbox", "deferred"} or (at.st_size > limit and self.has_run(name)):
            limit = LARGEST
        try:
            data = files.read(path, limit)
        except ValueError as error:
            raise BadTick("too_big", str(error)) from None
        tick = tick_of(read_members(data), name, born=at.st_mtime)
        # The name is the authority for id, priority and stamp alone.
        if tick.cadence != name.cadence:
            raise Misnamed(name, tick)
        return tick

    def waiting(self, file: str) -> Tick:
        """As `read`, of inbox/: a tick is asked whether it has to wait, and then it is claimed."""
        at = os.lstat(f"{self.home.inbox}/{file}")
        seen, known = glance_at(at), self._read.get(file)
        if known is not None and unchanged(known[0], seen):
            return known[1]
        tick = self.read("inbox", file)
        if at.st_size <= _SMALL:
            if len(self._read) >= _KEPT:
                self._read.clear()
            self._read[file] = (seen, tick)
        return tick

    def has_run(self, name: Name) -> bool:
        """Whether a run of it was begun: then its file carries its past, and is held to no limit."""
        return files.exists(self.home.run(name.id, 1))

    def ended(self, name: Name) -> str | None:
        """Where a tick of this id already ended: `dead` or `done/<day>`; None where it did not."""
        day_of_id = f"{name.stamp[:4]}-{name.stamp[4:6]}-{name.stamp[6:8]}"
        copies = name.copies()
        for place in ("dead", *(f"done/{d}" for d in self.done_days() if d >= day_of_id)):
            if files.any_there(f"{self.home.state}/{place}", copies):
                return place
        return None

    def elsewhere(self, name: Name) -> str | None:
        """Where a tick of this id already ended or is being run, if it is under another name."""
        own = name.file
        if files.any_there(self.home.claimed, [file for file in name.copies() if file != own]):
            return "claimed"
        return self.ended(name)

    def finished(self, name: Name) -> str | None:
        """The day's folder in done/ where this very name lies; cheaper than `ended`."""
        day_of_id = f"{name.stamp[:4]}-{name.stamp[4:6]}-{name.stamp[6:8]}"
        for today in reversed(self.done_days()):
            if today >= day_of_id and files.exists(f"{self.home.done}/{today}/{name.file}"):
                return f"done/{today}"
        return None

    # --- verbs -----------------------------------------------------------------------------------

    def put(self, ticks: Iterable[Tick], now: float) -> None:
        """Accept ticks, all or none; one that already lies there under its name is there."""
        batch = [
            (tick.name, tick.bytes(), tick.not_before if tick.not_before and tick.not_before > now else None)
            for tick in ticks
        ]
        inlet.put_all(self.home, batch)

    @contextlib.contextmanager
    def moving(self, *, within: float | None = None) -> Iterator[None]:
        """Hold the lock under which ticks are moved out of or renamed inside inbox/.

        BlockingIOError where another program, stopped perhaps, keeps it for longer than `within`.
        """
        fd = os.open(self.home.inbox, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if within is None:
                fcntl.flock(fd, fcntl.LOCK_EX)
            elif not lock.taken(fd, within):
                raise BlockingIOError(errno.EAGAIN, "another program keeps it locked", self.home.inbox)
            yield
        finally:
            os.close(fd)

    def claim(self, file_names: Sequence[str], *, durable: bool = True) -> list[str]:
        """Take ticks out of inbox/; those that are gone or whose name is in use are not in the answer."""
        with self.moving():
            taken = [file for file in file_names if self._take(file)]
        if taken and durable:
            files.sync_folders([self.home.claimed, self.home.inbox])
        return taken

    def claim_if(self, file: str, fit: Callable[[Tick], bool]) -> tuple[Tick, bool]:
        """Read a ready tick and claim it if it is fit to run: no `edit` comes between.

        Not durable yet: whoever starts a process for it syncs both folders with the rest that must be.
        """
        with self.moving():
            tick = self.waiting(file)
            return tick, fit(tick) and self._take(file)

    def _take(self, file: str) -> bool:
        source = f"{self.home.inbox}/{file}"
        try:
            files.move(source, f"{self.home.claimed}/{file}")
        except FileExistsError:
            return False
        except FileNotFoundError:
            # The tick is there, so claimed/ is what is missing.
            if files.exists(source):
                raise
            return False
        return True

    def take_back(self, name: Name) -> bool:
        """Claim a tick anew that was moved back while it ran, under any priority; False where it is gone."""
        with self.moving():
            for file in name.copies():
                with contextlib.suppress(FileNotFoundError):
                    files.move(f"{self.home.inbox}/{file}", f"{self.home.claimed}/{name.file}")
                    break
            else:
                return False
        files.sync_folders([self.home.claimed, self.home.inbox])
        return True

    def commit(self, ticks: Sequence[Tick]) -> None:
        """Write ticks over their claimed files: that rename is the commit of how they settle."""
        together.write_many((self._fresh(tick.name.file), tick.bytes()) for tick in ticks)
        for tick in ticks:
            file = tick.name.file
            os.rename(f"{self.home.tmp}/{file}", f"{self.home.claimed}/{file}")
        files.sync_folder(self.home.claimed)

    def finish(self, file_names: Iterable[str], now: float) -> None:
        """Move settled ticks from claimed/ to done/."""
        target = f"{self.home.done}/{day(now)}"
        # A known day may be gone: the clock was set back to one that gc had archived.
        known = target in self._days and files.exists(target)
        if not known and files.make_folder(target):
            files.sync_folder(self.home.done)
        self._days.add(target)
        self._leave(file_names, target)

    def entomb(self, file_names: Iterable[str]) -> None:
        """Move settled ticks from claimed/ to dead/."""
        self._leave(file_names, self.home.dead)

    def again(self, file_names: Iterable[str]) -> None:
        """Move ticks from claimed/ back to inbox/."""
        self._leave(file_names, self.home.inbox)

    def _leave(self, file_names: Iterable[str], target: str) -> None:
        for file in file_names:
            source = f"{self.home.claimed}/{file}"
            # On a replay the tick may already be where it belongs.
            if not files.exists(source):
                continue
            try:
                files.move(source, f"{target}/{file}")
            except FileExistsError:
                there = os.path.relpath(target, self.home.state)
                twin = BadTick("duplicate_id", f"the id already lies in {there}/")
                tomb.bury(self.home, "claimed", file, twin, time.time())
        files.sync_folders([target, self.home.claimed])

    def defer(self, file: str, due: float) -> str:
        """Let a ready tick wait for its time; its new name."""
        name = parse_name(file) or _named(file)
        target = deferred_name(stamp(due), name)
        with self.moving():
            files.move(f"{self.home.inbox}/{file}", f"{self.home.deferred}/{target}")
        files.sync_folders([self.home.deferred, self.home.inbox])
        return target

    def promote(self, deferred: Sequence[str]) -> list[str]:
        """Make waiting ticks ready, those that still wait; their names in inbox/."""
        ready: list[str] = []
        if not deferred:
            return ready
        # Under the lock: a rewrite in deferred/ would bring back what was moved on in the middle of it.
        with self.moving(within=_LOOP_WAITS):
            for file in deferred:
                parsed = parse_deferred(file)
                if parsed is None:
                    continue
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    files.move(f"{self.home.deferred}/{file}", f"{self.home.inbox}/{parsed[1].file}")
                    ready.append(parsed[1].file)
        if ready:
            files.sync_folders([self.home.inbox, self.home.deferred])
        return ready

    def readmit(self, file: str) -> bool:
        """Send what has no name of deferred/ to inbox/, where it is given one; False where that is taken."""
        with self.moving(within=_LOOP_WAITS):
            try:
                files.move(f"{self.home.deferred}/{file}", f"{self.home.inbox}/{file}")
            except (FileNotFoundError, FileExistsError):
                return False
        files.sync_folders([self.home.inbox, self.home.deferred])
        return True

    def rename(self, folder: str, file: str, target: str, *, durable: bool = True) -> bool:
        """Give a waiting tick another name in its folder; False where it is gone or the name is taken."""
        with self.moving(within=_LOOP_WAITS):
            try:
                files.move(f"{self.home.state}/{folder}/{file}", f"{self.home.state}/{folder}/{target}")
            except (FileNotFoundError, FileExistsError):
                return False
        if durable:
            files.sync_folder(f"{self.home.state}/{folder}")
        return True

    def rewrite(self, folder: str, file: str, tick: Tick) -> None:
        """Replace a waiting tick's content under the lock; FileNotFoundError where it is gone."""
        with self.moving():
            os.lstat(f"{self.home.state}/{folder}/{file}")
            temporary = self._fresh(f"edit.{file}")
            files.replace(temporary, f"{self.home.state}/{folder}/{file}", tick.bytes())

    def _fresh(self, file: str) -> str:
        """A path in tmp/ that is free: what a killed predecessor left there is of no use to anyone."""
        path = f"{self.home.tmp}/{file}"
        if files.exists(path):
            files.discard(path)
        return path


def _named(file: str) -> Name:
    parsed = parse_deferred(file)
    if parsed is None:
        raise BadTick("bad_id", f"{escaped(file)}: not the name of a tick")
    return parsed[1]
