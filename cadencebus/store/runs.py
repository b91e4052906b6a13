"""Run folders, `runs/<day>/<tick id>.<run>/`: all about one run, durable before it starts."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model import strictjson
from cadencebus.model.naming import parse_run
from cadencebus.store import files
from cadencebus.store.json_file import load_object, set_aside
from cadencebus.store.together import Together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cadencebus.model.tick import Tick
    from cadencebus.store.paths import Home

# Runs that start; and folders in all, those of starts for which the machine had no room among them.
MAX_RUNS, MAX_TRIES = 50, 1000
PENDING = "exit.pending"
_MEDDLED = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENXIO,
    errno.EACCES,
}
_NOTE = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ABSORBED_MOST = 1 << 28
# Room for the session's pid, which is only known when run.json must already be on disk.
_PID_WIDTH = 10


class TooManyRuns(Exception):
    """A tick that has had all the runs it will ever get."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's folder."""

    path: str
    tick_id: str
    number: int

    @property
    def id(self) -> str:
        """The run's id, as CADENCE_RUN_ID and the journal have it."""
        return f"{self.tick_id}.{self.number}"

    def file(self, name: str) -> str:
        """A file of the run."""
        return f"{self.path}/{name}"


def folder(home: Home, tick_id: str, number: int) -> RunFolder:
    """The folder of one run, there or not."""
    return RunFolder(home.run(tick_id, number), tick_id, number)


def named(home: Home, run_id: object) -> RunFolder | None:
    """The folder of the run of this id, there or not; None for what is no run's id."""
    known = parse_run(run_id)
    return folder(home, *known) if known else None


def latest(home: Home, tick_id: str) -> RunFolder | None:
    """The last run a tick ever had; None where it had none."""
    found = None
    for number in range(1, MAX_TRIES + 1):
        if files.exists(home.run(tick_id, number)):
            found = folder(home, tick_id, number)
        elif found is not None or number > 1:
            # One gap is allowed: a first run that gc removed must not hide the second.
            break
    return found


def owner(home: Home, tick_id: str) -> str | None:
    """The cadence whose tick last ran under this id; None where none did, or nobody can say."""
    cadence = record(latest(home, tick_id)).get("cadence")
    return cadence if isinstance(cadence, str) else None


def every(home: Home, tick_id: str) -> Iterator[RunFolder]:
    """All runs of a tick that still have their folder."""
    for number in range(1, MAX_TRIES + 1):
        run = folder(home, tick_id, number)
        if os.path.isdir(run.path):
            yield run


def make(home: Home, tick: Tick) -> RunFolder:
    """Make the next run's folder; a folder that exists is a run that was."""
    day_folder = os.path.dirname(home.run(tick.id, 1))
    if not files.exists(day_folder) and files.make_folder(day_folder):
        files.sync_folder(home.runs)
    before = [known[1] for attempt in tick.attempts if (known := parse_run(attempt.get("run")))]
    most = min(MAX_RUNS + tick.ended_as("no_resources"), MAX_TRIES)
    for number in range(max(before, default=0) + 1, most + 1):
        fresh = folder(home, tick.id, number)
        if files.make_folder(fresh.path):
            return fresh
    raise TooManyRuns(f"{tick.id} has had {MAX_RUNS} runs")


def furnish(
    home: Home, run: RunFolder, tick: bytes, prompt: bytes, record: Mapping[str, Any]
) -> tuple[int, int]:
    """Put all that a run needs to be judged into its folder; where run.json has room for the pid.

    Its tick's claim becomes durable with it. A full disk must stop the start, not the record: the exit
    record is made now and only renamed later.
    """
    data = strictjson.dumps(dict(record))
    room = b'"pid": null'
    at = data.index(room) + len(b'"pid": ')
    data = data.replace(room, room + b" " * (_PID_WIDTH - len(b"null")), 1)
    with Together() as all_of_it:
        all_of_it.write_new(run.file("tick.json"), tick)
        all_of_it.write_new(run.file("prompt.md"), prompt)
        all_of_it.write_new(run.file("run.json"), data)
        all_of_it.write_new(run.file(PENDING), b"")
        all_of_it.add(home.claimed, home.inbox)
        all_of_it.add(run.path)
        all_of_it.add(os.path.dirname(run.path))
        all_of_it.sync()
    return at, _PID_WIDTH


def set_torn_record_aside(run: RunFolder, now: float) -> str | None:
    """Set a run.json that can't be read aside, whole, and say so; None where it is missing, or fine."""
    try:
        load_object(run.file("run.json"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _MEDDLED:
            raise
        with _meddling():
            aside = set_aside(run.file("run.json"), now)
            return f"{os.path.basename(run.path)}: run.json can't be read ({error}); set aside as {aside}"
    return None


def rewrite(run: RunFolder, record: Mapping[str, Any]) -> None:
    """Write the run's record anew, once it is known how it ended."""
    temporary = run.file(".run.json")
    # Where somebody removed the folder there is nothing left to tell of: no reason to hold the tick's end.
    with _meddling():
        files.discard(temporary)
        # Not synced: everything that counts stands in the tick, which is.
        files.write_new(temporary, strictjson.dumps(dict(record)), durable=False)
        os.rename(temporary, run.file("run.json"))


@contextlib.contextmanager
def _meddling() -> Iterator[None]:
    """Let pass what a session did to its own folder: an error that the disk makes is waited out instead."""
    try:
        yield
    except ValueError:
        return
    except OSError as error:
        if error.errno not in _MEDDLED:
            raise


def record(run: RunFolder | None) -> dict[str, Any]:
    """What run.json says; nothing where it is missing or unreadable, or where there is no run."""
    try:
        return load_object(run.file("run.json")) if run else {}
    except (OSError, ValueError):
        return {}


def write_ending(run: RunFolder, ending: Mapping[str, Any]) -> bool:
    """Write down why the run is about to be ended; False where somebody was first.

    On a full disk, or where the session was at its folder, it is ended all the same: better unexplained
    than unending.
    """
    temporary = run.file(f".ending.{os.urandom(4).hex()}")
    try:
        files.write_new(temporary, strictjson.dumps(dict(ending)))
        # Whole or not at all: a run that ends by itself in this very moment is judged by what it says.
        files.place(temporary, run.file("ending.json"))
        files.sync_folder(run.path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS} | _MEDDLED:
            raise
    finally:
        files.discard(temporary)
    return True


def read_ending(run: RunFolder) -> dict[str, Any] | None:
    """Why the bus ended the run, if it did; an empty or torn note still says that it did."""
    try:
        return load_object(run.file("ending.json"), 1 << 16)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in _MEDDLED:
            # There may be no such file; an error of the disk is waited out.
            raise
    # Its writer is gone, or the disk was full: it was ended on purpose all the same, so nothing is counted.
    return {
        "class": "killed",
        "by": "unknown",
        "requeue": True,
        "at": rfc3339(0),
        "detail": "ending.json can't be read",
    }


def absorb(run: RunFolder, tick_ids: list[str]) -> bool:
    """Note durably which waiting ticks this run stands for, before they are finished; False: it can't."""
    noted = False
    with _meddling():
        fd = os.open(run.file("absorbed"), _NOTE, files.FILE_MODE)
        try:
            # A pipe that somebody reads can be written to, and keeps nothing.
            if stat.S_ISREG(os.fstat(fd).st_mode):
                files.write_all(fd, "".join(f"{tick_id}\n" for tick_id in tick_ids).encode())
                files.sync(fd)
                files.sync_folder(run.path)
                noted = True
        finally:
            os.close(fd)
    return noted


def absorbed(home: Home, last: RunFolder) -> list[str]:
    """Every tick that any run of this one's tick stood for, up to this one."""
    ids: dict[str, None] = {}
    for number in range(1, last.number + 1):
        run = folder(home, last.tick_id, number)
        with _meddling():
            lines = files.read(run.file("absorbed"), _ABSORBED_MOST).decode("ascii", "replace").split("\n")
            ids.update(dict.fromkeys(lines[:-1]))
    return list(ids)


def tail(path: str, size: int = 4096) -> bytes:
    """The last bytes of a log; empty where there is none."""
    try:
        end = os.lstat(path).st_size
    except OSError:
        return b""
    return read_at(path, max(0, end - size), size) if end else b""


def head(path: str, size: int = 2048) -> bytes:
    """The first bytes of a log; empty where there is none."""
    return read_at(path, 0, size)


def read_at(path: str, offset: int, size: int) -> bytes:
    """So many bytes of a log from there on; none where a session put something else in its place."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(fd, size, offset)
    except OSError:
        return b""
    finally:
        os.close(fd)


def drop_empty_logs(run: RunFolder) -> None:
    """Remove logs that nothing was written to."""
    for name in ("stdout.log", "stderr.log"):
        with contextlib.suppress(OSError):
            if os.lstat(run.file(name)).st_size == 0:
                os.unlink(run.file(name))
