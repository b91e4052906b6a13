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

from cadencebus.clock import in_calendar, rfc3339
from cadencebus.model import strictjson
from cadencebus.model.hold import parse_hold_name
from cadencebus.model.legible import escaped
from cadencebus.model.memory_keys import check_memory
from cadencebus.model.naming import RAW, SUFFIX, is_id, is_session, parse_deferred, parse_name
from cadencebus.model.tick import LARGEST, BadTick, check_members, read_members
from cadencebus.store import files, runs
from cadencebus.store.json_file import load_object
from cadencebus.store.memory import Memories
from cadencebus.store.paths import LAYOUT
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cadencebus.model.naming import Name
    from cadencebus.store.paths import Home

FORMAT = 1
_HEX = frozenset("0123456789abcdef")
_SHA256 = 64
# No scope and reason of ours make a longer name.
_HOLD_NAME_MOST = 200
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
    yield from _keys(home, unread)
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
        data = files.read(f"{home.state}/{folder}/{file}", LARGEST)
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        # A folder, a device, a link: nothing that could be taken along.
        unread.append(f"{folder}/{escaped(file)}")
        return None
    kind: str | None
    kind, name = "inbox" if folder == "claimed" else folder, queued_name(folder, file)
    if kind == "dead" and name is None:
        # No letter of ours: a consumer would not know what to do with it there, either.
        unread.append(f"{folder}/{escaped(file)}")
        return None
    line: Line = {"in": kind, "file": escaped(file)}
    if name is not None and file.endswith(SUFFIX):
        with contextlib.suppress(BadTick):
            members = fitting(read_members(data), name)
            if folder == "claimed" and _has_ended(home, name, members):
                # Its consumer died before it could move it.
                kind = "dead" if members["outcome"].get("status") == "dead" else None
            return line | {"in": kind, "tick": members} if kind else None
    # The consumer there gives it a name, or buries it, as the one here would have.
    return line | {"bytes": base64.b64encode(data).decode("ascii")}


def _has_ended(home: Home, name: Name, members: Line) -> bool:
    """Whether a claimed tick has its outcome; that of an earlier life does not count while it runs anew."""
    last = runs.latest(home, name.id)
    told = last is None or any(attempt.get("run") == last.id for attempt in members.get("attempts", ()))
    return told and bool(members.get("outcome"))


def queued_name(folder: str, file: str) -> Name | None:
    """The name of a tick in a folder, of a letter or its bytes; None for what is still to be named."""
    if folder == "deferred":
        deferred = parse_deferred(file)
        return deferred and deferred[1]
    return parse_name(file.removesuffix(RAW) if folder == "dead" else file)


def fitting(members: Line, name: Name) -> Line:
    """A tick's members, as they may stand under its name; BadTick says why not."""
    check_members(members)
    if members["cadence"] != name.cadence:
        raise BadTick("misnamed", f"its cadence is {members['cadence']!r}, its name says {name.cadence!r}")
    return members


def check_remembered(members: Line) -> None:
    """Refuse a memory that can't be taken along; ValueError says why."""
    check_memory(members)
    session = members.get("session_id")
    if session is not None and not is_session(session):
        raise ValueError(f"session_id: {session!r} is none")


def is_key(key: str, tick_id: object) -> bool:
    """Whether a link of this name, to this, is a key that can be taken along."""
    return len(key) == _SHA256 and _HEX.issuperset(key) and is_id(tick_id)


def is_hold(file: str) -> bool:
    """Whether a file of this name is a hold that can be taken along; what holds here need not do so there."""
    plain = file.isascii() and file.isprintable() and "/" not in file and len(file) <= _HOLD_NAME_MOST
    return plain and parse_hold_name(file) is not None


def _keys(home: Home, unread: list[str]) -> Iterator[Line]:
    for key in sorted(os.listdir(home.keys)):
        if key.startswith("."):
            continue
        path, tick_id, at = f"{home.keys}/{key}", "", 0.0
        # No link at all is no key.
        with contextlib.suppress(OSError):
            tick_id, at = os.readlink(path), os.lstat(path).st_mtime
        if is_key(key, tick_id):
            yield {"in": "keys", "key": key, "tick": tick_id, "at": rfc3339(in_calendar(at))}
        else:
            unread.append(f"keys/{escaped(key)}")


def _memories(home: Home, unread: list[str]) -> Iterator[Line]:
    for cadence in Memories(home).names():
        if (members := _object(home, f"cadences/{cadence}.json", unread, check_remembered)) is not None:
            yield {"in": "cadences", "cadence": cadence, "memory": members}


def _holds(home: Home, unread: list[str]) -> Iterator[Line]:
    for file in sorted(os.listdir(home.holds)):
        if parse_hold_name(file) is None:
            continue
        if not is_hold(file):
            unread.append(f"holds/{escaped(file)}")
        elif (members := _object(home, f"holds/{file}", unread)) is not None:
            yield {"in": "holds", "file": file, "hold": members}


def _object(
    home: Home, place: str, unread: list[str], check: Callable[[Line], None] = lambda _: None
) -> Line | None:
    try:
        members = load_object(f"{home.state}/{place}")
        check(members)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        # Corrupt is never empty: what can't be taken along is reported.
        unread.append(place)
        return None
    return members
