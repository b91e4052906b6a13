"""Idempotency keys: one link each, named by the key's digest, pointing at the id of the tick that has it."""

from __future__ import annotations

import errno
import hashlib
import os
from typing import TYPE_CHECKING

from cadencebus.model.naming import is_id
from cadencebus.store import files
from cadencebus.store.json_file import set_aside

if TYPE_CHECKING:
    from cadencebus.model.tick import Tick
    from cadencebus.store.paths import Home


def path_of(home: Home, cadence: str, key: str) -> str:
    """Where the link of a cadence's key lies."""
    digest = hashlib.sha256(f"{cadence}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{home.keys}/{digest}"


def claim(home: Home, tick: Tick, window: float, now: float) -> str | None:
    """Take the tick's key, durably; the id of the tick that has it already, if another does."""
    if tick.key is None:
        return None
    path = path_of(home, tick.cadence, tick.key)
    for _ in range(2):
        try:
            os.symlink(tick.id, path)
            # Stamped by the clock that will be asked: the disk's may show another time.
            os.utime(path, (now, now), follow_symlinks=False)
        except FileExistsError:
            holder, taken_at = _holder(path)
            if holder == tick.id:
                break
            if holder is not None and _within(window, taken_at, now):
                return holder
            if holder is None:
                set_aside(path, now)
            else:
                files.discard(path)
            continue
        break
    files.sync_folder(home.keys)
    return None


def used_by(home: Home, tick: Tick, window: float, now: float) -> str | None:
    """The id of another tick that has this one's key; nothing is taken."""
    if tick.key is None:
        return None
    holder, taken_at = _holder(path_of(home, tick.cadence, tick.key))
    return holder if holder != tick.id and _within(window, taken_at, now) else None


def _within(window: float, taken_at: float, now: float) -> bool:
    # A key from the future (the clock stepped back) still counts as inside its window.
    return now - taken_at <= window


def _holder(path: str) -> tuple[str | None, float]:
    try:
        holder, taken_at = os.readlink(path), os.lstat(path).st_mtime
    except OSError as error:
        # Gone, or no link at all. Where the disk refuses, no key becomes free: the error is waited out.
        if error.errno not in {errno.ENOENT, errno.EINVAL}:
            raise
        return None, 0.0
    # A link that names no tick was not made here, and is no reason to leave work undone.
    return (holder if is_id(holder) else None), taken_at
