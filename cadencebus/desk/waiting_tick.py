"""Cancelling or changing a waiting tick, under the lock that every claim takes.

The whole move happens under one lock. Writing first and moving later would let the consumer, which reads
a tick before it claims it, run what its owner was just told is cancelled.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from cadencebus.clock import day, rfc3339
from cadencebus.desk import tick_size
from cadencebus.desk.journaling import tell
from cadencebus.errors import BadData, NoSuch, TryLater
from cadencebus.model.tick import BadTick, Tick
from cadencebus.store import files, inlet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cadencebus.desk.lookup import Found
    from cadencebus.store.spool import Spool

CANCELLED = "cancelled"


def read(spool: Spool, found: Found) -> Tick:
    """What a waiting tick says; an error where it is gone or is no tick."""
    with _gone(found):
        return spool.read(found.folder, found.file)


def cancel(spool: Spool, found: Found, reason: str) -> None:
    """Finish a waiting tick as `cancelled`: written, moved to done/, told, in this order."""
    now = time.time()
    home, file = spool.home, found.name.file
    outcome = {
        "status": CANCELLED,
        "class": CANCELLED,
        "reason": reason,
        "finished_at": rfc3339(now),
    }
    folder = f"{home.done}/{day(now)}"
    with _in_hand(spool, found) as tick:
        # A crash from here on leaves the outcome in inbox/: the consumer moves it to done/ for us.
        _replace(spool, file, tick.ended(outcome).settled_by(None))
        if files.make_folder(folder):
            files.sync_folder(home.done)
        files.move(f"{home.inbox}/{file}", f"{folder}/{file}")
        files.sync_folders([folder, home.inbox])
    facts = {"event": "tick.done", "cadence": tick.cadence, "tick": tick.id, "attempt": len(tick.attempts)}
    tell(home, facts | outcome, at=now)


def change(spool: Spool, found: Found, changed: Callable[[Tick], Tick]) -> Tick:
    """Replace a waiting tick by what the function makes of it as it lies there now."""
    home = spool.home
    with _in_hand(spool, found) as before:
        after = changed(before)
        tick_size.check(spool, after)
        moved = after.not_before != before.not_before
        due = after.not_before if moved else found.due
        target = inlet.target_of(home, after.name, due if due is not None and due > time.time() else None)
        _replace(spool, found.name.file, after)
        source = f"{home.inbox}/{found.name.file}"
        if target != source:
            files.move(source, target)
        files.sync_folders([os.path.dirname(target), home.inbox])
    return after


@contextlib.contextmanager
def _in_hand(spool: Spool, found: Found) -> Iterator[Tick]:
    """Hold the tick fast in inbox/, where nobody claims it while the lock is held."""
    home = spool.home
    here = f"{home.inbox}/{found.name.file}"
    with spool.moving():
        if found.state == "deferred":
            # Left in deferred/, it could become due, and move, under our hands. Should we die now, the
            # consumer sees that it is not due yet and puts it back.
            with _gone(found):
                files.move(f"{home.deferred}/{found.file}", here)
            files.sync_folders([home.inbox, home.deferred])
        try:
            with _gone(found):
                tick = spool.read("inbox", found.name.file)
            yield tick
        except BaseException:
            if found.state == "deferred":
                with contextlib.suppress(OSError):
                    files.move(here, f"{home.deferred}/{found.file}")
            raise


@contextlib.contextmanager
def _gone(found: Found) -> Iterator[None]:
    """Say what a missing or mistaken file means to whoever wanted to handle it."""
    try:
        yield
    except (FileNotFoundError, FileExistsError):
        # What was put off may be due by now: then it is in inbox/ already.
        raise NoSuch(
            f"{found.name.id} is not waiting any more: it was taken meanwhile",
            next_step=f"cadence show {found.name.random}",
        ) from None
    except BadTick as fault:
        raise BadData(f"state/{found.place}: {fault.message}: the consumer will bury it") from None


def _replace(spool: Spool, file: str, tick: Tick) -> None:
    temporary = f"{spool.home.tmp}/hand.{os.getpid()}.{file}"
    files.replace(temporary, f"{spool.home.inbox}/{file}", tick.bytes())


def changed_meanwhile(found: Found) -> TryLater:
    """The error for a tick that is not what the person was shown."""
    return TryLater(
        f"{found.name.id} was changed by somebody else meanwhile: nothing was changed",
        next_step=f"cadence edit {found.name.random}",
    )
