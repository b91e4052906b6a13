"""Taking in what `packing` wrote: all of it or nothing, nothing that is there overwritten.

No path is ever taken from the file: each is made of a folder of ours and a name that was taken apart and
found in order, so there is no way out of the home.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339
from cadencebus.errors import BadData, CantCreate, IOTrouble, Misconfigured
from cadencebus.model import strictjson
from cadencebus.model.naming import RAW, is_cadence, parse_name
from cadencebus.store import files, together
from cadencebus.store.packing import FORMAT, check_remembered, fitting, is_hold, is_key, queued_name
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cadencebus.model.naming import Name
    from cadencebus.store.paths import Home

MOST_BYTES = 128 << 20
_AT_ONCE = 500
_QUEUE = ("inbox", "deferred", "dead")


@dataclass(slots=True)
class Taken:
    """What became of the lines."""

    new: dict[str, int] = field(default_factory=dict)
    # Ids that are here already, and what else was there before and stays.
    duplicates: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    cadences: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file to be: where, with what; a link where `link` says to what."""

    place: str
    data: bytes = b""
    link: str = ""
    at: float = 0.0


def unpack(home: Home, lines: Iterable[bytes], agree: Callable[[Taken], bool] = lambda _: True) -> Taken:
    """Check every line, write all aside, then give all their names; BadData names the line that is wrong.

    `agree` sees what would be done, and says whether it is.
    """
    taken, items = Taken(), dict[str, Item]()
    present = _present(home)
    for number, kind, name, item in _read(lines):
        if name is not None and kind != "dead":
            taken.cadences.add(name.cadence)
        if name is not None and name.id in present:
            if not item.place.endswith(RAW):
                taken.duplicates.append(name.id)
        elif (name is None or item.place.endswith(RAW)) and files.exists(f"{home.state}/{item.place}"):
            taken.kept.append(item.place)
        elif item.place in items:
            raise BadData(f"line {number}: {item.place} for the second time: nothing was imported")
        else:
            taken.new[kind] = taken.new.get(kind, 0) + 1
            items[item.place] = item
    if agree(taken):
        # What is remembered comes first; and raw bytes before the letter that tells of them.
        order = ("cadences/", "keys/", "holds/", "dead/", "deferred/", "inbox/")
        _put(home, sorted(items.values(), key=lambda item: (_rank(item, order), item.place)))
    return taken


def _rank(item: Item, order: tuple[str, ...]) -> tuple[int, bool]:
    return (
        next(at for at, folder in enumerate(order) if item.place.startswith(folder)),
        not item.place.endswith(RAW),
    )


def _present(home: Home) -> set[str]:
    """Every id that is somewhere in the home."""
    spool = Spool(home)
    found = set[str]()
    for folder in ("deferred", "inbox", "claimed", "dead", *(f"done/{day}" for day in spool.done_days())):
        for file in spool.names(folder):
            name = parse_name(file.rpartition("~")[2])
            if name is not None:
                found.add(name.id)
    return found


# --- reading -------------------------------------------------------------------------------------


def _read(lines: Iterable[bytes]) -> Iterator[tuple[int, str, Name | None, Item]]:
    counts: dict[str, int] = {}
    end: Any = None
    for number, text in enumerate(lines, 1):
        with _at(number):
            line = _object(text)
            if end is not None:
                raise BadData("more after the end")
            if number == 1:
                _check_head(line)
                continue
            if "end" in line:
                end = line["end"]
                continue
            kind, name, item = _item(line)
        counts[kind] = counts.get(kind, 0) + 1
        yield number, kind, name, item
    if end != counts:
        raise BadData("the file is cut off, or was changed by hand: nothing was imported")


@contextlib.contextmanager
def _at(number: int) -> Iterator[None]:
    """Say in which line something is wrong."""
    try:
        yield
    except Misconfigured:
        raise
    except (BadData, ValueError, KeyError, TypeError, AttributeError) as error:
        said = error.message if isinstance(error, BadData) else f"{type(error).__name__}: {error}"
        raise BadData(f"line {number}: {said}: nothing was imported") from None


def _object(text: bytes) -> dict[str, Any]:
    if len(text) > MOST_BYTES:
        raise BadData(f"more than {MOST_BYTES} bytes")
    line = strictjson.loads(text, max_depth=strictjson.MAX_DEPTH + 2)
    if not isinstance(line, dict):
        raise BadData("not an object")
    return line


def _check_head(line: dict[str, Any]) -> None:
    if line.get("cadencebus") != "export":
        raise BadData("not an export of cadencebus")
    if line.get("format") != FORMAT:
        raise Misconfigured(
            f"the export has format {line.get('format')!r}: this version knows {FORMAT}",
            next_step="upgrade cadencebus",
        )


def _item(line: dict[str, Any]) -> tuple[str, Name | None, Item]:
    """What a line stands for; every part of a path is checked here."""
    kind = line["in"]
    if kind in _QUEUE:
        return (kind, *_queued(kind, str(line["file"]), line))
    if kind == "cadences":
        if not is_cadence(line["cadence"]) or not isinstance(line["memory"], dict):
            raise BadData(f"{line['cadence']!r} can't name a cadence, or its memory is not an object")
        check_remembered(line["memory"])
        data = strictjson.dumps(line["memory"])
        return kind, None, Item(place=f"cadences/{line['cadence']}.json", data=data)
    if kind == "holds":
        if not is_hold(line["file"]) or not isinstance(line["hold"], dict):
            raise BadData(f"{line['file']!r} can't name a hold, or it is not an object")
        return kind, None, Item(place=f"holds/{line['file']}", data=strictjson.dumps(line["hold"]))
    if kind == "keys":
        if not is_key(line["key"], line["tick"]):
            raise BadData("not a key")
        at = parse_rfc3339(line["at"])
        return kind, None, Item(place=f"keys/{line['key']}", link=line["tick"], at=at)
    raise BadData(f"{kind!r} is not a part of a home")


def _queued(kind: str, file: str, line: dict[str, Any]) -> tuple[Name | None, Item]:
    name = queued_name(kind, file)
    if "tick" in line:
        if name is None or not isinstance(line["tick"], dict):
            raise BadData(f"{file!r} can't name a tick")
        return name, Item(place=f"{kind}/{file}", data=strictjson.dumps(fitting(line["tick"], name)))
    try:
        data = base64.b64decode(line["bytes"], validate=True)
    except binascii.Error:
        raise BadData("bytes: not base64") from None
    if name is not None:
        return name, Item(place=f"{kind}/{file}", data=data)
    if kind == "dead":
        raise BadData(f"{file!r} can't name a dead letter")
    # What a producer had put in under a name of its own: the consumer gives it one, or buries it.
    own = hashlib.sha256(f"{kind}/{file}\0".encode() + data).hexdigest()[:16]
    return None, Item(place=f"inbox/imported-{own}.json", data=data)


# --- writing -------------------------------------------------------------------------------------


def _put(home: Home, items: list[Item]) -> None:
    """Write all aside and sync it before the first is given its name; a failure takes every name back."""
    aside = {item.place: f"{home.tmp}/import.{os.getpid()}.{at}" for at, item in enumerate(items)}
    named: list[str] = []
    try:
        _write_aside([(aside[item.place], item.data) for item in items if not item.link])
        for item in items:
            _name(aside[item.place], f"{home.state}/{item.place}", item)
            named.append(f"{home.state}/{item.place}")
        files.sync_folders(os.path.dirname(target) for target in named)
    except OSError as error:
        _take_back(named, error)
        raise CantCreate(
            f"{error.filename2 or error.filename}: {error.strerror}: nothing was imported",
            next_step="fix that, then import again",
        ) from error
    finally:
        for path in aside.values():
            files.discard(path)


def _write_aside(contents: list[tuple[str, bytes]]) -> None:
    for path, _ in contents:
        files.discard(path)
    for start in range(0, len(contents), _AT_ONCE):
        together.write_many(contents[start : start + _AT_ONCE])


def _name(path: str, target: str, item: Item) -> None:
    if item.link:
        os.symlink(item.link, target)
        os.utime(target, (item.at, item.at), follow_symlinks=False)
    else:
        files.place(path, target)


def _take_back(named: list[str], error: OSError) -> None:
    for target in reversed(named):
        try:
            os.unlink(target)
        except OSError:
            raise IOTrouble(
                f"{error}: some of it is already in use",
                next_step="import again: what is there is left alone",
            ) from error
    with contextlib.suppress(OSError):
        files.sync_folders(os.path.dirname(target) for target in named)
