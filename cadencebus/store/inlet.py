"""Putting a tick in: written, synced, named, synced; only then is it accepted.

`cadence enqueue` lives on this module alone, so it imports nothing that takes time. Three answers:
the id (accepted), CantCreate (refused, nothing is visible), IOTrouble (don't know: the name is there,
its folder's fsync failed).
"""

from __future__ import annotations

import errno
import os
import time

from cadencebus.clock import rfc3339, stamp
from cadencebus.errors import BadData, CantCreate, IOTrouble, TryLater
from cadencebus.model.naming import SUFFIX, Name, crockford, deferred_name, name_of
from cadencebus.store import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cadencebus.store.paths import Home


def new_id(now: float) -> str:
    """A fresh id: the instant, and forty random bits."""
    return f"{stamp(now)}-{crockford(os.urandom(5))}"


def small_tick(tick_id: str, cadence: str, source: str, now: float, more: str = "") -> bytes:
    """Spell the simplest tick without the json module; `more` is ready-made JSON members."""
    # Every value here is of a checked alphabet, so nothing needs escaping.
    return (
        f'{{"schema": 1, "id": "{tick_id}", "cadence": "{cadence}", "source": "{source}", '
        f'"created_at": "{rfc3339(now)}"{more}}}\n'
    ).encode()


def put_small(
    home: Home,
    cadence: str,
    *,
    source: str = "cli",
    priority: int | None = None,
    more: str = "",
    not_before: float | None = None,
    most: int | None = None,
) -> str:
    """Accept one tick whose members are already JSON, and give its id; BadData if it is over `most` bytes."""
    now = time.time()
    tick_id = new_id(now)
    if priority is not None:
        more += f', "priority": {priority}'
    if not_before is not None:
        more += f', "not_before": "{rfc3339(not_before)}"'
    data = small_tick(tick_id, cadence, source, now, more)
    if most is not None:
        check_size(data, most)
    name = name_of(tick_id, cadence, 5 if priority is None else priority)
    put(home, name, data, due=not_before if not_before is not None and not_before > now else None)
    return tick_id


def check_size(data: bytes, most: int) -> None:
    """Refuse what a consumer would bury for its size."""
    if len(data) > most:
        raise BadData(
            f"a tick of {len(data)} bytes, where {most} are allowed",
            next_step="name a file in the payload instead",
        )


def target_of(home: Home, name: Name, due: float | None) -> str:
    """Where a new tick belongs: ready, or waiting for its time."""
    return (
        f"{home.inbox}/{name.file}" if due is None else f"{home.deferred}/{deferred_name(stamp(due), name)}"
    )


def put(home: Home, name: Name, data: bytes, *, due: float | None = None) -> None:
    """Accept one tick, durably."""
    put_all(home, [(name, data, due)])


def put_all(home: Home, batch: Sequence[tuple[Name, bytes, float | None]]) -> None:
    """Accept many ticks at the price of one folder sync: all of them, or none."""
    try:
        written = [(_beside(home, name), target_of(home, name, due)) for name, _, due in batch]
        _write([(at, data) for (at, _), (_, data, _) in zip(written, batch, strict=True)])
    except OSError as error:
        if error.errno == errno.ENOENT and _furnished(home):
            put_all(home, batch)
            return
        raise CantCreate(
            f"{error.filename or home.tmp}: {error.strerror or error}: nothing was accepted",
            next_step=_mend_first(error),
        ) from error
    _link(written)
    try:
        files.sync_folders(os.path.dirname(target) for _, target in written)
    except OSError as error:
        raise IOTrouble(
            f"{error.filename or home.inbox}: {error.strerror or error} after it was named: it may be kept",
            next_step="look with `cadence ls`; enqueuing again with the same --key is safe",
        ) from error
    for temporary, _ in written:
        files.discard(temporary)


def _furnished(home: Home) -> bool:
    """Whether the home was a bare one, which has its folders now."""
    from cadencebus.store import make_home  # noqa: PLC0415 - the first time in a fresh clone

    return make_home.furnish(home)


def _write(contents: Sequence[tuple[str, bytes]]) -> None:
    if len(contents) == 1:
        files.write_new(*contents[0])
        return
    from cadencebus.store import together  # noqa: PLC0415 - dearer than all that a single tick needs

    together.write_many(contents)


def check_room(home: Home, limit: int, wanted: int) -> None:
    """Refuse what would make the queue longer than `max_inbox`; 0 is no limit."""
    if not has_room(home, limit, wanted):
        raise TryLater(
            f"the queue is full: max_inbox is {limit}", next_step="wait, or raise max_inbox in cadence.yaml"
        )


def has_room(home: Home, limit: int, wanted: int) -> bool:
    """Whether so many more would keep the queue within `max_inbox`."""
    return not limit or sum(1 for name in os.listdir(home.inbox) if name.endswith(SUFFIX)) + wanted <= limit


def _beside(home: Home, name: Name) -> str:
    """Where to write a tick before it gets its name in the queue."""
    path = f"{home.tmp}/{name.file}"
    # A killed producer may have left half of it there: that must not refuse the same id for ever.
    return f"{path}.{os.urandom(4).hex()}" if files.exists(path) else path


def _link(written: list[tuple[str, str]]) -> None:
    """Name them all; where one name can't be given, take back those that were."""
    linked: list[str] = []
    try:
        for temporary, target in written:
            os.link(temporary, target, follow_symlinks=False)
            linked.append(target)
    except OSError as error:
        taken_back = [_take_back(target) for target in linked].count(False) == 0
        for temporary, _ in written:
            files.discard(temporary)
        if taken_back and error.errno is not None:
            raise CantCreate(
                f"{error.filename2 or error.filename}: {error.strerror}: nothing was accepted",
                next_step="give each tick an id of its own, or none"
                if isinstance(error, FileExistsError)
                else _mend_first(error),
            ) from error
        raise IOTrouble(
            f"{error}: some ticks of the batch may already run", next_step="look with `cadence ls`"
        ) from error


def _mend_first(error: OSError) -> str:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT}
    return f"{'free some space' if full else 'cadence doctor says what to fix'}; then enqueue again"


def _take_back(target: str) -> bool:
    """Withdraw a tick that was named but never acknowledged; False where the consumer was faster."""
    try:
        os.unlink(target)
    except OSError:
        return False
    return True
