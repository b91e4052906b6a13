"""Run the program with one fault put in on purpose: `mutant.py NAME verb …`.

The product itself knows nothing of this: each fault replaces one of its functions from outside. What a
mode can't catch here it would not catch there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from cadencebus import clock
from cadencebus.daemon import closing, recovery
from cadencebus.session import launch
from cadencebus.store import files, inlet, keys, lock, spool, tomb

if TYPE_CHECKING:
    from collections.abc import Callable


def no_folder_sync() -> None:
    """Folders are never synced: a power cut takes names that were spoken of."""
    files.sync_folder = lambda _path: None  # type: ignore[assignment]


def no_file_sync() -> None:
    """Files are never synced: a power cut leaves them empty."""
    whole = files.write_new
    files.write_new = lambda path, data, *, durable=True: whole(path, data, durable=False)  # noqa: ARG005


def copy_then_remove() -> None:
    """A change of state is a copy and a removal: a kill between leaves two."""

    def move(source: str, target: str) -> None:
        if files.exists(target):
            raise FileExistsError(errno.EEXIST, "there", target)
        os.link(source, target, follow_symlinks=False)
        os.unlink(source)

    files.move = move  # type: ignore[assignment]


def always_dead() -> None:
    """No run is believed to live: a restart runs them all again."""
    launch.is_alive = lambda _run_dir: False  # type: ignore[assignment]
    recovery.Recovery._unsettled = _back_to_inbox  # type: ignore[method-assign]  # noqa: SLF001


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

    whole = inlet.put_all
    inlet.put_all = put_all  # type: ignore[assignment]


def forgotten_plan() -> None:
    """A settled tick is replayed by its old plan though a new run has begun."""
    recovery.Recovery._begun_since = lambda _self, _tick: False  # type: ignore[method-assign]  # noqa: SLF001


def no_reason() -> None:
    """Rubbish is thrown away instead of buried."""
    tomb.bury = lambda home, folder, file, _fault, _now: os.unlink(f"{home.state}/{folder}/{file}")  # type: ignore[assignment]


def no_lock() -> None:
    """A second consumer does not mind the first."""
    lock._taken = lambda _fd: True  # noqa: SLF001


def no_keys() -> None:
    """A key is never remembered: the same work is done twice."""
    keys.claim = lambda *_: None  # type: ignore[assignment]


def swallowed_commit() -> None:
    """A disk that takes no commit is not noticed: the tick is moved on without its outcome."""
    whole = spool.Spool.commit

    def commit(self: Any, ticks: Any) -> None:  # noqa: ANN401
        with contextlib.suppress(OSError):
            whole(self, ticks)

    spool.Spool.commit = commit  # type: ignore[method-assign]


def forgotten_strays() -> None:
    """What met an error between its claim and its start lies there until somebody restarts the bus."""
    recovery.Recovery.strays = lambda _self, _aloft: []  # type: ignore[method-assign]


def looks_in_claimed() -> None:
    """A tick that has been moved is looked for where it was, for ever."""

    def delivered(_self: Any, name: Any, _run: str) -> None:  # noqa: ANN401
        raise FileNotFoundError(errno.ENOENT, "not there", name.file)

    closing.Closing.delivered = delivered  # type: ignore[assignment, method-assign]


def freed_keys() -> None:
    """A key that can't be read for a moment counts as free."""
    keys._holder = lambda _path: (None, 0.0)  # noqa: SLF001


def follows_links() -> None:
    """A symbolic link in inbox/ is opened."""
    real = os.open
    # What follows is read as if it lay in the home.
    os.open = lambda path, flags, *more, **named: real(path, flags & ~os.O_NOFOLLOW, *more, **named)  # type: ignore[assignment]


def clock_jumps() -> None:
    """The wall clock shows what `jump` in the home adds to it: no fault, the mode `clock` wants it."""
    real = clock.SystemClock.wall

    def wall(self: clock.SystemClock) -> float:
        try:
            return real(self) + float(Path(os.environ["CADENCE_HOME"], "jump").read_text())
        except (OSError, ValueError):
            return real(self)

    clock.SystemClock.wall = wall  # type: ignore[method-assign]


FAULTS: dict[str, Callable[[], None]] = {
    "no-folder-sync": no_folder_sync,
    "no-file-sync": no_file_sync,
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
    "follows-links": follows_links,
    "clock": clock_jumps,
}


def main() -> int:
    """Put the fault in, then run the command line."""
    from cadencebus.cli.main import main as cadence  # noqa: PLC0415 - after the fault is in

    FAULTS[sys.argv[1]]()
    return cadence(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
