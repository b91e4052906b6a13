"""The kernel's own word that something happened in a folder (Linux), read by the loop itself.

No thread comes between the event and who waits for it: each such hop costs a tick a tenth of a millisecond.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

# From <sys/inotify.h>.
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _OVERFLOW = 0x8, 0x40, 0x80, 0x100, 0x200, 0x4000
_IS_FOLDER = 0x40000000
_APPEARS = _CREATE | _MOVED_TO | _CLOSE_WRITE
_GOES = _DELETE | _MOVED_FROM
_EVENT = struct.Struct("iIII")
_ROOM = 1 << 16


class Inotify:
    """Watches folders, and tells of each event by its folder and the name in it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[str, str], None],
        lost: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._lost = lost
        self._folders: dict[int, str] = {}
        self._arrivals_only: dict[str, bool] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._asked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        loop.add_reader(self._fd, self._read)

    def watch(self, folder: str, *, arrivals_only: bool) -> None:
        """Tell of what appears in a folder from now on, and of what goes; OSError where the kernel can't."""
        self._arrivals_only[folder] = arrivals_only
        events = _APPEARS if arrivals_only else _APPEARS | _GOES
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), ctypes.c_uint32(events))
        self._folders[self._asked(watch)] = folder

    @staticmethod
    def _asked(answer: int) -> int:
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _ROOM)
        except BlockingIOError:
            return
        except OSError:
            self._lost()
            return
        at = 0
        while at < len(data):
            watch, what, _, size = _EVENT.unpack_from(data, at)
            at += _EVENT.size + size
            if what & _OVERFLOW:
                # More came than the kernel keeps: which names, only the folders know.
                self._lost()
            elif (folder := self._folders.get(watch)) is not None:
                name = os.fsdecode(data[at - size : at].rstrip(b"\0"))
                if what & _IS_FOLDER and what & _APPEARS:
                    self._came(f"{folder}/{name}")
                self._tell(folder, name)

    def _came(self, folder: str) -> None:
        """Watch a folder that a hand put in the place of a watched one; what lies in it was not told of."""
        if (arrivals_only := self._arrivals_only.get(folder)) is not None:
            with contextlib.suppress(OSError):
                self.watch(folder, arrivals_only=arrivals_only)
            self._lost()

    def close(self) -> None:
        """Watch no more."""
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
