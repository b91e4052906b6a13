"""The machine's time zone, by its name where it has one: a laptop that travels changes it while we run."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import struct
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCALTIME = "/etc/localtime"
_DATABASE = "/zoneinfo/"
_LIMIT = 1 << 20


def local_zone(environ: Mapping[str, str] | None = None, localtime: str = LOCALTIME) -> tzinfo:
    """What `TZ` says, else `/etc/localtime`; UTC where neither can be understood, as the C library has it."""
    said = (os.environ if environ is None else environ).get("TZ")
    if said is None:
        return _in_file(localtime)
    word = said.removeprefix(":")
    if word.startswith("/"):
        return _in_file(word)
    return (word and (_named(word) or _ruled(word))) or UTC


def _named(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    # A folder's name, such as `Europe`, ends as an OSError, a path as a ValueError.
    except (KeyError, ValueError, OSError):
        return None


def _in_file(path: str) -> tzinfo:
    """A zone's file; its name is in its path, if it lies in a tz database."""
    _, _, name = os.path.realpath(path).partition(_DATABASE)
    zone = _named(name.removeprefix("posix/").removeprefix("right/")) if name else None
    if zone is not None:
        return zone
    try:
        with open(path, "rb") as file:
            data = file.read(_LIMIT)
        # A copy without a name: its content serves as one, or each restart would look like a change of zone.
        return _made(data, f"local-{hashlib.sha256(data).hexdigest()[:12]}")
    except (OSError, ValueError, struct.error):
        return UTC


def _ruled(rule: str) -> ZoneInfo | None:
    """A rule such as `CET-1CEST,M3.5.0,M10.5.0/3`: the tail of a zone's file whose table is empty."""
    if not rule.isascii() or not rule.isprintable():
        return None
    # Two headers, each with one type of local time and its one-byte name: UTC, until the rule begins.
    header = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 1) + bytes(6) + b"\0"
    try:
        return _made(header * 2 + b"\n" + rule.encode() + b"\n", rule)
    except (ValueError, struct.error):
        return None


@functools.lru_cache(maxsize=8)
def _made(data: bytes, key: str) -> ZoneInfo:
    """A zone without a place in the database; the same bytes are the same zone, as names are."""
    return ZoneInfo.from_file(io.BytesIO(data), key=key)
