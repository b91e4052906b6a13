"""Wake the consumer when something arrives: a hint that saves waiting, never what correctness rests on.

On Linux the kernel is asked without a library between: watchdog pairs MOVED_FROM with MOVED_TO and holds
every event up to half a second behind an unpaired one, which the consumer's own claims cause all the time.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from cadencebus.store.real_path import real_path

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from watchdog.events import FileSystemEvent

    from cadencebus.store.paths import Home

    Ring = Callable[[str, str], None]


class Watcher(Protocol):
    """What tells of events in folders, by folder and name."""

    def watch(self, folder: str, *, arrivals_only: bool) -> None:
        """Tell of a folder from now on; OSError where that can't be."""
        ...

    def close(self) -> None:
        """Tell of nothing more."""
        ...


class Wakeups:
    """Watches the folders of a home; rings in the loop, or says there that some rings got lost."""

    def __init__(
        self, home: Home, loop: asyncio.AbstractEventLoop, ring: Ring, lost: Callable[[], None]
    ) -> None:
        self._home = home
        self._new: Callable[[], Watcher] = lambda: watcher(loop, ring, lost)
        self._watcher: Watcher | None = None
        # What could not be watched: the slow rescan alone serves it.
        self.unwatched: list[str] = []

    def start(self) -> None:
        """Begin to watch; what can't be watched is left to the slow rescan."""
        home = self._home
        # What goes from here is the consumer's own doing.
        arrivals = [home.inbox, home.deferred]
        try:
            self._watcher = self._new()
        except (OSError, RuntimeError):
            self.unwatched = [*arrivals, home.holds, home.state, home.prompts, home.root]
            return
        for folder in (*arrivals, home.holds, home.state, home.prompts, home.root):
            try:
                self._watcher.watch(folder, arrivals_only=folder in arrivals)
            except OSError:
                self.unwatched.append(folder)

    def stop(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.close()


def watcher(
    loop: asyncio.AbstractEventLoop, ring: Ring, lost: Callable[[], None], platform: str = sys.platform
) -> Watcher:
    """The way in which this platform tells of events."""
    if platform == "linux":
        from cadencebus.daemon.inotify import Inotify  # noqa: PLC0415 - there is none elsewhere

        return Inotify(loop, ring, lost)
    return _Watchdog(loop, ring)


class _Watchdog:
    """Threads of a library watch; each of their events is a call into the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Ring) -> None:
        from watchdog.observers import Observer  # noqa: PLC0415 - not needed on Linux

        self._loop = loop
        self._ring = ring
        self._observer = Observer()
        self._observer.start()

    def watch(self, folder: str, *, arrivals_only: bool) -> None:  # noqa: ARG002 - all is told, or nothing
        from watchdog.events import FileSystemEventHandler  # noqa: PLC0415 - not needed on Linux

        handler = FileSystemEventHandler()
        handler.on_any_event = lambda event: self._told(folder, event)  # type: ignore[method-assign]
        try:
            # FSEvents tells of a folder under its real name alone.
            self._observer.schedule(handler, real_path(folder), recursive=False)
        except (RuntimeError, SystemError) as error:
            # In these words FSEvents refuses a stream: no reason for a consumer not to come up.
            raise OSError(str(error)) from None

    def _told(self, folder: str, event: FileSystemEvent) -> None:
        if event.event_type in {"opened", "closed_no_write"} or (
            event.is_directory and event.event_type == "modified"
        ):
            return
        for path in (event.src_path, event.dest_path):
            if path:
                try:
                    self._loop.call_soon_threadsafe(self._ring, folder, os.path.basename(os.fsdecode(path)))
                except RuntimeError:
                    # The loop is closed: the consumer is leaving, nobody needs waking.
                    return

    def close(self) -> None:
        self._observer.stop()
        self._observer.join(timeout=1.0)
