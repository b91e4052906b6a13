"""The shim: leads one run's process session, of the standard library alone.

Forked, it shares its pages with the launcher until it touches them, and a page that it touches is dearer than
what it does there: so what every run needs is done with few objects.

It starts the command, minds the time-out even when no consumer is up, records the end by renaming
`exit.pending`, sweeps what is left of the tree and exits. The descriptor of `alive`, locked by the
consumer before the fork, is the shim's for as long as it lives: that lock *is* the run's life.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import time

from cadencebus.clock import rfc3339
from cadencebus.session import orphans, process_tree, spawn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    # As `launcher.ENDED` has it.
    End = tuple[int, float, float, int, float]

# A session manager's broadcast, or a closed terminal, must not take the recorder with it.
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTSTP)
_MINDED = (signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1)
_NOTE_SIZE = 200  # inside the room that the consumer has made in `alive`
_RECORD_S = 2.0
# How long a signal may be on its way after its sender has looked whom to signal.
_STRAY_S = 1.0
# setitimer takes 0 for "never"; and what rounds to 0 would be just that. More than the longest macOS refuses.
_SHORTEST, _LONGEST = 0.001, 100e6
# The session may have put a pipe in the place of what we write: nobody waits for its other end.
_OURS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LOG = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


def set_up_signals() -> None:
    """In the launcher, for all its shims: which signals they ignore, and which they take once ready."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    for number in _MINDED:
        # macOS throws away what nobody handles, even while it is blocked.
        signal.signal(number, _nothing)
    signal.pthread_sigmask(signal.SIG_BLOCK, _MINDED)
    spawn.all_signals()


def stand_by() -> None:
    """In a shim that has no run yet: lead a process session, and hear of the ends of its children."""
    os.setsid()
    orphans.become_subreaper()
    # The launcher, to be rid of its shims, ignores it.
    signal.signal(signal.SIGCHLD, _nothing)


class Shim:
    """Leads one run: start, deadline, record, sweep."""

    def __init__(self, request: dict[str, Any], alive: int, *, first: bool) -> None:
        self.request = request
        self.alive = alive
        self.first = first
        self.began = time.monotonic()
        self.child = 0
        self.status: int | None = None
        self.ladder = list(request["ladder"])
        self.known: dict[int, float] = {}
        self.ending = False
        self.due = 0.0
        self.peak_rss = 0
        self.cpu_s = 0.0
        self.end: End | None = None

    def run(self) -> End | None:
        """Lead a run to its end; return how it ended, if it did so by itself and left nothing behind."""
        self.folder = os.open(self.request["run_dir"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return self.end if self._lead() else None
        finally:
            os.close(self.folder)

    def _lead(self) -> bool:
        self._note()
        failed = self._start()
        # Hold no mount for as long as the run takes; it can do without.
        with contextlib.suppress(OSError):
            os.chdir("/")
        if failed is not None:
            self._record(failed)
            self._note(swept=True)
            return False
        self._note()
        self._mind()
        self._record(self._end_name())
        swept = orphans.sweep(self.folder, self.known)
        # A shim that is killed in mid-sweep leaves a record and processes: only this word ends the search.
        self._note(swept=swept)
        return swept and not self.ending

    def _note(self, *, swept: bool = False) -> None:
        """Write who leads the run into `alive`, which the consumer has made large enough beforehand."""
        note = (
            f'{{"shim": {os.getpid()}, "pid": {self.child or "null"}, '
            f'"monotonic": {time.monotonic()}, "swept": {"true" if swept else "false"}}}'
        )
        with contextlib.suppress(OSError):
            os.pwrite(self.alive, note.encode().ljust(_NOTE_SIZE), 0)
        if self.child and not swept and self.request.get("pid_at"):
            offset, width = self.request["pid_at"]
            with contextlib.suppress(OSError):
                fd = os.open("run.json", os.O_WRONLY | _OURS, dir_fd=self.folder)
                os.pwrite(fd, str(self.child).encode().ljust(width), offset)
                os.close(fd)

    # --- the start -------------------------------------------------------------------------------

    def _start(self) -> str | None:
        """Start the command; where that failed, the name of a record that says what and why."""
        argv, env = self.request["argv"], self.request["env"]
        what, program = "cwd", ""
        files: list[int] = []
        try:
            os.chdir(self.request["cwd"])
            what = "files"
            self._open(files)
            what = "spawn"
            program = spawn.find(argv[0] if argv else "", env.get("PATH", os.defpath))
            self.child = spawn.start(program, argv, env, files)
        except (OSError, ValueError) as error:
            if isinstance(error, FileNotFoundError) and program and os.path.exists(program):
                # A script is there; what its first line names is not.
                what = "interpreter"
            return f"exit.{what}-{_errno(error)}"
        finally:
            for fd in files:
                os.close(fd)
        return None

    def _open(self, files: list[int]) -> None:
        """Open what the child gets as standard input, output and error."""
        stdin = self.request.get("stdin")
        names = [(stdin, os.O_RDONLY | os.O_NOFOLLOW) if stdin else (os.devnull, os.O_RDONLY)]
        for name, flags in (*names, ("stdout.log", _LOG), ("stderr.log", _LOG)):
            files.append(os.open(name, flags | os.O_CLOEXEC, 0o600, dir_fd=self.folder))

    # --- the end ---------------------------------------------------------------------------------

    def _mind(self) -> None:
        """Wait for the child's end; at the time-out or SIGUSR1, end it by one signal after the other."""
        self._wait(self.request["timeout_s"])
        # Who asked before anybody knew our pid could write down why, but not signal.
        if self._is_explained():
            self._next_step()
        while not self._reap():
            number = signal.sigwait(_MINDED)
            if number == signal.SIGUSR1 and not self.ending and self._is_meant():
                self._next_step()
            elif time.monotonic() >= self.due:
                if not self.ending:
                    self._write_ending()
                self._next_step()
            elif number == signal.SIGALRM:
                # The alarm of a deadline that has been replaced meanwhile.
                self._wait(self.due - time.monotonic())
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _is_meant(self) -> bool:
        """Whether a request to end is for this run: one for the shim's former run may have been on its way.

        Whoever asks writes down why, unless the disk is full.
        """
        return self.first or self._is_explained() or time.monotonic() > self.began + _STRAY_S

    def _is_explained(self) -> bool:
        """Whether somebody has written down why the run is to end."""
        try:
            os.stat("ending.json", dir_fd=self.folder, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _wait(self, seconds: float) -> None:
        # ITIMER_REAL runs on the monotonic clock; sigtimedwait, the neater way, is missing on macOS.
        seconds = min(max(seconds, _SHORTEST), _LONGEST)
        self.due = time.monotonic() + seconds
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _reap(self) -> bool:
        """Collect every dead child (a subreaper has strangers' too); True once ours is among them."""
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return self.status is not None
            # Its own and its children's; those of a former run are no business of this one.
            self.peak_rss = max(self.peak_rss, used.ru_maxrss)
            self.cpu_s += used.ru_utime + used.ru_stime
            if pid == self.child:
                self.status = status

    def _write_ending(self) -> None:
        """Write down durably that the time is up, before the first signal; an earlier note stands."""
        detail = f"{self.request['timeout_s']:g} s"
        note = {"class": "timeout", "by": "shim", "requeue": False, "at": rfc3339(time.time())}
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            fd = os.open("ending.json", flags, 0o600, dir_fd=self.folder)
        except OSError:
            return
        try:
            os.write(fd, json.dumps({**note, "detail": detail}).encode() + b"\n")
            os.fsync(fd)
            os.fsync(self.folder)
        except OSError:
            # A full disk: an empty note would pass for an operator's, and the tick would go back uncounted.
            if os.fstat(fd).st_size == 0:
                with contextlib.suppress(OSError):
                    os.unlink("ending.json", dir_fd=self.folder)
        finally:
            os.close(fd)

    def _next_step(self) -> None:
        if self.ending and not self.ladder:
            # The ladder ended with SIGKILL, and with the time that this may take.
            orphans.name_survivors(self.folder)
        self.ending = True
        orphans.remember(self.known)
        name, wait = self.ladder.pop(0) if self.ladder else ("SIGKILL", 5.0)
        number = getattr(signal, name, signal.SIGTERM)
        # A stopped one hears nothing but SIGKILL.
        for each in (number, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # Our own child, not yet reaped: its pid can't be anybody else's. As a Ctrl-C does, the signal
                # goes to its group: a shell that waits for its command hears nothing before that has ended.
                if os.getpgid(self.child) == self.child:
                    os.killpg(self.child, each)
                else:
                    os.kill(self.child, each)
        self._wait(wait)

    def _end_name(self) -> str:
        status = self.status or 0
        if os.WIFSIGNALED(status):
            return f"exit.sig{os.WTERMSIG(status)}"
        return f"exit.{os.waitstatus_to_exitcode(status)}"

    def _record(self, name: str) -> None:
        """Rename `exit.pending`: an end that needs no room on the disk."""
        peak = self.peak_rss * (1024 if process_tree.LINUX else 1)
        at, monotonic, cpu_s = time.time(), time.monotonic(), round(self.cpu_s, 3)
        facts = (
            f'{{"at": "{rfc3339(at)}", "monotonic": {monotonic}, "peak_rss": {peak}, "cpu_s": {cpu_s}}}\n'
        ).encode()
        # Made anew where it was removed: a run without a record would be started again.
        flags = os.O_WRONLY | os.O_CREAT | _OURS
        deadline = time.monotonic() + _RECORD_S
        while True:
            try:
                with contextlib.suppress(OSError):
                    fd = os.open("exit.pending", flags, 0o600, dir_fd=self.folder)
                    try:
                        os.write(fd, facts)
                    finally:
                        os.close(fd)
                os.rename("exit.pending", name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            except OSError:
                if time.monotonic() > deadline:
                    return
                with contextlib.suppress(OSError):
                    # The session may have shut its folder.
                    os.fchmod(self.folder, 0o700)
                time.sleep(0.05)
            else:
                # No word is given of an end that a later look at the folder would not find.
                self.end = (self.status or 0, at, monotonic, peak, cpu_s)
                return


def _nothing(*_: object) -> None:
    """A handler, so that the signal is not discarded; it is taken by sigwait."""


def _errno(error: Exception) -> str:
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "EIO")
    return "NUL" if "null" in str(error) else "EINVAL"
