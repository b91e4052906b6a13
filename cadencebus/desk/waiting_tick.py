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
from cadencebus.store import files, inlet, together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cadencebus.desk.lookup import Found
    from cadencebus.store.paths import Home
    from cadencebus.store.spool import Spool

CANCELLED = "cancelled"


def read(spool: Spool, found: Found) -> Tick:
    """What a waiting tick says; an error where it is gone or is no tick."""
    with _gone(found):
        return spool.read(found.folder, found.file)


def cancel(spool: Spool, several: Sequence[Found], reason: str) -> tuple[list[Found], list[NoSuch | BadData]]:
    """Finish waiting ticks as `cancelled`: written, moved to done/, told, in this order, with few syncs.

    Those that were, and why the others were not.
    """
    now = time.time()
    home, folder = spool.home, f"{spool.home.done}/{day(now)}"
    outcome = {"status": CANCELLED, "class": CANCELLED, "reason": reason, "finished_at": rfc3339(now)}
    with _in_hand(spool, several) as (ticks, refused):
        if not ticks:
            return [], refused
        # A crash from here on leaves the outcome in inbox/: the consumer moves it to done/ for us.
        _replace(spool, [(at.name.file, tick.ended(outcome).without_plan()) for at, tick in ticks.items()])
        if files.make_folder(folder):
            files.sync_folder(home.done)
        for found in ticks:
            files.move(f"{home.inbox}/{found.name.file}", f"{folder}/{found.name.file}")
        files.sync_folders([folder, home.inbox])
    about = ({"cadence": one.cadence, "tick": one.id, "attempt": len(one.attempts)} for one in ticks.values())
    tell(home, *({"event": "tick.done", **facts, **outcome} for facts in about), at=now)
    return list(ticks), refused


def change(spool: Spool, found: Found, changed: Callable[[Tick], Tick]) -> Tick:
    """Replace a waiting tick by what the function makes of it as it lies there now."""
    home = spool.home
    with _in_hand(spool, [found]) as (ticks, refused):
        if refused:
            raise refused[0]
        before = ticks[found]
        after = changed(before)
        tick_size.check(spool, after)
        moved = after.not_before != before.not_before
        due = after.not_before if moved else found.due
        target = inlet.target_of(home, after.name, due if due is not None and due > time.time() else None)
        _replace(spool, [(found.name.file, after)])
        source = f"{home.inbox}/{found.name.file}"
        if target != source:
            files.move(source, target)
        files.sync_folders([os.path.dirname(target), home.inbox])
    return after


@contextlib.contextmanager
def _in_hand(
    spool: Spool, several: Sequence[Found]
) -> Iterator[tuple[dict[Found, Tick], list[NoSuch | BadData]]]:
    """Hold ticks fast in inbox/, where nobody claims them while the lock is held; why not the others."""
    home = spool.home
    ticks: dict[Found, Tick] = {}
    refused: list[NoSuch | BadData] = []
    with spool.moving():
        try:
            for found in several:
                try:
                    ticks[found] = _taken(spool, found)
                except (NoSuch, BadData) as why:
                    refused.append(why)
            if any(found.state == "deferred" for found in ticks):
                files.sync_folders([home.inbox, home.deferred])
            yield ticks, refused
        except BaseException:
            for found in ticks:
                _put_back(home, found)
            raise


def _taken(spool: Spool, found: Found) -> Tick:
    """What a waiting tick says, taken into inbox/.

    Left in deferred/, it could become due, and move, under our hands. Should we die now, the consumer
    sees that it is not due yet and puts it back.
    """
    home = spool.home
    with _gone(found):
        if found.state == "deferred":
            files.move(f"{home.deferred}/{found.file}", f"{home.inbox}/{found.name.file}")
        try:
            return spool.read("inbox", found.name.file)
        except BaseException:
            _put_back(home, found)
            raise


def _put_back(home: Home, found: Found) -> None:
    if found.state == "deferred":
        with contextlib.suppress(OSError):
            files.move(f"{home.inbox}/{found.name.file}", f"{home.deferred}/{found.file}")


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


def _replace(spool: Spool, contents: Sequence[tuple[str, Tick]]) -> None:
    home = spool.home
    temporary = f"{home.tmp}/hand.{os.getpid()}."
    together.write_many((temporary + file, tick.bytes()) for file, tick in contents)
    try:
        for file, _ in contents:
            os.rename(temporary + file, f"{home.inbox}/{file}")
        files.sync_folder(home.inbox)
    except OSError:
        for file, _ in contents:
            files.discard(temporary + file)
        raise


def changed_meanwhile(found: Found) -> TryLater:
    """The error for a tick that is not what the person was shown."""
    return TryLater(
        f"{found.name.id} was changed by somebody else meanwhile: nothing was changed",
        next_step=f"cadence edit {found.name.random}",
    )
