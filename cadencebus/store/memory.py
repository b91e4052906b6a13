"""What the bus remembers of a cadence, changed under a lock, each run applied once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cadencebus.model import strictjson
from cadencebus.model.memory import cadence_memory
from cadencebus.model.memory_keys import check_memory
from cadencebus.model.naming import is_cadence
from cadencebus.policy import budgets
from cadencebus.store import files
from cadencebus.store.json_file import load_object, set_aside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cadencebus.model.memory import CadenceMemory
    from cadencebus.store.paths import Home

# How many run ids are remembered as applied: far more than can be settling at once.
APPLIED = 64
# Rules write these whole, and None when they are over.
_INCIDENTS = ("circuit", "network")
# The keys that every cadence's memory has, so that `jq` need not ask whether they are there.
_BLANK: Mapping[str, Any] = MappingProxyType(
    {
        "failures": 0,
        "circuit": None,
        "streaks": {},
        "session_id": None,
        "last_ok_at": None,
        "last_run": None,
        "averages": {},
    }
)


class Memories:
    """Reads and changes the cadences' memories; says through `report` when one had to be set aside."""

    def __init__(self, home: Home, report: Callable[[str], None] = lambda _: None) -> None:
        self._home = home
        self._report = report
        self._cache: dict[str, tuple[tuple[int, int, int], dict[str, Any]]] = {}

    def load(self, cadence: str, now: float, *, mend: bool = True) -> dict[str, Any]:
        """What is remembered; an unreadable memory is set aside whole and begins anew."""
        path = self._home.memory(cadence)
        try:
            mark = _mark(path)
            known = self._cache.get(cadence)
            if known is None or known[0] != mark:
                members = load_object(path)
                check_memory(members)
                known = self._cache[cadence] = (mark, members)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            if mend and (aside := set_aside(path, now)):
                self._report(f"cadences/{cadence}.json can't be read ({error}); set aside as {aside}")
            return {}
        return known[1]

    def cadence(self, name: str, now: float, *, mend: bool = True) -> CadenceMemory:
        """What is remembered of a cadence, as the rules read it."""
        return cadence_memory(self.load(name, now, mend=mend))

    def names(self) -> list[str]:
        """The cadences that have a memory."""
        with contextlib.suppress(FileNotFoundError):
            found = (
                name.removesuffix(".json")
                for name in os.listdir(self._home.cadences)
                if name.endswith(".json")
            )
            return sorted(name for name in found if is_cadence(name))
        return []

    def change(self, cadence: str, now: float, patch: Mapping[str, Any], *, run: str | None = None) -> None:
        """Merge a change in; one that names a run is applied once, however often it is replayed."""
        self.change_by(cadence, now, [(run, patch)])

    def change_by(
        self, cadence: str, now: float, changes: Iterable[tuple[str | None, Mapping[str, Any]]]
    ) -> None:
        """Merge several changes in, in this order, for the price of one."""
        with self._locked():
            old: Mapping[str, Any] = self.load(cadence, now)
            new = old
            for run, patch in changes:
                new = foreseen(cadence, new, patch, run=run)
            if new is old:
                return
            temporary = f"{self._home.tmp}/memory.{os.getpid()}.{os.urandom(4).hex()}"
            path, data = self._home.memory(cadence), strictjson.dumps(dict(new))
            files.replace(temporary, path, data)
            # It is often asked for next by the caller that has just changed it.
            with contextlib.suppress(FileNotFoundError):
                self._cache[cadence] = (_mark(path), json.loads(data))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(self._home.cadences, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def foreseen(
    cadence: str, old: Mapping[str, Any], patch: Mapping[str, Any], *, run: str | None
) -> Mapping[str, Any]:
    """The memory with a change merged in; the same object where this run's change already is in it."""
    applied = list(old.get("applied", []))
    if run is not None:
        if run in applied:
            return old
        applied = [*applied, run][-APPLIED:]
    blank = _BLANK if is_cadence(cadence) else {}
    return {**blank, **old, **_going_on(old, budgets.booked(old, patch)), "applied": applied}


def _going_on(old: Mapping[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The change, with what another version knows of an incident that is not over."""
    for key in _INCIDENTS:
        before, after = old.get(key), patch.get(key)
        if before and after:
            patch[key] = {**before, **after}
    return patch


def _mark(path: str) -> tuple[int, int, int]:
    """What differs once the file has been written anew."""
    at = os.lstat(path)
    return at.st_mtime_ns, at.st_size, at.st_ino
