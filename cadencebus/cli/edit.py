"""`cadence edit`: change a waiting tick."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.desk import waiting_tick
from cadencebus.desk.lookup import find_waiting
from cadencebus.desk.moments import parse_moment
from cadencebus.desk.options import Parser
from cadencebus.desk.output import Output
from cadencebus.desk.payload import payload_of
from cadencebus.desk.tick_size import spool_of
from cadencebus.errors import BadData, CadenceError, Usage
from cadencebus.model import strictjson
from cadencebus.model.foreign import mapping
from cadencebus.model.tick import BadTick, Tick, read_members, tick_of

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.desk.context import Context
    from cadencebus.desk.lookup import Found
    from cadencebus.store.spool import Spool

EXAMPLES = """  cadence edit 7f3k                        its JSON in $VISUAL or $EDITOR
  cadence edit 7f3k --priority 1 --set week=48
  cadence edit 7f3k --not-before 14:30     or `now`"""
# What a tick is, and what the bus itself wrote: another tick is another file.
FIXED = ("id", "cadence", "created_at", "attempts", "outcome", "settling")


def main(words: list[str], context: Context) -> int:
    """Change a tick by options, or in an editor; what would be no tick changes nothing."""
    asked = _parse(words)
    spool, found = spool_of(context.home), find_waiting(context.home, asked.tick)
    if _has_options(asked):
        most, said = spool.max_tick_bytes, "changed"
        tick = waiting_tick.change(spool, found, lambda tick: _by_options(tick, asked, most))
    else:
        tick, said = _by_editor(spool, found)
    out = Output(context)
    if out.json:
        out.document(tick.dump())
    else:
        out.line(f"{found.name.id} {said}")
    return 0


def _by_editor(spool: Spool, found: Found) -> tuple[Tick, str]:
    """Let a person edit the tick; the text is kept where it can't be taken."""
    editor = _editor()
    before = waiting_tick.read(spool, found)
    path = _written(before)
    _run_editor(editor, path)
    try:
        after = _swapped(spool, found, before, path)
    except CadenceError as error:
        error.next_step = f"your text is kept in {path}"
        raise
    os.unlink(path)
    return after, "stays as it was" if after is before else "changed"


def _swapped(spool: Spool, found: Found, before: Tick, path: str) -> Tick:
    """Put the text in the tick's place, unless that changed meanwhile."""
    with open(path, "rb") as edited:
        wanted = _checked(edited.read(), before)
    if wanted == before:
        return before

    def swapped(now: Tick) -> Tick:
        if now != before:
            raise waiting_tick.changed_meanwhile(found)
        return wanted

    return waiting_tick.change(spool, found, swapped)


def _parse(words: list[str]) -> Namespace:
    parser = Parser("edit", "Change a waiting tick: by options, or as JSON in an editor.", EXAMPLES)
    parser.add_argument("tick", help="its id, or any unique part of it")
    parser.add_argument("--priority", type=int, choices=range(10), metavar="N", help="0 first, 9 last")
    parser.add_argument("--not-before", metavar="TIME", help="not due until then, or `now`")
    parser.add_argument("--payload", metavar="JSON|@FILE|-", help="another payload")
    parser.add_argument("--set", action="append", metavar="k=v", help="one member of the payload")
    return parser.parse_args(words)


def _has_options(asked: Namespace) -> bool:
    return any(value is not None for value in (asked.priority, asked.not_before, asked.payload, asked.set))


def _by_options(tick: Tick, asked: Namespace, most: int) -> Tick:
    members = tick.dump()
    if asked.priority is not None:
        members["priority"] = asked.priority
    if asked.not_before is not None:
        members["not_before"] = None if asked.not_before == "now" else rfc3339(parse_moment(asked.not_before))
    if asked.payload is not None:
        members["payload"] = _payload({"payload": [asked.payload]}, most)
    if asked.set:
        members["payload"] = {**members["payload"], **_payload({"set": asked.set}, most)}
    return _checked(strictjson.dumps(members), tick)


def _payload(options: dict[str, list[str]], most: int) -> dict[str, Any]:
    return mapping(strictjson.loads(payload_of(options, most).encode()))


def _written(tick: Tick) -> str:
    """A file for the editor, with the tick's JSON in it."""
    fd, path = tempfile.mkstemp(suffix=".json", prefix=f"cadence-{tick.name.random}-")
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(tick.dump(), file, indent=2, ensure_ascii=False)
        file.write("\n")
    return path


def _editor() -> str:
    """The editor that somebody chose; the usual one only for somebody who sits there."""
    chosen = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not chosen and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Usage(
            "no terminal to edit at", next_step="say what is to change, as with --set k=v, or set EDITOR"
        )
    return chosen or "vi"


def _run_editor(editor: str, path: str) -> None:
    # Ctrl-C is a key of the editor's then, and no word to us; a handler, unlike SIG_IGN, is not handed down.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        ended = subprocess.run([*shlex.split(editor), path], check=False)  # noqa: S603 - the operator's own
    except (OSError, ValueError) as error:
        os.unlink(path)
        raise Usage(f"the editor {editor!r} can't be started: {error}", next_step="set EDITOR") from None
    finally:
        signal.signal(signal.SIGINT, before)
    if ended.returncode != 0:
        os.unlink(path)
        raise BadData(f"the editor ended with exit {ended.returncode}: nothing was changed")


def _checked(data: bytes, before: Tick) -> Tick:
    """The tick that a text describes, if it is still the same one."""
    try:
        members = read_members(data)
    except BadTick as error:
        raise BadData(f"{error.message}: nothing was changed") from None
    was = before.dump()
    for key in FIXED:
        if members.get(key, was.get(key)) != was.get(key):
            raise BadData(
                f"{key} can't be changed: nothing was changed", next_step="rm it and enqueue another"
            )
    return tick_of(
        {**members, "attempts": was["attempts"]},
        before.name.at(members.get("priority", before.priority)),
        born=before.created_at,
    )
