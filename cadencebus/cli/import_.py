"""`cadence import`: take in what `cadence export` wrote; all of it or nothing."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from cadencebus.cli.export import spell
from cadencebus.desk.journaling import tell
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output, safe
from cadencebus.errors import BadData, NoSuch
from cadencebus.model.hold import OPERATOR
from cadencebus.store import fitness
from cadencebus.store.prompts import Prompts
from cadencebus.store.unpacking import MOST_BYTES, Taken, unpack

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from cadencebus.desk.context import Context

EXAMPLES = """  cadence import bus.jsonl
  cadence import bus.jsonl --dry-run
  zcat bus.jsonl.gz | cadence import -"""
MORE = """Ids stay as they are. What is here already is never overwritten: a tick whose id is known is
reported as a duplicate; a memory, key or hold that is here stays. Importing twice is the same as once."""
_SHOWN = 5


def main(words: list[str], context: Context) -> int:
    """Check all of it, then take it in durably."""
    parser = Parser("import", f"Take in what `cadence export` wrote.\n\n{MORE}", EXAMPLES)
    parser.add_argument("file", help="the export; - for standard input")
    parser.add_argument("--dry-run", action="store_true", help="check it, and say what would be done")
    parser.add_argument(
        "--unknown", action="store_true", help="also ticks of cadences that have no file here: they will die"
    )
    asked = parser.parse_args(words)
    home, out = context.home, Output(context)
    fitness.check(home)
    known = set(Prompts(home).names())

    def agree(taken: Taken) -> bool:
        missing = sorted(taken.cadences - known)
        if missing and not asked.unknown:
            raise NoSuch(
                f"no such cadence here: {', '.join(missing[:_SHOWN])}{' …'[: len(missing) > _SHOWN]}: "
                "nothing was imported",
                next_step="copy their files into prompts/ first (or --unknown, and they go to dead/)",
            )
        return not asked.dry_run

    try:
        taken = unpack(home, _lines(asked), agree)
    except BadData as error:
        where = "standard input" if asked.file == "-" else asked.file
        raise BadData(
            f"{where}: {error.message}", next_step="name a file that `cadence export` wrote"
        ) from None
    if not asked.dry_run and taken.new:
        tell(home, {"event": "home.imported", "counts": taken.new, "by": OPERATOR})
    _report(out, taken, dry=asked.dry_run)
    return 0


def _lines(asked: Namespace) -> Iterator[bytes]:
    path: str = asked.file
    try:
        with open(path, "rb") if path != "-" else contextlib.nullcontext(sys.stdin.buffer) as file:
            # Never more of a line than is allowed: a file of two gigabytes may be one line.
            while line := file.readline(MOST_BYTES + 1):
                yield line
    except OSError as error:
        raise NoSuch(f"{path}: {error.strerror}") from None


def _report(out: Output, taken: Taken, *, dry: bool) -> None:
    if out.json:
        out.document(
            {"dry_run": dry, "counts": taken.new, "duplicates": taken.duplicates, "kept": taken.kept}
        )
        return
    out.line(f"{'would import' if dry else 'imported'}: {spell(taken.new)}")
    if taken.duplicates:
        shown = ", ".join(taken.duplicates[:_SHOWN]) + " …"[: len(taken.duplicates) > _SHOWN]
        out.line(f"{len(taken.duplicates)} here already: {shown}")
    for place in taken.kept:
        out.line(f"kept as it is: state/{safe(place)}")
