"""Wakeups: what happens in a home's folders rings in the loop, by the kernel's word or by a library's."""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cadencebus.daemon import wakeups
from cadencebus.daemon.wakeups import Wakeups, watcher
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.daemon.wakeups import Ring, Watcher

WITHIN = 10.0
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Heard:
    """What rang while something was done, and what could not be watched."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.rings: list[tuple[str, str]] = []
        self.lost = 0
        self.unwatched: list[str] = []


def heard_while(home: Home, doing: Callable[[], None], enough: Callable[[Heard], bool]) -> Heard:
    """Watch a home, do something, and wait until enough was told of it."""
    heard, something = Heard(), asyncio.Event()

    def ring(folder: str, name: str) -> None:
        heard.rings.append((os.path.basename(folder), name))
        something.set()

    def lost() -> None:
        heard.lost += 1
        something.set()

    async def listen() -> None:
        watching = Wakeups(home, asyncio.get_running_loop(), ring, lost)
        watching.start()
        heard.unwatched = watching.unwatched
        try:
            doing()
            async with asyncio.timeout(WITHIN):
                while not enough(heard):
                    something.clear()
                    await something.wait()
        finally:
            watching.stop()

    asyncio.run(listen())
    return heard


@pytest.mark.parametrize("platform", [pytest.param("linux", marks=linux_only), "darwin"])
def test_what_arrives_is_told_by_folder_and_name(
    home: Path, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link, a rename from elsewhere, a file written in place: each rings, on either way to be told."""

    def as_there(loop: asyncio.AbstractEventLoop, ring: Ring, lost: Callable[[], None]) -> Watcher:
        return watcher(loop, ring, lost, platform)

    monkeypatch.setattr(wakeups, "watcher", as_there)
    state = home / "state"

    def arrive() -> None:
        made = state / "tmp" / "made"
        made.touch()
        os.link(made, state / "inbox" / "linked.json")
        made.rename(state / "inbox" / "renamed.json")
        (state / "inbox" / "wr\udcffitten.json").write_text("{}")
        (state / "STOP").touch()

    names = {"linked.json", "renamed.json", "wr\udcffitten.json"}
    expected = {*(("inbox", name) for name in names), ("state", "STOP")}
    heard = heard_while(Home(str(home)), arrive, lambda heard: expected <= set(heard.rings))
    assert heard.unwatched == []


def test_a_watch_that_the_library_is_refused_is_left_to_the_rescan(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FSEvents says no with a SystemError: the consumer did not come up."""

    def refuse(*_: object, **__: object) -> None:
        raise SystemError("Cannot start fsevents stream. Use a kqueue or polling observer instead.")

    async def listen() -> list[str]:
        watching = Wakeups(Home(str(home)), asyncio.get_running_loop(), lambda *_: None, lambda: None)
        watching.start()
        watching.stop()
        return watching.unwatched

    monkeypatch.setattr(wakeups, "watcher", functools.partial(watcher, platform="darwin"))
    monkeypatch.setattr("watchdog.observers.api.BaseObserver.schedule", refuse)
    assert str(home / "state" / "inbox") in asyncio.run(listen())


@linux_only
def test_what_goes_is_told_where_it_matters(home: Path) -> None:
    """A hold that somebody removed rings; a tick that the consumer claims does not."""
    state = home / "state"
    (state / "holds" / "bus.paused.json").write_text("{}")
    (state / "inbox" / "claimed.json").write_text("{}")

    def go() -> None:
        (state / "inbox" / "claimed.json").rename(state / "claimed" / "claimed.json")
        (state / "holds" / "bus.paused.json").unlink()

    heard = heard_while(Home(str(home)), go, lambda heard: bool(heard.rings))
    assert heard.rings == [("holds", "bus.paused.json")]


@linux_only
def test_more_than_the_kernel_keeps_is_known_to_be_lost(home: Path) -> None:
    """The kernel's queue is full: not which names, but that there were more, is told."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text(encoding="ascii"))
    pair = [home / "state" / "inbox" / name for name in ("this.json", "that.json")]
    pair[0].touch()

    def flood() -> None:
        # The loop can't read meanwhile; two names in turn, lest equal events be made one.
        for turn in range(most + 10):
            pair[turn % 2].rename(pair[1 - turn % 2])

    heard_while(Home(str(home)), flood, lambda heard: heard.lost > 0)


@linux_only
def test_what_the_kernel_can_not_tell_is_known_to_be_lost(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read that failed left a traceback, and the names to the slow rescan."""
    read, refusals = os.read, [errno.EIO]

    def refuse(fd: int, size: int) -> bytes:
        if refusals:
            raise OSError(refusals.pop(), "refused")
        return read(fd, size)

    monkeypatch.setattr(os, "read", refuse)
    tick = home / "state" / "inbox" / "a.json"
    heard = heard_while(Home(str(home)), tick.touch, lambda heard: bool(heard.rings))
    assert heard.lost == 1


@linux_only
def test_a_folder_in_the_place_of_a_watched_one_is_watched(home: Path) -> None:
    """Restored from a backup, or moved away and made anew: its ticks waited for the rescan for ever."""
    inbox = home / "state" / "inbox"

    def replaced() -> None:
        inbox.rename(home / "state" / "old")
        inbox.mkdir(mode=0o700)

    def late(heard: Heard) -> bool:
        if heard.lost:
            (inbox / "late.json").touch()
        return ("inbox", "late.json") in heard.rings

    assert heard_while(Home(str(home)), replaced, late).lost == 1


def test_a_folder_that_cannot_be_watched_is_left_to_the_rescan(home: Path) -> None:
    """It is named, and the others are watched all the same."""
    deferred, tick = home / "state" / "deferred", home / "state" / "inbox" / "a.json"
    deferred.rmdir()
    heard = heard_while(Home(str(home)), tick.touch, lambda heard: ("inbox", "a.json") in heard.rings)
    assert heard.unwatched == [str(deferred)]
