"""One tick's way through the bus, seen from outside: what appears in its folders, and when."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
import threading
import time
from typing import TYPE_CHECKING

from benching.ground import Figure, consumer, leave_out, median, new_home, until
from benching.latency import PROMPT, listening
from cadencebus.store import inlet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benching.latency import Ear
    from cadencebus.store.paths import Home

_EVENT = struct.Struct("iIII")
_CREATED, _MOVED_TO, _CLOSED = 0x100, 0x80, 0x8
_WARM = 5
_MARKS = {
    "named": "the tick has its name in inbox/",
    "accepted": "the put has returned: folder synced",
    "claimed": "it lies in claimed/",
    "folder": "the run has its folder",
    "prepared": "exit.pending is there: all of the run is written",
    "alive": "`alive` is there, to be locked and handed to the shim",
    "first": "the command's first instruction",
    "ended": "the shim has recorded the end: exit.0",
    "committed": "the outcome is committed: the tick renamed over its claimed file",
    "done": "it lies in done/",
}


class Watch:
    """Folders that tell of new names in them (Linux: inotify)."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_CLOEXEC)
        self._folders: dict[int, str] = {}
        self._runs = ""
        self.seen: list[tuple[float, str, str]] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def add(self, folder: str, called: str) -> None:
        """Tell of this folder by that name; of `runs` its new folders are watched too."""
        if called == "runs":
            self._runs = folder
        number = self._libc.inotify_add_watch(self._fd, folder.encode(), _CREATED | _MOVED_TO)
        self._folders[number] = called

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._fd, 1 << 16):
                self._note(time.perf_counter(), data)

    def _note(self, at: float, data: bytes) -> None:
        while data:
            number, _, _, size = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + size].rstrip(b"\0").decode()
            data = data[_EVENT.size + size :]
            called = self._folders.get(number, "")
            self.seen.append((at, called, name))
            if called == "runs":
                self.add(f"{self._runs}/{name}", "run")
                # What came before the watch did is noted a moment late rather than never.
                self.seen += [(at, "run", early) for early in os.listdir(f"{self._runs}/{name}")]


def phases(*, short: bool) -> list[Figure]:
    """When each thing on disk happens to a tick that finds the bus at rest: medians, from the put on."""
    if not sys.platform.startswith("linux"):
        leave_out("phases: only Linux tells of names as they appear (inotify)")
        return []
    with _watched() as (home, ear, watch):
        moments = [_moments(home, ear, watch) for _ in range(15 if short else 80)]
    at = {mark: 1000 * median([one[mark] for one in moments if mark in one]) for mark in moments[0]}
    figures, before = [], 0.0
    for mark in sorted(at, key=at.__getitem__):
        says = f"{_MARKS[mark]} ({at[mark]:.2f} ms after the put began)"
        figures.append(Figure(f"phase_{mark}_ms", at[mark] - before, "ms", says))
        before = at[mark]
    return figures


@contextlib.contextmanager
def _watched() -> Iterator[tuple[Home, Ear, Watch]]:
    with listening() as (ear, _), new_home(PROMPT.format(ear.command)) as home, consumer(home):
        until(lambda: os.path.exists(home.consumer))
        watch = Watch()
        for _ in range(_WARM):
            _moments(home, ear, watch)
        watch.add(home.inbox, "inbox")
        watch.add(home.claimed, "claimed")
        for called in ("runs", "done"):
            (day,) = os.listdir(getattr(home, called))
            watch.add(f"{getattr(home, called)}/{day}", called)
        yield home, ear, watch


def _moments(home: Home, ear: Ear, watch: Watch) -> dict[str, float]:
    """Seconds from the put to each mark of one tick."""
    watch.seen.clear()
    began = time.perf_counter()
    tick = inlet.put_small(home, "x")
    found = {"accepted": time.perf_counter() - began, "first": ear.after(began)}
    random = tick.rpartition("-")[2]
    until(lambda: not os.listdir(home.claimed), pause=0.001)
    for at, called, name in list(watch.seen):
        mark = _mark(called, name, random, found)
        if mark and mark not in found:
            found[mark] = at - began
    return found


def _mark(called: str, name: str, random: str, found: dict[str, float]) -> str:
    if called == "run":
        return {"exit.pending": "prepared", "alive": "alive", "exit.0": "ended"}.get(name, "")
    if random not in name:
        return ""
    if called == "claimed":
        return "committed" if "claimed" in found else "claimed"
    return {"inbox": "named", "runs": "folder", "done": "done"}[called]
