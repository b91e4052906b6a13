"""Starting runs: shims that wait for one, and the files that a run's life is read from."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import marshal
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from cadencebus.session import life, process_tree
from cadencebus.session.launcher import ANSWER, ENDED, HEAD, arrived, hold_until_arrived

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where this package lies: without `site` the launcher would not find it.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LAUNCH = (
    "import sys; sys.path += sys.argv[2:]; "
    "from cadencebus.session.launcher import serve; serve(int(sys.argv[1]))"
)
# A shim that was killed while it waited is replaced, this many times: whoever kills each one wants none.
_TRIES = 3
# A launcher or a shim that has not answered for this long is stopped, or worse.
_ANSWER_WITHIN = 30.0
_CLOSE_WITHIN = 0.3
# How many shims that have led a run wait for another: as many as end at one time where runs are brief.
_SPARE = 2


class Shim(NamedTuple):
    """A process that leads a run, and the socket on which it was given it."""

    pid: int
    line: socket.socket


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """How a run is to be started; paths are the home's as it lies now."""

    run_dir: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    stdin: str | None
    timeout_s: float
    ladder: tuple[tuple[str, float], ...]
    pid_at: tuple[int, int] | None = None


class Launcher:
    """The consumer's end: shims that wait for their run, from a launcher that is replaced when it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        # Whether a shim was asked for that nobody has taken yet.
        self._asked = False
        self._closed = False
        self._free: list[Shim] = []

    def warm(self) -> None:
        """Have a shim forked in advance, if none is free: that takes as long as all the rest of a start."""
        # Another thread that has the lock asks for one itself, and waits if the launcher does not answer.
        if self._lock.acquire(blocking=False):
            try:
                if not self._free:
                    self._ask()
            finally:
                self._lock.release()

    def start(self, request: LaunchRequest, alive: int) -> Shim:
        """Let a shim lead a run whose `alive` is locked on this descriptor; `over_within` or `let_go` follow.

        OSError where no process could be had.
        """
        body = marshal.dumps({name: getattr(request, name) for name in request.__slots__})
        with self._lock:
            for shim in self._without_a_run():
                try:
                    _tell(shim.line, body, alive)
                except (ConnectionError, TimeoutError):
                    # It was killed while it waited, or it is stopped; of half a request nobody makes a run.
                    shim.line.close()
                else:
                    return shim
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def over_within(self, shim: Shim, seconds: float) -> life.ExitRecord | None:
        """Wait in a worker thread for the end of a brief run that leaves nothing behind.

        None where it goes on, or its shim does not say that it ended so.
        """
        shim.line.settimeout(seconds)
        try:
            word = shim.line.recv(ENDED.size)
        except (TimeoutError, ConnectionError):
            word = b""
        free = len(word) == ENDED.size
        # Without the lock, which a thread that waits for a stopped launcher may hold for long.
        if free and not self._closed and len(self._free) < _SPARE:
            self._free.append(shim)
        else:
            self.let_go(shim)
        return life.ended(*ENDED.unpack(word)) if free else None

    def let_go(self, shim: Shim) -> None:
        """Listen to a shim no longer: it goes when its run does."""
        shim.line.close()

    def _without_a_run(self) -> Iterator[Shim]:
        """Shims that can lead one: those that have led one, then fresh ones."""
        while self._free:
            yield self._free.pop()
        for _ in range(_TRIES):
            yield self._fresh()

    def _fresh(self) -> Shim:
        """A shim that was asked for in advance, or another."""
        early = self._asked
        try:
            self._ask()
            pid, fd = self._answer()
        except (ConnectionError, TimeoutError):
            # The launcher was killed: ask another one.
            self._hang_up()
            self._ask()
            early, (pid, fd) = False, self._answer()
        if pid < 0 and early:
            # What was missing then may be there now.
            self._ask()
            pid, fd = self._answer()
        if pid < 0:
            raise OSError(-pid, os.strerror(-pid))
        return Shim(pid, socket.socket(fileno=fd))

    def _ask(self) -> None:
        line = self._connected()
        if not self._asked:
            line.sendall(b"1")
            self._asked = True

    def _answer(self) -> tuple[int, int]:
        """The pid of a shim and the descriptor of its line; a number below zero where there is none."""
        if self._line is None:
            raise ConnectionResetError
        self._asked = False
        data, fds, _, _ = socket.recv_fds(self._line, ANSWER.size, 1)
        if len(data) < ANSWER.size:
            raise ConnectionResetError
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003 - the standard library wants it so
            arrived(self._line)
        return ANSWER.unpack(data)[0], fds[0] if fds else -1

    def _connected(self) -> socket.socket:
        if self._line is not None and self._process is not None and self._process.poll() is None:
            return self._line
        self._hang_up()
        if self._closed:
            raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(_ANSWER_WITHIN)
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
                    [sys.executable, "-I", "-S", "-c", _LAUNCH, str(theirs.fileno()), *_places()],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    # A Ctrl-C at the terminal is for the consumer alone.
                    start_new_session=True,
                    cwd="/",
                )
            except OSError:
                ours.close()
                raise
        self._line = ours
        return ours

    def _hang_up(self) -> None:
        self._asked = False
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            try:
                self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def close(self) -> None:
        """Let the launcher process end; the shims live on."""
        self._closed = True
        if not self._lock.acquire(timeout=_CLOSE_WITHIN):
            # A thread waits for the answer of a launcher that is stopped: leaving does not wait for it.
            if self._process is not None:
                self._process.kill()
            if not self._lock.acquire(timeout=_CLOSE_WITHIN):
                # Or a thread writes to a shim that is stopped: its socket is closed when we end.
                return
        try:
            self._hang_up()
            while self._free:
                self.let_go(self._free.pop())
        finally:
            self._lock.release()


def _places() -> list[str]:
    """Where a launcher without `site` finds us; and psutil, which a shim needs where there is no /proc."""
    library = None if process_tree.LINUX else importlib.util.find_spec("psutil")
    folders = [] if library is None else library.submodule_search_locations or []
    return [_ROOT, *(os.path.dirname(folder) for folder in folders)]


def _tell(line: socket.socket, body: bytes, alive: int) -> None:
    """Tell a waiting shim of its run, and hand it the lock on it."""
    line.settimeout(_ANSWER_WITHIN)
    request = HEAD.pack(len(body)) + body
    sent = socket.send_fds(line, [request], [alive])
    if sent < HEAD.size:
        raise BrokenPipeError
    if sent < len(request):
        line.sendall(request[sent:])
    # One that is stopped has its request, and leads the run when it may go on.
    with contextlib.suppress(TimeoutError, ConnectionError):
        hold_until_arrived(line)
