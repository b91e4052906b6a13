"""The shim: leads one run's process session, of the standard library alone.

It starts the command, minds the time-out even when no consumer is up, records the end by renaming
`exit.pending`, sweeps what is left of the tree and exits. The descriptor of `alive`, locked by the
consumer before the fork, is the shim's for as long as it lives: that lock *is* the run's life.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINUX = sys.platform.startswith("linux")
_ORPHANS_COME_TO_ME = 36  # PR_SET_CHILD_SUBREAPER
_MINDED = (signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1)
_SHRUGGED_OFF = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)
_SWEEP_S = 10.0
_RECORD_S = 2.0


# --- the shim ------------------------------------------------------------------------------------


class Shim:
    """Leads one run: start, deadline, record, sweep."""

    def __init__(self, request: dict[str, Any], alive: int) -> None:
        self.request = request
        self.alive = alive
        self.child = 0
        self.status: int | None = None
        self.ladder: list[tuple[int, float]] = []
        self.ending = False

    def run(self) -> None:
        """The whole life of a run."""
        os.setsid()
        if LINUX:
            ctypes.CDLL(None).prctl(_ORPHANS_COME_TO_ME, 1, 0, 0, 0)
        for number in _SHRUGGED_OFF:
            signal.signal(number, signal.SIG_IGN)
        for number in _MINDED:
            signal.signal(number, _nothing)
        signal.pthread_sigmask(signal.SIG_BLOCK, _MINDED)
        self.folder = os.open(self.request["run_dir"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._note()
        failed = self._start()
        if failed is not None:
            self._record(failed)
            return
        self._note()
        with contextlib.suppress(OSError):
            os.chdir("/")
        self._alarm(self.request["timeout_s"])
        self._mind()
        self._record(self._end_name())
        self._sweep()

    def _note(self) -> None:
        """Write who leads the run into `alive`, which the consumer has made large enough beforehand."""
        note = json.dumps({"shim": os.getpid(), "pid": self.child or None, "monotonic": time.monotonic()})
        with contextlib.suppress(OSError):
            os.pwrite(self.alive, note.encode().ljust(200), 0)
        if self.child and self.request.get("pid_at"):
            offset, width = self.request["pid_at"]
            with contextlib.suppress(OSError):
                fd = os.open("run.json", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
                os.pwrite(fd, str(self.child).encode().ljust(width), offset)
                os.close(fd)

    def _start(self) -> str | None:
        """Start the command; the name of the exit record where that failed."""
        try:
            os.chdir(self.request["cwd"])
        except (OSError, ValueError) as error:
            return f"exit.cwd-{_errno(error)}"
        argv, env = self.request["argv"], self.request["env"]
        try:
            program = _find(argv[0], env.get("PATH", os.defpath))
            self.child = self._spawn(program, argv, env)
        except (OSError, ValueError) as error:
            return f"exit.spawn-{_errno(error)}"
        return None

    def _spawn(self, program: str, argv: list[str], env: dict[str, str]) -> int:
        run_dir = self.request["run_dir"]
        stdin = f"{run_dir}/{self.request['stdin']}" if self.request.get("stdin") else os.devnull
        log = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        return os.posix_spawn(
            program,
            argv,
            env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, f"{run_dir}/stdout.log", log, 0o600),
                (os.POSIX_SPAWN_OPEN, 2, f"{run_dir}/stderr.log", log, 0o600),
            ],
            setpgroup=0,
            setsigmask=[],
            setsigdef=[*_MINDED, *_SHRUGGED_OFF, signal.SIGXFSZ],
        )

    def _mind(self) -> None:
        """Wait for the child's end; the alarm and SIGUSR1 take the ladder, step by step, by deadline."""
        while not self._reap():
            number = signal.sigwait(_MINDED)
            if number == signal.SIGALRM and not self.ending:
                self._intend()
                self._next_step()
            elif number == signal.SIGALRM or (number == signal.SIGUSR1 and not self.ending):
                self._next_step()
        self._alarm(0)

    def _reap(self) -> bool:
        """Collect every dead child (a subreaper has strangers' too); True once ours is among them."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return self.status is not None
            if pid == self.child:
                self.status = status

    def _intend(self) -> None:
        """Say durably that the time is up, before the first signal; whoever wrote first is right."""
        seconds = time.time()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"
        detail = f"{self.request['timeout_s']:g} s"
        note = {"class": "timeout", "by": "shim", "requeue": False, "at": at, "detail": detail}
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            fd = os.open("ending.json", flags, 0o600, dir_fd=self.folder)
            os.write(fd, json.dumps(note).encode() + b"\n")
            os.fsync(fd)
            os.close(fd)
            os.fsync(self.folder)

    def _next_step(self) -> None:
        if not self.ending:
            self.ending = True
            self.ladder = [(int(signal.Signals[name]), wait) for name, wait in self.request["ladder"]]
        number, wait = self.ladder.pop(0) if self.ladder else (int(signal.SIGKILL), 5.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL:
                os.killpg(self.child, number)
            # Our own child, not yet reaped: its pid can't be anybody else's.
            os.kill(self.child, number)
        self._alarm(max(wait, 0.05))

    @staticmethod
    def _alarm(seconds: float) -> None:
        # ITIMER_REAL runs on the monotonic clock; sigtimedwait, the neater way, is missing on macOS.
        signal.setitimer(signal.ITIMER_REAL, min(max(seconds, 0.0), 86400.0 * 3650))

    def _end_name(self) -> str:
        status = self.status or 0
        return (
            f"exit.sig{os.WTERMSIG(status)}"
            if os.WIFSIGNALED(status)
            else f"exit.{os.waitstatus_to_exitcode(status)}"
        )

    def _record(self, name: str) -> None:
        """Rename `exit.pending`: an end that needs no room on the disk."""
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        facts = {
            "at": time.time(),
            "monotonic": time.monotonic(),
            "peak_rss": usage.ru_maxrss * (1024 if LINUX else 1),
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 3),
        }
        with contextlib.suppress(OSError):
            fd = os.open("exit.pending", os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.folder)
            os.write(fd, json.dumps(facts).encode() + b"\n")
            os.close(fd)
        deadline = time.monotonic() + _RECORD_S
        while True:
            try:
                os.rename("exit.pending", name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            except OSError:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.05)
            else:
                return

    def _sweep(self) -> None:
        """Kill what the run left behind, until nothing is left: every orphan of it has become our child."""
        if not LINUX:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.child, signal.SIGKILL)
            return
        deadline = time.monotonic() + _SWEEP_S
        leaked: dict[int, dict[str, Any]] = {}
        while self._collect() and time.monotonic() < deadline:
            left = _descendants(os.getpid())
            fresh = [pid for pid in left if pid not in leaked]
            leaked |= {pid: _describe(pid) for pid in fresh}
            if fresh:
                self._leaked(list(leaked.values()))
            # Stopped first, so that a fork bomb can't outrun the list; killing needs no waking.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in left:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            time.sleep(0.005)

    @staticmethod
    def _collect() -> bool:
        """Reap what is dead; whether any child is left."""
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True

    def _leaked(self, rows: list[dict[str, Any]]) -> None:
        with contextlib.suppress(OSError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            fd = os.open("leaked.json", flags, 0o600, dir_fd=self.folder)
            os.write(fd, json.dumps({"leaked": rows[:100]}).encode() + b"\n")
            os.close(fd)


def _nothing(*_: object) -> None:
    """A handler, so that the signal is not discarded; it is taken by sigwait."""


def _find(program: str, path: str) -> str:
    """Search the run's own PATH; EACCES tells of a file that is there but not executable."""
    if "/" in program:
        return program
    missing: OSError = FileNotFoundError(errno.ENOENT, "not found in PATH", program)
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder or ".", program)
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            missing = PermissionError(errno.EACCES, "not executable", candidate)
    raise missing


def _errno(error: Exception) -> str:
    if isinstance(error, ValueError):
        return "NUL"
    return errno.errorcode.get(getattr(error, "errno", 0) or 0, "EIO")


def _descendants(root: int) -> list[int]:
    """Every living process below this one."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (found := _parent(entry)) is not None:
            children.setdefault(found, []).append(int(entry))
    found_pids, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found_pids += below
        queue += below
    return found_pids


def _parent(pid: str) -> int | None:
    """The parent of a process; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[1])


def _describe(pid: int) -> dict[str, Any]:
    """What a person wants to know of a process that was left behind."""
    row: dict[str, Any] = {"pid": pid}
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/comm", "rb") as file:
            row["name"] = file.read().decode("utf-8", "replace").strip()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            row["cmdline"] = file.read(200).replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return row
