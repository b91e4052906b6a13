"""One gc of a home, in small steps: what retention lets go is archived where it may be wanted, and removed.

Between two steps others may work; after a kill at any point the next gc goes on from what lies there.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass, field
from itertools import islice
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, ParamSpec

from cadencebus.clock import parse_rfc3339
from cadencebus.model.foreign import mapping
from cadencebus.model.naming import name_in, parse_name, parse_run
from cadencebus.model.tick import LARGEST
from cadencebus.policy import retention
from cadencebus.session import life
from cadencebus.store import archive, journal
from cadencebus.store.json_file import load_object
from cadencebus.store.memory import Memories

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from cadencebus.policy.retention import Keep, Run
    from cadencebus.store.paths import Home

P = ParamSpec("P")
# How many files are looked at, or removed, in one step.
_A_STEP = 500
# How many ticks with runs are judged at once: the waiting ones are walked through once for each such batch.
_A_BATCH = 10_000
# Writing in tmp/ takes a moment; a file that is a day old belongs to nobody.
_STALE = 86400.0
# Where ticks lie that still need their runs and keys; twice, so that one which moves meanwhile is found.
_REFERRING = ("deferred", "inbox", "claimed", "dead") * 2


@dataclass(slots=True, kw_only=True)
class Tally:
    """What went, or would go."""

    done: int = 0
    dead: int = 0
    runs: int = 0
    events: int = 0
    keys: int = 0
    tmp: int = 0
    problems: list[str] = field(default_factory=list)

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @property
    def any(self) -> bool:
        """Whether there was anything to do."""
        return bool(self.done or self.dead or self.runs or self.events or self.keys or self.tmp)


class GcPass:
    """Walks through a home once."""

    def __init__(self, home: Home, keep: Keep, now: float, *, dry_run: bool = False) -> None:
        self.home = home
        self.keep = keep
        self.now = now
        self.dry_run = dry_run
        self.tally = Tally()

    def event(self) -> dict[str, Any]:
        """What the journal says of it."""
        return {"event": "gc.done", **self.tally.dump()}

    def steps(self) -> Iterator[None]:
        """Do it, first what frees room without needing any; one part that fails stops no other."""
        for part in (self._tmp, self._letters, self._runs, self._keys, self._journal, self._done):
            try:
                yield from part()
            except OSError as error:
                # Of two names that of what stands in the way.
                place = error.filename2 or error.filename
                where = os.path.relpath(os.fsdecode(place), self.home.state) if place else ""
                self.tally.problems.append(f"{where}: {error.strerror or error}".removeprefix(": "))
            yield

    def _tmp(self) -> Iterator[None]:
        for at, entry in enumerate(_entries(self.home.tmp)):
            ours = entry.name.startswith(archive.LEAVING)
            seen = _stat(entry)
            # A fresh name of ours belongs to nobody: there is one gc at a time.
            old = seen is not None and self.now - seen.st_mtime > _STALE
            if ours or (old and not entry.is_dir(follow_symlinks=False)):
                self._do(archive.remove, entry.path)
                self.tally.tmp += 1
            if at % _A_STEP == 0:
                yield

    def _letters(self) -> Iterator[None]:
        if self.keep.dead == float("inf"):
            return
        leaving: list[archive.Leaving] = []
        for at, entry in enumerate(_entries(self.home.dead)):
            if at % _A_STEP == 0:
                yield
            if parse_name(entry.name) is None:
                continue
            letter = archive.Leaving(path=entry.path, members=_members(entry.path))
            if self.now - _died_at(letter) > self.keep.dead:
                leaving.append(letter)
        for at in range(0, len(leaving), _A_STEP):
            some = leaving[at : at + _A_STEP]
            with archive.alone(self.home.dead, wait=False) as free:
                if not free:
                    return
                here = [one for one in some if os.path.lexists(one.path)]
                self._do(archive.take_out, self.home, here, "retention", self.now)
            self.tally.dead += len(here)
            yield

    def _runs(self) -> Iterator[None]:
        days = retention.days_over(_names(self.home.runs), self.keep.runs, self.now)
        sessions = self._sessions()
        for day in days:
            names = sorted(_names(f"{self.home.runs}/{day}"))
            begin = 0
            while begin < len(names):
                end = min(begin + _A_BATCH, len(names))
                # All runs of a tick are judged together.
                while end < len(names) and names[end].rpartition(".")[0] == names[end - 1].rpartition(".")[0]:
                    end += 1
                yield from self._runs_of(
                    [f"{self.home.runs}/{day}/{name}" for name in names[begin:end]], sessions
                )
                begin = end
            if not self.dry_run:
                # A run of an old tick may just be made there: then it is not empty.
                with contextlib.suppress(OSError):
                    os.rmdir(f"{self.home.runs}/{day}")

    def _runs_of(self, paths: list[str], sessions: set[str]) -> Iterator[None]:
        batch: list[Run] = []
        for at, path in enumerate(paths):
            if (run := _run(path)) is not None:
                batch.append(run)
            if at % _A_STEP == 0:
                yield
        young = {run.tick for run in batch if run.alive or self.now - run.touched <= self.keep.runs}
        referenced = yield from self._referenced({run.tick for run in batch} - young)
        for at, run in enumerate(retention.runs_over(batch, referenced, sessions, self.keep, self.now)):
            # Looked at once more, right before it goes: nothing that runs is ever removed.
            if not life.is_alive(run.path):
                self._do(archive.remove_folder, self.home, run.path)
                self.tally.runs += 1
            if at % 20 == 0:
                yield

    def _referenced(self, ticks: set[str]) -> Generator[None, None, set[str]]:
        """Find out, step by step, which of these ticks wait, run or lie dead."""
        found: set[str] = set()
        # Of a million names that wait only those are taken apart that may be meant.
        ends = {tick[-len("7f3k9q2m") :] for tick in ticks}
        for folder in _REFERRING if ticks else ():
            for at, file in enumerate(_names(f"{self.home.state}/{folder}")):
                name = name_in(file) if file[-13:-5] in ends else None
                if name is not None and name.id in ticks:
                    found.add(name.id)
                if at % (10 * _A_STEP) == 0:
                    yield
        return found

    def _sessions(self) -> set[str]:
        """The last run of each cadence: its session may be resumed."""
        memory = Memories(self.home)
        last = (memory.cadence(name, self.now, mend=False).last_run.get("run") for name in memory.names())
        return {str(run) for run in last if run}

    def _keys(self) -> Iterator[None]:
        if self.keep.keys is None:
            return
        old: dict[str, str] = {}
        for at, entry in enumerate(_entries(self.home.keys)):
            seen = _stat(entry)
            if seen is not None and entry.is_symlink() and self.now - seen.st_mtime > self.keep.keys:
                with contextlib.suppress(OSError):
                    old[entry.path] = os.readlink(entry.path)
            if at % _A_STEP == 0:
                yield
        if not old:
            return
        referenced = yield from self._referenced(set(old.values()))
        for at, (path, tick) in enumerate(old.items()):
            if tick not in referenced:
                self._do(archive.remove, path)
                self.tally.keys += 1
            if at % _A_STEP == 0:
                yield

    def _journal(self) -> Iterator[None]:
        for day in retention.days_over(journal.days(self.home), self.keep.events, self.now):
            if not self.dry_run:
                yield from archive.put_away_journal(self.home, day)
            self.tally.events += 1

    def _done(self) -> Iterator[None]:
        for day in retention.days_over(_names(self.home.done), self.keep.done, self.now):
            if self.dry_run:
                self.tally.done += sum(1 for name in _names(f"{self.home.done}/{day}") if parse_name(name))
                continue
            yield from self._done_on(day)
            with contextlib.suppress(OSError):
                os.rmdir(f"{self.home.done}/{day}")

    def _done_on(self, day: str) -> Iterator[None]:
        # What is no tick was put there by somebody, and stays.
        ticks = (name for name in _names(f"{self.home.done}/{day}") if parse_name(name))
        while names := sorted(islice(ticks, _A_BATCH)):
            yield
            while names:
                taken = archive.put_away(self.home, day, names[:_A_STEP])
                self.tally.done += taken
                del names[:taken]
                yield
            # What is removed while a folder is walked through may hide others: begin anew.
            ticks = (name for name in _names(f"{self.home.done}/{day}") if parse_name(name))

    def _do(self, what: Callable[P, None], *args: P.args, **named: P.kwargs) -> None:
        if not self.dry_run:
            what(*args, **named)


def _run(path: str) -> Run | None:
    """The run in a folder; None where the folder has no run's name."""
    known = parse_run(os.path.basename(path))
    if known is None:
        return None
    try:
        at = os.lstat(path)
    except FileNotFoundError:
        return None
    try:
        alive = life.is_alive(path)
    except OSError:
        # Nobody can tell: then it lives.
        alive = True
    if not S_ISDIR(at.st_mode):
        return None
    return retention.Run(path=path, tick=known[0], touched=at.st_mtime, alive=alive)


def _died_at(letter: archive.Leaving) -> float:
    """When a tick died, by its letter, else by its file."""
    try:
        return parse_rfc3339(mapping(letter.members.get("outcome"))["finished_at"])
    except (KeyError, TypeError, ValueError, AttributeError):
        with contextlib.suppress(FileNotFoundError):
            return os.lstat(letter.path).st_mtime
        return float("inf")


def _members(path: str) -> dict[str, Any]:
    try:
        return load_object(path, LARGEST)
    except (OSError, ValueError):
        return {}


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return


def _names(folder: str) -> Iterator[str]:
    return (entry.name for entry in _entries(folder))


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
