"""A home's waiting, dead and remembered state as one file of JSON lines.

{"cadencebus": "export", "format": 1, "layout": 1, "at": …, "version": …}
{"in": "inbox" | "deferred" | "dead", "file": …, "tick": {…}}      a tick, or a dead letter
{"in": "inbox" | "deferred" | "dead", "file": …, "bytes": …}       what is no tick, in base64
{"in": "cadences", "cadence": …, "memory": {…}}
{"in": "keys", "key": …, "tick": …, "at": …}
{"in": "holds", "file": …, "hold": {…}}
{"end": {"inbox": 3, …}}                                           without it the file is cut off
"""

from __future__ import annotations

import base64
import contextlib
import os
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.model import strictjson
from cadencebus.model.hold import parse_hold_name
from cadencebus.model.naming import RAW, SUFFIX, name_in
from cadencebus.model.tick import BadTick, read_members
from cadencebus.store import files
from cadencebus.store.corrupt import load_object
from cadencebus.store.memory import Memory
from cadencebus.store.paths import LAYOUT
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.store.paths import Home

FORMAT = 1
_LIMIT = 64 << 20
Line = dict[str, Any]


@dataclass(slots=True)
class Packed:
    """How many lines of each kind there are, and which files could not be read."""

    counts: dict[str, int] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)


def pack(home: Home, out: IO[bytes], now: float, *, version: str, claimed: bool = False) -> Packed:
    """Write the whole of it as it is at this moment; nothing is claimed meanwhile.

    `claimed` takes along, as waiting, what a consumer had in hand.
    """
    packed = Packed()
    counts = packed.counts
    head = {"cadencebus": "export", "format": FORMAT, "layout": LAYOUT, "at": rfc3339(now)}
    out.write(strictjson.dumps(head | {"version": version}))
    spool = Spool(home)
    with spool.moving():
        for line in _lines(home, spool, packed.unread, claimed=claimed):
            out.write(strictjson.dumps(line))
            counts[line["in"]] = counts.get(line["in"], 0) + 1
    out.write(strictjson.dumps({"end": counts}))
    return packed


def _lines(home: Home, spool: Spool, unread: list[str], *, claimed: bool) -> Iterator[Line]:
    # What is remembered comes first: it must be there before the first tick is.
    yield from _memories(home, unread)
    yield from _keys(home)
    yield from _holds(home, unread)
    seen: set[str] = set()
    # In the direction in which ticks move: one that becomes due meanwhile is met twice, not missed.
    for folder in ("deferred", *(("claimed",) if claimed else ()), "inbox", "dead"):
        for file in sorted(spool.names(folder)):
            tick_file = file.rpartition("~")[2]
            if folder != "dead" and tick_file in seen:
                continue
            if (line := _tick(home, folder, file, unread)) is not None:
                seen.add(tick_file)
                yield line


def _tick(home: Home, folder: str, file: str, unread: list[str]) -> Line | None:
    """A file of one of the queue's folders; None for what is still being written, or nobody's business."""
    ends = (SUFFIX, SUFFIX + RAW) if folder == "dead" else (SUFFIX,)
    if file.startswith(".") or not file.endswith(ends):
        return None
    try:
        data = files.read(f"{home.state}/{folder}/{file}", _LIMIT)
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        # A folder, a device, a link: nothing that could be taken along.
        unread.append(f"{folder}/{file}")
        return None
    line: Line = {
        "in": "inbox" if folder == "claimed" else folder,
        "file": os.fsencode(file).decode("utf-8", "replace"),
    }
    if name_in(file):
        with contextlib.suppress(BadTick):
            return line | {"tick": read_members(data)}
    return line | {"bytes": base64.b64encode(data).decode("ascii")}


def _keys(home: Home) -> Iterator[Line]:
    for key in sorted(os.listdir(home.keys)):
        path = f"{home.keys}/{key}"
        with contextlib.suppress(OSError):
            yield {
                "in": "keys",
                "key": key,
                "tick": os.readlink(path),
                "at": rfc3339(os.lstat(path).st_mtime),
            }


def _memories(home: Home, unread: list[str]) -> Iterator[Line]:
    for cadence in Memory(home).names():
        if (members := _object(home, f"cadences/{cadence}.json", unread)) is not None:
            yield {"in": "cadences", "cadence": cadence, "memory": members}


def _holds(home: Home, unread: list[str]) -> Iterator[Line]:
    for file in sorted(os.listdir(home.holds)):
        if parse_hold_name(file) and (members := _object(home, f"holds/{file}", unread)) is not None:
            yield {"in": "holds", "file": file, "hold": members}


def _object(home: Home, place: str, unread: list[str]) -> dict[str, Any] | None:
    try:
        return load_object(f"{home.state}/{place}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        # Corrupt is never empty: whoever moves house is told what stays behind.
        unread.append(place)
        return None
