"""A Python that finds itself on something like a Mac: what only Linux has is gone, what differs differs.

With this folder on PYTHONPATH every `cadence` takes the ways that it would take there, as far as they can be
gone here. A Mac it is not: threads of FSEvents, launchd, APFS and the drive's cache are none of its business.
The launcher, which reads no PYTHONPATH, is made to run this file by its consumer.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import os
import select
import signal
import socket
import sys
import time
from typing import Any

MODULES: dict[str, Any] = {
    "os": os,
    "select": select,
    "signal": signal,
    "socket": socket,
    "time": time,
}
# As tests/architecture/test_macos.py lists them, but for what the libraries that stand in need themselves.
MISSING = {
    "os": "copy_file_range eventfd getrandom memfd_create O_PATH O_TMPFILE pidfd_open pipe2 posix_fadvise "
    "posix_fallocate sched_getaffinity splice waitid",
    "select": "epoll",
    "signal": "pidfd_send_signal sigtimedwait sigwaitinfo",
    "socket": "SO_PEERCRED",
    "time": "CLOCK_BOOTTIME",
}
LONGEST_ALARM = 100_000_000
OURS = ("cadencebus", "__main__")
# Whose environment the kernel shows to nobody: "platform binaries", since macOS 11.
SHY = ("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/")


def main() -> None:
    """Take away, then change what is different; psutil and watchdog stand where their macOS halves would."""
    for module, names in MISSING.items():
        for name in names.split():
            if hasattr(MODULES[module], name):
                delattr(MODULES[module], name)
    # They look at the platform when they are loaded; what they do here, they do by Linux's means.
    import asyncio  # noqa: F401, PLC0415
    import subprocess  # noqa: PLC0415
    import urllib.request  # noqa: F401, PLC0415
    import zoneinfo  # noqa: F401, PLC0415

    # A launcher that was not told where to find it can look at no process.
    with contextlib.suppress(ImportError):
        import psutil  # noqa: PLC0415

        _hide_environments(psutil)
    if not sys.flags.no_site:
        import watchdog.observers  # noqa: F401, PLC0415

        _reach_the_launcher(subprocess)
    _no_proc()
    _kqueue()
    _own_ways()
    sys.platform = "darwin"


def _hide_environments(psutil: Any) -> None:
    shown = psutil.Process.environ

    def environ(self: Any) -> dict[str, str]:
        return {} if self.exe().startswith(SHY) else dict(shown(self))

    psutil.Process.environ = environ


def _reach_the_launcher(subprocess: Any) -> None:
    """A launcher is started without `site`: what it is told to run is told to run this first."""
    begin = subprocess.Popen.__init__

    def init(self: Any, args: Any, *more: Any, **named: Any) -> None:
        if isinstance(args, list) and "-c" in args:
            at, ours = args.index("-c") + 1, f"import runpy; runpy.run_path({__file__!r}); from cadencebus"
            args = [*args[:at], args[at].replace("from cadencebus", ours, 1), *args[at + 1 :]]
        begin(self, args, *more, **named)

    subprocess.Popen.__init__ = init


def _no_proc() -> None:
    """There is no /proc for cadencebus; psutil looks at processes in its own way."""
    for module, name in ((builtins, "open"), (os, "open"), (os, "listdir"), (os, "readlink"), (os, "stat")):
        setattr(module, name, _without_proc(getattr(module, name)))


def _without_proc(call: Any) -> Any:
    def gone(path: Any, *more: Any, **named: Any) -> Any:
        asks = str(sys._getframe(1).f_globals.get("__name__", ""))
        if isinstance(path, str) and path.startswith("/proc") and asks.startswith(OURS):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return call(path, *more, **named)

    return gone


def _kqueue() -> None:
    """EVFILT_PROC with NOTE_EXIT, and nothing else of it."""

    class KQueue:
        def __init__(self) -> None:
            self._fd = -1

        def control(self, events: list[int], _most: int, _within: float) -> None:
            self._fd = pidfd_open(events[0])

        def fileno(self) -> int:
            return self._fd

        def close(self) -> None:
            if self._fd >= 0:
                os.close(self._fd)

    select.kqueue = KQueue  # type: ignore[attr-defined]
    select.kevent = lambda pid, **_: pid  # type: ignore[attr-defined]
    for name in ("KQ_FILTER_PROC", "KQ_EV_ADD", "KQ_EV_ONESHOT", "KQ_NOTE_EXIT"):
        setattr(select, name, 0)


def _own_ways() -> None:
    """Calls that both have, and that do not answer alike."""
    # No command of Linux's: it says EINVAL, as macFUSE does.
    fcntl.F_FULLFSYNC = 51  # type: ignore[attr-defined]
    getpgid, getsid, setitimer, unlink = os.getpgid, os.getsid, signal.setitimer, os.unlink

    def of_the_living(call: Any, pid: int) -> int:
        """A zombie has neither group nor session."""
        with _open(f"/proc/{pid or os.getpid()}/stat", "rb") as file:
            if file.read().rpartition(b")")[2].split()[0] == b"Z":
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        return int(call(pid))

    def shorter(which: int, seconds: float, interval: float = 0.0) -> tuple[float, float]:
        if seconds > LONGEST_ALARM:
            raise signal.ItimerError(errno.EINVAL, os.strerror(errno.EINVAL))
        return setitimer(which, seconds, interval)

    def not_a_folder(path: Any, **named: Any) -> None:
        try:
            unlink(path, **named)
        except IsADirectoryError as error:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path) from error

    def alive(call: Any) -> Any:
        def asked(pid: int) -> int:
            try:
                return of_the_living(call, pid)
            except FileNotFoundError:
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH)) from None

        return asked

    os.getpgid, os.getsid = alive(getpgid), alive(getsid)
    signal.setitimer = shorter
    os.unlink = os.remove = not_a_folder


_open, pidfd_open = builtins.open, os.pidfd_open
main()
