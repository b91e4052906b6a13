"""The life of a run, as its folder tells it: the lock on `alive`, the note in it, the record of the end."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import time
from dataclasses import dataclass
from typing import Any, TypeGuard

from cadencebus.clock import parse_rfc3339
from cadencebus.model.foreign import amount, epoch, mapping, whole
from cadencebus.session import process_tree
from cadencebus.store import files

# Room for the shim's note, taken before the start: a full disk must not make a run nameless.
_ALIVE_SIZE = 256
_LOCK_WITHIN = 1.0
# A session may have put a file, or a link that leads nowhere, in the place of its folder.
_NOTHING_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class AliveNote:
    """Who leads a run, by its own word."""

    shim: int
    pid: int | None
    monotonic: float
    # Written only when nothing of the run is left; without it the consumer has to look.
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
        # Non-blocking: what a session has put in its place may be a pipe, and nobody is to wait for that.
        fd = os.open(f"{run_dir}/alive", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return False
        if error.errno == errno.EACCES and _opened_up(run_dir):
            return is_alive(run_dir)
        raise
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


def _opened_up(run_dir: str) -> bool:
    """Give back the permissions that a session took from its folder; False where none were missing."""
    changed = False
    for path, mode in ((run_dir, 0o700), (f"{run_dir}/alive", 0o600)):
        at = os.lstat(path).st_mode
        if not stat.S_ISLNK(at) and at & mode != mode:
            os.chmod(path, stat.S_IMODE(at) | mode)
            changed = True
    return changed


def read_alive(run_dir: str) -> AliveNote | None:
    """What the shim wrote of itself; None where it has not come to that."""
    try:
        note = mapping(json.loads(files.read(f"{run_dir}/alive", _ALIVE_SIZE)))
    except (OSError, ValueError):
        return None
    shim, monotonic = note.get("shim"), amount(note.get("monotonic"))
    if not _names_one(shim) or monotonic is None:
        return None
    pid = note["pid"] if _names_one(note.get("pid")) else None
    return AliveNote(shim, pid, monotonic, note.get("swept") is True)


def nothing_begun(run_dir: str) -> bool:
    """Whether the shim has told of no session: the room for its note is blank, or the note names none.

    What a session has scribbled there or taken away says that there was one; and so do the logs, which are
    made before it: it may be quicker than the note.
    """
    try:
        note = files.read(f"{run_dir}/alive", _ALIVE_SIZE)
    except (OSError, ValueError):
        return False
    return not (files.exists(f"{run_dir}/stdout.log") or (note.strip() and b'"pid": null' not in note))


def _names_one(pid: object) -> TypeGuard[int]:
    """Whether this is one process's number: a session may have scribbled there, and -1 is everybody's."""
    return type(pid) is int and pid > 1


def request_end(run_dir: str) -> bool:
    """Ask the shim for its ladder; False where no shim lives, or none has written its note yet.

    Write `ending.json` first: a shim looks for it once its note is written, so no request gets lost between.
    """
    note = read_alive(run_dir)
    # The note is the shim's own; locked with a handle on that process in hand, it can't be anybody else's.
    if note is None or not process_tree.send(note.shim, signal.SIGUSR1, lambda: is_alive(run_dir)):
        return False
    # A stopped shim would never hear it.
    process_tree.send(note.shim, signal.SIGCONT, lambda: is_alive(run_dir))
    return True


def ended(status: int, at: float, monotonic: float, peak_rss: int, cpu_s: float) -> ExitRecord:
    """The same record, told by the shim itself."""
    code = os.waitstatus_to_exitcode(status)
    return ExitRecord(
        code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        peak_rss=peak_rss,
        cpu_s=cpu_s,
        ended_at=at,
        monotonic=monotonic,
    )


def exit_record(run_dir: str) -> ExitRecord | None:
    """The record of the run's end; None where there is none (yet)."""
    try:
        names = [name for name in os.listdir(run_dir) if name.startswith("exit.") and name != "exit.pending"]
    except OSError as error:
        if error.errno in _NOTHING_THERE:
            return None
        raise
    if not names:
        return None
    word = min(names).removeprefix("exit.")
    facts = _facts(f"{run_dir}/{min(names)}")
    if _counts(word.removeprefix("-")):
        return ExitRecord(code=int(word), **facts)
    if word.startswith("sig") and _counts(word[3:]):
        return ExitRecord(signal=int(word[3:]), **facts)
    what, _, number = word.partition("-")
    return ExitRecord(spawn_error=number or "EIO", spawn_what={"spawn": "binary"}.get(what, what), **facts)


def _counts(digits: str) -> bool:
    """Whether this is a number: a session can give its record any name."""
    return digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS


def _facts(path: str) -> dict[str, Any]:
    try:
        facts = mapping(json.loads(files.read(path, 4096)))
    except (OSError, ValueError, RecursionError):
        return {}
    found = {
        "peak_rss": whole(facts.get("peak_rss")),
        "cpu_s": amount(facts.get("cpu_s")),
        "ended_at": _moment(facts.get("at")),
        "monotonic": amount(facts.get("monotonic")),
    }
    # All of it or none: what a session has scribbled there is not to be picked from.
    return {} if None in found.values() else found


def _moment(at: object) -> float | None:
    """When it ended; the first shims wrote seconds since the epoch."""
    if not isinstance(at, str):
        return epoch(at)
    try:
        return parse_rfc3339(at)
    except ValueError:
        return None
