"""Wake the consumer when something arrives: a hint that saves waiting, never what correctness rests on.

On Linux, watchdog pairs MOVED_FROM with MOVED_TO and holds every event up to half a second behind an
unpaired MOVED_FROM, which the consumer's own claims cause all the time. So the kernel is only asked
for arrivals: names that appear. (Removals matter in holds/ alone, where moves are rare.)
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import DEFAULT_OBSERVER_TIMEOUT, BaseObserver

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from watchdog.observers.inotify_c import Mask

    from cadencebus.store.paths import Home


class Wakeups:
    """Watches the folders of a home and rings from any thread."""

    def __init__(self, home: Home, loop: asyncio.AbstractEventLoop, ring: Callable[[str, str], None]) -> None:
        self._home = home
        self._loop = loop
        self._ring = ring
        self._observers: list[BaseObserver] = []
        # What could not be watched: the slow rescan alone serves it.
        self.unwatched: list[str] = []

    def start(self) -> None:
        """Begin to watch; what can't be watched is left to the slow rescan."""
        arrivals = [self._home.inbox, self._home.deferred]
        changes = [self._home.holds, self._home.state, self._home.prompts, self._home.root]
        self._watch(_arrivals_observer(), arrivals)
        self._watch(_changes_observer(), changes)

    def _watch(self, observer: BaseObserver, folders: Iterable[str]) -> None:
        for folder in folders:
            try:
                observer.schedule(_Handler(folder, self._told), folder, recursive=False)
            except OSError:
                self.unwatched.append(folder)
        try:
            observer.start()
        except (OSError, RuntimeError):
            self.unwatched.extend(folders)
            return
        self._observers.append(observer)

    def _told(self, folder: str, path: str) -> None:
        try:
            self._loop.call_soon_threadsafe(self._ring, folder, path)
        except RuntimeError:
            # The loop is closed: the consumer is leaving, nobody needs waking.
            return

    def stop(self) -> None:
        """Stop watching."""
        for observer in self._observers:
            observer.stop()
        for observer in self._observers:
            observer.join(timeout=1.0)


class _Handler(FileSystemEventHandler):
    def __init__(self, folder: str, tell: Callable[[str, str], None]) -> None:
        self._folder = folder
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in {"opened", "closed_no_write"} or (
            event.is_directory and event.event_type == "modified"
        ):
            return
        for path in (event.src_path, event.dest_path):
            if path:
                self._tell(
                    self._folder, path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")
                )


def _arrivals_observer() -> BaseObserver:
    if sys.platform != "linux":
        return Observer()
    from watchdog.observers.inotify import InotifyEmitter  # noqa: PLC0415 - Linux only
    from watchdog.observers.inotify_c import InotifyConstants  # noqa: PLC0415 - Linux only

    class Arrivals(InotifyEmitter):
        """Asks the kernel for names that appear, and for nothing that would have to be paired."""

        def get_event_mask_from_filter(self) -> Mask:
            return cast(
                "Mask",
                InotifyConstants.IN_CREATE
                | InotifyConstants.IN_MOVED_TO
                | InotifyConstants.IN_CLOSE_WRITE
                | InotifyConstants.IN_DELETE_SELF,
            )

    return BaseObserver(Arrivals, timeout=DEFAULT_OBSERVER_TIMEOUT)


def _changes_observer() -> BaseObserver:
    if sys.platform != "linux":
        return Observer()
    from watchdog.observers.inotify import InotifyEmitter  # noqa: PLC0415 - Linux only
    from watchdog.observers.inotify_c import InotifyConstants  # noqa: PLC0415 - Linux only

    class Changes(InotifyEmitter):
        """Asks for what appears, goes or is written: not for reads, which the consumer itself does."""

        def get_event_mask_from_filter(self) -> Mask:
            return cast(
                "Mask",
                InotifyConstants.IN_CREATE
                | InotifyConstants.IN_DELETE
                | InotifyConstants.IN_MOVE
                | InotifyConstants.IN_CLOSE_WRITE
                | InotifyConstants.IN_DELETE_SELF,
            )

    return BaseObserver(Changes, timeout=DEFAULT_OBSERVER_TIMEOUT)
