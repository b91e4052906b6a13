"""`cadence enqueue --batch`: many ticks, all or none, durable as a whole before an id is printed."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from cadencebus.bus import Made, Maker
from cadencebus.clock import parse_rfc3339
from cadencebus.desk import enqueue_checks
from cadencebus.desk.output import Output
from cadencebus.errors import BadData, CadenceError, NoSuch
from cadencebus.model import strictjson
from cadencebus.model.wording import count, some
from cadencebus.store import inlet
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

    from cadencebus.desk.context import Context

# How many lines a warning names one by one; the rest is counted.
_NAMED = 5


def put_batch(path: str, context: Context) -> int:
    """Read all, check all, put all, print the ids."""
    settings = enqueue_checks.settings(context.home)
    clerk = _Clerk(context, settings.max_tick_bytes)
    batch = [clerk.take(path, number, line) for number, line in _lines(path, settings.max_tick_bytes)]
    inlet.check_room(context.home, settings.max_inbox, len(batch))
    inlet.put_all(context.home, batch)
    # An id that is printed is a promise: from here on it is kept.
    if context.json:
        sys.stdout.writelines(f'{{"id": "{name.id}", "cadence": "{name.cadence}"}}\n' for name, _, _ in batch)
    else:
        sys.stdout.writelines(f"{name.id}\n" for name, _, _ in batch)
    clerk.warn(settings.defaults)
    return 0


def _lines(path: str, most: int) -> Iterator[tuple[int, bytes]]:
    try:
        with open(path, "rb") if path != "-" else contextlib.nullcontext(sys.stdin.buffer) as file:
            yield from _numbered(file, most)
    except OSError as error:
        raise NoSuch(f"--batch {path}: {error.strerror}") from None


def _numbered(file: BinaryIO, most: int) -> Iterator[tuple[int, bytes]]:
    number = 0
    # Never more of a line than is allowed: a file of two gigabytes may be one line.
    while line := file.readline(most + 2):
        number += 1
        if line.strip():
            yield number, line


class _Clerk:
    """Checks line by line, and remembers what the operator should hear in the end."""

    def __init__(self, context: Context, most: int) -> None:
        self._context = context
        self._most = most
        self._maker = Maker("cli", os.environ)
        self._known: dict[str, int] = {}
        self._ids: set[str] = set()
        self._expired: list[int] = []
        self._now = time.time()

    def take(self, path: str, number: int, line: bytes) -> Made:
        """The tick of one line; an error names the line and refuses the whole batch."""
        try:
            members = self._members(line)
            made = self._maker.make(members)
            self._admit(made, members)
        except CadenceError as error:
            refusal = BadData(f"{path}:{number}: {error.message}: nothing was accepted")
            refusal.exit_code = error.exit_code
            refusal.next_step = error.next_step
            raise refusal from None
        if members.get("expires_at") and parse_rfc3339(members["expires_at"]) <= self._now:
            self._expired.append(number)
        return made

    def _members(self, line: bytes) -> dict[str, Any]:
        if len(line.rstrip(b"\r\n")) > self._most:
            raise BadData(f"more than {self._most} bytes", next_step="name a file in the payload instead")
        members = strictjson.loads(line)
        if not isinstance(members, dict):
            raise BadData('not a JSON object such as {"cadence": "brief"}')
        return members

    def _admit(self, made: Made, members: dict[str, Any]) -> None:
        name = made[0]
        if name.cadence not in self._known:
            enqueue_checks.check_cadence(self._context.home, name.cadence)
        self._known[name.cadence] = self._known.get(name.cadence, 0) + 1
        if "id" in members:
            if name.id in self._ids:
                raise BadData(f"the id {name.id} stands twice in the batch")
            self._ids.add(name.id)

    def warn(self, defaults: Mapping[str, Any]) -> None:
        """Tell of ticks that were accepted and will not run, or not now."""
        out = Output(self._context)
        if self._expired:
            lines = some([str(number) for number in self._expired], _NAMED)
            out.warn(f"warning: line {lines}: already expired, will be finished as `expired`")
        prompts = Prompts(self._context.home, lambda: defaults)
        for name, number in sorted(self._known.items()):
            try:
                if prompts.load(name).enabled:
                    continue
                why = "is disabled"
            except (CadenceError, OSError) as error:
                why = f"can't run as it is: {error}"
            out.warn(f"warning: {name} {why}: its {count(number, 'tick')} will wait")
