"""`cadence edit`: change a waiting tick."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from cadencebus.cli.finding import WAITING, Found, find
from cadencebus.cli.moments import parse_moment
from cadencebus.cli.options import Parser
from cadencebus.cli.payload import payload_of
from cadencebus.clock import rfc3339
from cadencebus.errors import BadData, TryLater
from cadencebus.model import strictjson
from cadencebus.model.tick import BadTick, Tick, read_members, tick_of
from cadencebus.store.spool import Spool

if TYPE_CHECKING:
    from argparse import Namespace

    from cadencebus.cli.context import Context


def main(words: list[str], context: Context) -> int:
    """Change a tick by options, or in $EDITOR."""
    parser = Parser(
        "edit",
        "Change a waiting tick: by options, or its JSON in $EDITOR.",
        "  cadence edit 7f3k --priority 1\n  cadence edit 7f3k --set week=48\n  cadence edit 7f3k",
    )
    parser.add_argument("tick", help="its id, or any unique part of it")
    parser.add_argument("--priority", type=int, choices=range(10), metavar="N", help="0 first, 9 last")
    parser.add_argument("--not-before", metavar="TIME", help="not due until then")
    parser.add_argument("--payload", metavar="JSON|@FILE|-", help="another payload")
    parser.add_argument("--set", action="append", metavar="k=v", help="one member of the payload")
    asked = parser.parse_args(words)
    spool, found = Spool(context.home), find(context.home, asked.tick, WAITING)
    try:
        tick = spool.read(found.folder, found.file)
        members = _by_options(tick, asked) if _has_options(asked) else _by_editor(tick)
        changed = _checked(members, tick, found)
        spool.rewrite(found.folder, found.file, changed)
    except FileNotFoundError:
        raise TryLater(f"{found.name.id} is not waiting any more: the consumer was faster") from None
    if changed.priority != found.name.priority and found.state == "inbox":
        spool.rename("inbox", found.file, changed.name.file)
    if found.state == "inbox" and changed.not_before is not None and changed.not_before != tick.not_before:
        spool.defer(changed.name.file, changed.not_before)
    sys.stdout.write(f"{found.name.id} changed\n")
    return 0


def _has_options(asked: Namespace) -> bool:
    return any(value is not None for value in (asked.priority, asked.not_before, asked.payload, asked.set))


def _by_options(tick: Tick, asked: Namespace) -> dict[str, Any]:
    members = tick.dump()
    if asked.priority is not None:
        members["priority"] = asked.priority
    if asked.not_before is not None:
        members["not_before"] = rfc3339(parse_moment(asked.not_before))
    if asked.payload is not None or asked.set:
        options = {"set": asked.set or []} | ({"payload": [asked.payload]} if asked.payload else {})
        new = strictjson.loads(payload_of(options).encode())
        members["payload"] = (
            new if asked.payload else {**members["payload"], **(new if isinstance(new, dict) else {})}
        )
    return members


def _by_editor(tick: Tick) -> dict[str, Any]:
    import json  # noqa: PLC0415 - only where a person edits

    with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="cadence-", encoding="utf-8") as file:
        json.dump(tick.dump(), file, indent=2, ensure_ascii=False)
        file.flush()
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        if subprocess.run([*shlex.split(editor), file.name], check=False).returncode != 0:  # noqa: S603 - the operator's own editor
            raise BadData("the editor failed: nothing was changed")
        with open(file.name, "rb") as edited:
            return _read(edited.read())


def _read(data: bytes) -> dict[str, Any]:
    try:
        return read_members(data)
    except BadTick as error:
        raise BadData(f"{error.message}: nothing was changed") from None


def _checked(members: dict[str, Any], tick: Tick, found: Found) -> Tick:
    checked = _read(strictjson.dumps(members))
    if checked.get("id", tick.id) != tick.id or checked["cadence"] != tick.cadence:
        raise BadData("id and cadence can't be changed: rm it and enqueue another")
    name = found.name if found.state == "deferred" else found.name.at(checked.get("priority", tick.priority))
    return tick_of(checked, name, born=tick.created_at)
