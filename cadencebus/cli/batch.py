"""`cadence enqueue --batch`: many ticks, all or none, durable as a whole before an id is printed."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.cli import doorman, output
from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.errors import BadData, CadenceError
from cadencebus.model import strictjson
from cadencebus.model.naming import Name, name_of
from cadencebus.model.tick import BadTick, read_members
from cadencebus.store import inlet
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.cli.context import Context

_LIMIT = 1 << 20


def put_batch(path: str, context: Context) -> int:
    """Read, check all, put all, print the ids."""
    known: set[str] = set()
    warned: set[str] = set()
    batch: list[tuple[Name, bytes, float | None]] = []
    prompts = Prompts(context.home)
    for number, line in _lines(path):
        try:
            members = _members(line)
            if members["cadence"] not in known:
                doorman.known(context.home, members["cadence"])
                known.add(members["cadence"])
        except CadenceError as error:
            raise type(error)(
                f"{path}:{number}: {error.message}: nothing was accepted", next_step=error.next_step
            ) from None
        batch.append(_tick(members))
        _warn(members, number, prompts, warned, context)
    doorman.room(context.home, len(batch))
    inlet.put_all(context.home, batch)
    for name, _, _ in batch:
        line_out = f'{{"id": "{name.id}", "cadence": "{name.cadence}"}}' if context.json else name.id
        sys.stdout.write(line_out + "\n")
    return 0


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    source = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115 - closed below
    with source:
        for number, line in enumerate(source, 1):
            if line.strip():
                yield number, line


def _members(line: bytes) -> dict[str, Any]:
    if len(line) > _LIMIT:
        raise BadData(f"{len(line)} bytes, where {_LIMIT} are allowed")
    try:
        return read_members(line)
    except BadTick as error:
        raise BadData(error.message) from None


def _tick(members: dict[str, Any]) -> tuple[Name, bytes, float | None]:
    now = time.time()
    tick_id = members.get("id") or inlet.new_id(now)
    name = name_of(tick_id, members["cadence"], members.get("priority", 5))
    due = parse_rfc3339(members["not_before"]) if members.get("not_before") else None
    whole = {"schema": 1, "id": tick_id, "source": "cli", **members}
    whole.setdefault("created_at", rfc3339(now))
    return name, strictjson.dumps(whole), due if due is not None and due > now else None


def _warn(members: dict[str, Any], number: int, prompts: Prompts, warned: set[str], context: Context) -> None:
    if members.get("expires_at") and parse_rfc3339(members["expires_at"]) <= time.time():
        output.hint(f"line {number}: already expired: it will be finished as expired", quiet=context.quiet)
    name = members["cadence"]
    if name in warned:
        return
    warned.add(name)
    try:
        if not prompts.load(name).enabled:
            output.hint(f"line {number}: {name} is disabled: its ticks wait", quiet=context.quiet)
    except (CadenceError, OSError) as error:
        output.hint(f"line {number}: {error}", quiet=context.quiet)
