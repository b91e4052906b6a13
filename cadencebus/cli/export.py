"""`cadence export`: what waits, what died and what is remembered, as one file."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from cadencebus import __version__
from cadencebus.desk.lookup import names
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, safe
from cadencebus.errors import CantCreate, Usage
from cadencebus.store import files, fitness, lock, packing

if TYPE_CHECKING:
    from cadencebus.desk.context import Context
    from cadencebus.store.packing import Packed
    from cadencebus.store.paths import Home

EXAMPLES = """  cadence down && cadence export bus.jsonl
  cadence export | ssh elsewhere 'cd bus && cadence import -'
  cadence export | jq -r 'select(.in == "dead") | .tick.outcome.reason'"""
MORE = """JSON lines: ticks of inbox/, deferred/ and dead/, memories, keys and holds; neither what is done nor
prompts/ and cadence.yaml. Nothing is claimed while it is written; nothing is taken away."""


def main(words: list[str], context: Context) -> int:
    """Write it to a file that is not there yet, or to standard output."""
    parser = Parser("export", f"A home's queue as one file, for moving house.\n\n{MORE}", EXAMPLES)
    parser.add_argument("file", nargs="?", default="-", help="a new file; without one, or -, standard output")
    parser.add_argument(
        "--claimed",
        action="store_true",
        help="also what a consumer has in hand, as waiting: it may then run twice",
    )
    asked = parser.parse_args(words)
    home, out = context.home, Output(context)
    fitness.check(home)
    to_file = asked.file != "-"
    if not to_file and sys.stdout.isatty():
        raise Usage("export: to a file or a pipe, not to a terminal", next_step="cadence export FILE")
    packed = _to_file(home, asked.file, claimed=asked.claimed) if to_file else _through(home, asked.claimed)
    if to_file and out.json:
        out.document({"file": asked.file, "counts": packed.counts, "unread": packed.unread})
    elif to_file:
        out.line(f"exported to {asked.file}: {spell(packed.counts)}")
    _warn(out, home, packed, claimed=asked.claimed)
    return 0


def _to_file(home: Home, path: str, *, claimed: bool) -> Packed:
    """Whole or not at all: written beside, synced, then named."""
    part = f"{path}.part"
    try:
        if files.exists(path):
            raise CantCreate(f"{path} is there already", next_step="choose a name that is free")
        files.discard(part)
        with open(part, "xb", opener=_private) as out:
            packed = packing.pack(home, out, time.time(), version=__version__, claimed=claimed)
            out.flush()
            files.sync(out.fileno())
        files.place(part, path)
        files.sync_folder(os.path.dirname(os.path.abspath(path)))
    except OSError as error:
        files.discard(part)
        raise CantCreate(f"{error.filename or path}: {error.strerror}: nothing was exported") from error
    return packed


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, files.FILE_MODE)


def _through(home: Home, claimed: bool) -> Packed:  # noqa: FBT001 - the option as it is
    """Write it aside first: a slow reader must not keep the consumer from claiming."""
    with tempfile.TemporaryFile() as aside:
        packed = packing.pack(home, aside, time.time(), version=__version__, claimed=claimed)
        aside.seek(0)
        shutil.copyfileobj(aside, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    return packed


def _warn(out: Output, home: Home, packed: Packed, *, claimed: bool) -> None:
    for place in packed.unread:
        out.warn(f"state/{safe(place)} can't be read: it stays behind")
    left = sum(1 for file in names(home, "claimed") if file.endswith(".json"))
    if left and not claimed:
        out.warn(f"{left} claimed by a consumer: not in it (cadence run --drain first, or --claimed)")
    if lock.is_held(home):
        out.hint("a consumer is up, and goes on with all of this: before moving house, cadence down")


def spell(counts: dict[str, Any]) -> str:
    """How many of what, in words."""
    words = {
        "inbox": ("ready", "ready"),
        "deferred": ("deferred", "deferred"),
        "dead": ("dead", "dead"),
        "cadences": ("memory", "memories"),
        "keys": ("key", "keys"),
        "holds": ("hold", "holds"),
    }
    told = (
        f"{counts[kind]} {one if counts[kind] == 1 else more}"
        for kind, (one, more) in words.items()
        if counts.get(kind)
    )
    return ", ".join(told) or "nothing"
