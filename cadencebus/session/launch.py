"""Starting runs: the launcher at the other end of a socket, and the files that a life is read from."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from cadencebus.clock import parse_rfc3339
from cadencebus.session import lineage

# Where this package lies: without `site` the launcher would not find it.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_LAUNCH = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from cadencebus.session.launcher import serve; serve(int(sys.argv[2]))"
)
_HEAD = struct.Struct("!I")
# Room for the shim's note, taken before the start: a full disk must not make a run nameless.
_ALIVE_SIZE = 256
# A launcher that has not answered for so long is stopped, or worse.
_ANSWER_WITHIN = 30.0
_LOCK_WITHIN = 1.0


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


@dataclass(frozen=True, slots=True)
class AliveNote:
    """Who leads a run, by its own word."""

    shim: int
    pid: int | None
    monotonic: float
    # Only once nothing of the run was left: without it somebody else has to look.
    swept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRecord:
    """How a run ended: its record's name says it, the content is a bonus."""

    code: int | None = None
    signal: int | None = None
    spawn_error: str | None = None
    spawn_what: str | None = None
    peak_rss: int | None = None
    cpu_s: float | None = None
    ended_at: float | None = None
    monotonic: float | None = None


class Launcher:
    """The consumer's end: one request at a time, a new launcher process when the old one died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None

    def warm(self) -> None:
        """Start the launcher process in advance."""
        with self._lock:
            self._connected()

    def start(self, request: LaunchRequest, alive: int) -> int:
        """Start a run whose `alive` is locked on this descriptor; the shim's pid, 0 where nobody knows.

        OSError where no process could be had.
        """
        body = json.dumps({name: getattr(request, name) for name in request.__slots__}).encode(
            "utf-8", "surrogateescape"
        )
        with self._lock:
            try:
                self._send(body, alive)
            except (ConnectionError, TimeoutError):
                # It was killed before it had heard all: another one hears it from the beginning.
                self._hang_up()
                self._send(body, alive)
            try:
                answer = self._answer()
            except (EOFError, ConnectionError, TimeoutError):
                # Killed before its reply: whether it left a shim, the lock on `alive` will tell.
                self._hang_up()
                return 0
        if "error" in answer:
            number = getattr(errno, str(answer["error"]), errno.EAGAIN)
            raise OSError(number, os.strerror(number))
        return int(answer.get("shim", 0))

    def _send(self, body: bytes, alive: int) -> None:
        line = self._connected()
        if socket.send_fds(line, [_HEAD.pack(len(body))], [alive]) < _HEAD.size:
            raise BrokenPipeError
        line.sendall(body)

    def _answer(self) -> dict[str, Any]:
        # The line that was asked, not a new one: a launcher that died since has left nobody to answer there.
        if self._line is None:
            raise EOFError
        line = self._line
        head = _exactly(line, _HEAD.size)
        answer = json.loads(_exactly(line, _HEAD.unpack(head)[0]))
        return answer if isinstance(answer, dict) else {}

    def _connected(self) -> socket.socket:
        if self._line is not None and self._process is not None and self._process.poll() is None:
            return self._line
        self._hang_up()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(_ANSWER_WITHIN)
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own file
                    [sys.executable, "-I", "-S", "-c", _LAUNCH, _ROOT, str(theirs.fileno())],
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
        with self._lock:
            self._hang_up()


def _exactly(line: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = line.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def open_alive(run_dir: str) -> int:
    """Create `alive`, give it room, and lock it: from now on the run lives."""
    fd = os.open(f"{run_dir}/alive", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(fd, b" " * (_ALIVE_SIZE - 1) + b"\n")
        _lock(fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def _lock(fd: int) -> None:
    """Lock a file that nobody else can want to lock for longer than `is_alive` takes."""
    deadline = time.monotonic() + _LOCK_WITHIN
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.001)
        else:
            return


def is_alive(run_dir: str) -> bool:
    """Whether the run's shim lives; only the lock says so."""
    try:
        fd = os.open(f"{run_dir}/alive", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        # Shared: two who ask at the same moment must not take each other for the shim.
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EAGAIN, errno.EACCES}:
            return True
        raise
    finally:
        os.close(fd)
    return False


def read_alive(run_dir: str) -> AliveNote | None:
    """What the shim wrote of itself; None where it has not come to that."""
    try:
        with open(f"{run_dir}/alive", "rb") as file:
            note = json.loads(file.read(_ALIVE_SIZE))
        swept = note.get("swept") is True
        return AliveNote(int(note["shim"]), note.get("pid"), float(note["monotonic"]), swept)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def request_end(run_dir: str) -> bool:
    """Ask the shim for its ladder; False where no shim lives, or none has written its note yet.

    Write `ending.json` first: a shim looks for it once its note is written, so no request gets lost between.
    """
    note = read_alive(run_dir)
    # The note is the shim's own; locked with a handle on that process in hand, it can't be anybody else's.
    if note is None or not lineage.send(note.shim, signal.SIGUSR1, lambda: is_alive(run_dir)):
        return False
    # A stopped shim would never hear it.
    lineage.send(note.shim, signal.SIGCONT, lambda: is_alive(run_dir))
    return True


def exit_record(run_dir: str) -> ExitRecord | None:
    """The record of the run's end; None where there is none (yet)."""
    try:
        names = [name for name in os.listdir(run_dir) if name.startswith("exit.") and name != "exit.pending"]
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not names:
        return None
    word = min(names).removeprefix("exit.")
    facts = _facts(f"{run_dir}/{min(names)}")
    if word.lstrip("-").isdigit():
        return ExitRecord(code=int(word), **facts)
    if word.startswith("sig") and word[3:].isdigit():
        return ExitRecord(signal=int(word[3:]), **facts)
    what, _, number = word.partition("-")
    return ExitRecord(spawn_error=number or "EIO", spawn_what={"spawn": "binary"}.get(what, what), **facts)


def _facts(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            facts = json.loads(file.read(4096))
        return {
            "peak_rss": int(facts["peak_rss"]),
            "cpu_s": float(facts["cpu_s"]),
            "ended_at": _moment(facts["at"]),
            "monotonic": float(facts["monotonic"]),
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _moment(at: object) -> float:
    """When it ended; the first shims wrote seconds since the epoch."""
    return parse_rfc3339(at) if isinstance(at, str) else float(at)  # type: ignore[arg-type]
