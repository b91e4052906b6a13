"""Run the program with one fault put in on purpose: `mutant.py NAME verb …`.

The product itself knows nothing of this: each fault replaces one of its functions from outside. What a
mode can't catch here it would not catch there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cadencebus import clock
from cadencebus.daemon import closing, recovery, settling
from cadencebus.session import launch, life
from cadencebus.store import dedupe, files, inlet, journal, lock, memory, runs, spool, together, tomb

if TYPE_CHECKING:
    from collections.abc import Callable

# So many ticks of the cadence `many` lie in a home that is mixed (torturing/ground.py).
_MANY = 3


def put(fault: object, owner: Any, name: str) -> Any:  # noqa: ANN401
    """Put a fault in place of a function, and give that; AttributeError where the product has it no more."""
    whole = getattr(owner, name)
    setattr(owner, name, fault)
    return whole


def no_folder_sync() -> None:
    """Folders are never synced: a power cut takes names that were spoken of."""
    whole: Any = put(lambda fd: None if _is_folder(fd) else whole(fd), files, "sync")


def no_file_sync() -> None:
    """Files are never synced: a power cut leaves them empty."""
    whole: Any = put(lambda fd: whole(fd) if _is_folder(fd) else None, files, "sync")


def _is_folder(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def _unsynced(folder: str) -> None:
    """One folder of state/ is never synced."""

    def sync_folder(path: str) -> None:
        if os.path.basename(path) != folder:
            whole(path)

    whole = put(sync_folder, files, "sync_folder")


def unsynced_commit() -> None:
    """What follows from a commit is there before the commit is safe."""
    _unsynced("claimed")


def unsynced_key() -> None:
    """A run begins before the key that guards it is safe."""
    _unsynced("keys")


def unsynced_follow_up() -> None:
    """A tick is gone for good before what follows from it is safe."""
    _unsynced("inbox")


def unsynced_record() -> None:
    """A run begins before its folder and its claim are safe."""

    class Hasty(together.Together):
        def sync(self) -> None:
            """Wait for nothing."""

    put(Hasty, runs, "Together")


def unsynced_memory() -> None:
    """A tick is gone for good before its cadence's memory of it is safe."""

    def replace(temporary: str, target: str, data: bytes, *, durable: bool = True) -> None:  # noqa: ARG001
        whole(temporary, target, data, durable=False)

    whole = put(replace, files, "replace")


def unsynced_journal() -> None:
    """A tick is gone for good before the journal tells of it."""

    def write(self: Any, now: float, lines: Any, *, durable: bool = False) -> None:  # noqa: ANN401, ARG001
        whole(self, now, lines)

    whole = put(write, journal.Journal, "write")


def no_commit() -> None:
    """A tick is moved on without what became of it."""
    put(lambda _self, _ticks: None, spool.Spool, "commit")


def copy_then_remove() -> None:
    """A change of state is a copy and a removal: a kill between leaves two."""

    def move(source: str, target: str) -> None:
        if files.exists(target):
            raise FileExistsError(errno.EEXIST, "there", target)
        os.link(source, target, follow_symlinks=False)
        os.unlink(source)

    put(move, files, "move")


def always_dead() -> None:
    """No run is believed to live: a restart runs them all again."""
    put(lambda _run_dir: False, life, "is_alive")
    put(_back_to_inbox, recovery.Recovery, "_unsettled")


def _back_to_inbox(self: Any, file: str, tick: Any) -> None:  # noqa: ANN401, ARG001
    self._gear.spool.again([file])
    self._index.add(file)


def swallowed_errors() -> None:
    """A put that could not be written says that it was."""

    def put_all(home: Any, batch: Any) -> None:  # noqa: ANN401
        try:
            whole(home, batch)
        except Exception:  # noqa: BLE001 - this is the fault
            return

    whole = put(put_all, inlet, "put_all")


def forgotten_plan() -> None:
    """A settled tick is replayed by its old plan though a new run has begun."""
    put(lambda _self, _tick: False, recovery.Recovery, "_begun_since")


def no_reason() -> None:
    """Rubbish is thrown away instead of buried."""
    put(lambda home, folder, file, _fault, _now: os.unlink(f"{home.state}/{folder}/{file}"), tomb, "bury")


def no_lock() -> None:
    """A second consumer does not mind the first."""
    put(lambda _fd: True, lock, "taken")


def no_keys() -> None:
    """A key is never remembered: the same work is done twice."""
    put(lambda *_: None, dedupe, "claim")


def swallowed_commit() -> None:
    """A disk that takes no commit is not noticed: the tick is moved on without its outcome."""

    def commit(self: Any, ticks: Any) -> None:  # noqa: ANN401
        with contextlib.suppress(OSError):
            whole(self, ticks)

    whole = put(commit, spool.Spool, "commit")


def forgotten_strays() -> None:
    """What met an error between its claim and its start lies there until somebody restarts the bus."""
    put(lambda _self, _running: [], recovery.Recovery, "strays")


def looks_in_claimed() -> None:
    """A tick that has been moved is looked for where it was, for ever."""

    def delivered(_self: Any, name: Any, _run: str) -> None:  # noqa: ANN401
        raise FileNotFoundError(errno.ENOENT, "not there", name.file)

    put(delivered, closing.Closing, "delivered")


def freed_keys() -> None:
    """A key that can't be read for a moment counts as free."""
    put(lambda _path: (None, 0.0), dedupe, "_holder")


def _together() -> None:
    """Let the ends of `many` come together: no fault, what is to be seen takes several."""

    def settle_all(self: Any, queue: Any, batch: Any) -> None:  # noqa: ANN401
        until = time.monotonic() + (1.0 if batch[0].cadence.name == "many" else 0.0)
        while time.monotonic() < until and len(batch) + len(queue.waiting) < _MANY:
            time.sleep(0.01)
        whole(self, queue, [*batch, *(queue.waiting.popleft() for _ in range(len(queue.waiting)))])

    whole = put(settle_all, settling.Settling, "_settle_all")


def decided_alone() -> None:
    """Each of the ends that are settled together is decided as if there were no others."""
    _together()
    put(lambda _self, _settlement: None, settling._Foreseen, "learn")  # noqa: SLF001


def last_decided_first() -> None:
    """What a disk kept from being finished is finished from its end: the disk refuses a memory once."""
    _together()
    refused = threading.Event()

    def change_by(self: Any, cadence: str, now: float, changes: Any) -> None:  # noqa: ANN401
        well = [patch for _, patch in changes if "averages" in patch]
        if cadence == "many" and len(well) > 1 and not refused.is_set():
            refused.set()
            raise OSError(errno.EIO, os.strerror(errno.EIO), cadence)
        change(self, cadence, now, changes)

    def finish(self: Any, queue: Any) -> None:  # noqa: ANN401
        queue.unfinished.reverse()
        whole(self, queue)

    change = put(change_by, memory.Memories, "change_by")
    whole = put(finish, settling.Settling, "_finish")


def follows_links() -> None:
    """A symbolic link in inbox/ is opened."""
    put(os.stat, tomb, "regular")
    # What follows is read as if it lay in the home.
    whole: Any = put(
        lambda path, flags, *more, **named: whole(path, flags & ~os.O_NOFOLLOW, *more, **named), os, "open"
    )


# What the launcher, which knows no module of this folder, is to do before it serves.
_JUMPING = """\
import os, time
real = time.time
def wall():
    try:
        with open(os.environ["CADENCE_HOME"] + "/jump") as jump:
            return real() + float(jump.read())
    except (OSError, ValueError):
        return real()
time.time = wall
"""


def clock_jumps() -> None:
    """The wall clock shows what `jump` in the home adds to it: no fault, the mode `clock` wants it."""
    exec(_JUMPING, {})  # noqa: S102 - the very text that the launcher is given
    put(_JUMPING + launch._LAUNCH, launch, "_LAUNCH")  # noqa: SLF001


def wall_watch() -> None:
    """The consumer's watches and waits go by the wall clock."""
    clock_jumps()
    put(clock.SystemClock.wall, clock.SystemClock, "monotonic")


def wall_timeout() -> None:
    """The shim's time-out goes by the wall clock."""
    clock_jumps()
    told = launch._LAUNCH.replace("time.time = wall", "time.time = time.monotonic = wall")  # noqa: SLF001
    put(told, launch, "_LAUNCH")


FAULTS: dict[str, Callable[[], None]] = {
    "no-folder-sync": no_folder_sync,
    "no-file-sync": no_file_sync,
    "unsynced-commit": unsynced_commit,
    "unsynced-key": unsynced_key,
    "unsynced-follow-up": unsynced_follow_up,
    "unsynced-record": unsynced_record,
    "unsynced-memory": unsynced_memory,
    "unsynced-journal": unsynced_journal,
    "no-commit": no_commit,
    "copy-then-remove": copy_then_remove,
    "always-dead": always_dead,
    "swallowed-errors": swallowed_errors,
    "forgotten-plan": forgotten_plan,
    "no-reason": no_reason,
    "no-lock": no_lock,
    "no-keys": no_keys,
    "freed-keys": freed_keys,
    "swallowed-commit": swallowed_commit,
    "forgotten-strays": forgotten_strays,
    "looks-in-claimed": looks_in_claimed,
    "decided-alone": decided_alone,
    "last-decided-first": last_decided_first,
    "follows-links": follows_links,
    "clock": clock_jumps,
    "wall-watch": wall_watch,
    "wall-timeout": wall_timeout,
}


def main() -> int:
    """Put the fault in, then run the command line."""
    from cadencebus.cli.main import main as cadence  # noqa: PLC0415 - after the fault is in

    FAULTS[sys.argv[1]]()
    return cadence(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
