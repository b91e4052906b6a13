"""The producer's side as a library: `Bus(home).enqueue("brief", payload={…})`.

As durable as the command: when it answers, the tick is on disk. Three things can happen instead, each
an exception: refused (CantCreate, NoSuch, BadData: nothing is visible), not now (TryLater: the queue is
full), don't know (IOTrouble: enqueuing again with the same key is safe).
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cadencebus.clock import parse_rfc3339, rfc3339
from cadencebus.errors import BadData
from cadencebus.model import strictjson
from cadencebus.model.naming import DEFAULT_PRIORITY, Name, is_id, name_of
from cadencebus.model.tick import SCHEMA, BadTick, check_members, read_members
from cadencebus.store import files, inlet
from cadencebus.store.config import LiveSettings
from cadencebus.store.paths import Home, find_home
from cadencebus.store.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Moment = datetime | timedelta | float | str
# What the bus itself writes into a tick: a producer that does so mistakes what it is doing.
NOT_FOR_PRODUCERS = ("attempts", "outcome", "settling")
_TIMES = ("not_before", "expires_at", "created_at")


class Bus:
    """A bus home to put ticks into."""

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        """Find the home as the command does: this one, `$CADENCE_HOME`, or the nearest one upward."""
        self._home: Home = find_home(None if home is None else os.fspath(home), os.environ)
        self._prompts = Prompts(self._home)
        self._settings = LiveSettings(self._home, lenient=True)
        self._maker = Maker("python", os.environ)

    def enqueue(
        self,
        cadence: str,
        *,
        payload: Mapping[str, Any] | None = None,
        key: str | None = None,
        priority: int | None = None,
        not_before: Moment | None = None,
        expires_at: Moment | None = None,
        source: str = "python",
        force: bool = False,
    ) -> str:
        """Put one tick in, durably, and give its id.

        A moment is a datetime (without a zone: local), a timedelta from now, epoch seconds or RFC 3339.
        """
        members: dict[str, Any] = {"cadence": cadence, "source": source}
        given = {"payload": payload, "key": key, "priority": priority, "not_before": not_before}
        given |= {"expires_at": expires_at, "force": force or None}
        return self.enqueue_many([members | {k: v for k, v in given.items() if v is not None}])[0]

    def enqueue_many(self, ticks: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put many ticks in at the price of one folder sync: all of them, or none; their ids.

        Each is a mapping with the keys of a tick's file, `{"cadence": "brief", "payload": {…}}`.
        """
        self._settings.refresh()
        batch = [self._made(dict(members)) for members in ticks]
        inlet.check_room(self._home, self._settings.current.max_inbox, len(batch))
        inlet.put_all(self._home, batch)
        return [name.id for name, _, _ in batch]

    def _made(self, members: dict[str, Any]) -> Made:
        for key in _TIMES:
            if members.get(key) is not None:
                members[key] = _spelled(key, members[key])
        made = self._maker.make(members)
        try:
            # What the consumer will read must be what was meant: {1: …, "1": …} is two keys here, one there.
            read_members(made[1])
        except BadTick as fault:
            raise BadData(fault.message) from None
        inlet.check_size(made[1], self._settings.current.max_tick_bytes)
        if not files.exists(self._home.prompt(made[0].cadence)):
            # Raises, and knows which name may have been meant.
            self._prompts.load(made[0].cadence)
        return made


Made = tuple[Name, bytes, float | None]


class Maker:
    """Makes files of what producers say: complete, checked as the consumer will, with ids in order."""

    def __init__(self, source: str, environ: Mapping[str, str]) -> None:
        self._defaults = {"source": source, **parentage(environ)}
        self._last = 0

    def make(self, members: Mapping[str, Any]) -> Made:
        """The name, the bytes and the due time of one tick; BadData says what is wrong with it."""
        for key in NOT_FOR_PRODUCERS:
            if members.get(key):
                raise BadData(f"{key}: only the bus itself writes that")
        # Ids sort by time, and a batch must start in its own order, even if the clock stands still or steps
        # back. In whole microseconds: a float that grows by one may name the same one twice.
        self._last = max(time.time_ns() // 1000, self._last + 1)
        now = self._last / 1_000_000
        fresh = {"schema": SCHEMA, "id": inlet.new_id(now), "created_at": rfc3339(now)}
        whole: dict[str, Any] = fresh | self._defaults | dict(members)
        if "hops" in self._defaults:
            # A run that could say "0 hops" could call itself for ever.
            whole["hops"] = self._defaults["hops"]
        try:
            check_members(whole)
            data = strictjson.dumps(whole)
        except BadTick as fault:
            raise BadData(fault.message) from None
        except (TypeError, ValueError, RecursionError) as error:
            raise BadData(f"not to be spelled as JSON: {error}") from None
        due = whole.get("not_before") and parse_rfc3339(whole["not_before"])
        name = name_of(whole["id"], whole["cadence"], whole.get("priority", DEFAULT_PRIORITY))
        return name, data, due if due and due > now else None


def parentage(environ: Mapping[str, str]) -> dict[str, Any]:
    """What a tick inherits that is enqueued inside a run: it is a child, one hop further."""
    if "CADENCE_TICK_ID" not in environ:
        return {}
    hops = environ.get("CADENCE_HOPS", "0")
    child: dict[str, Any] = {"hops": (int(hops) if hops.isascii() and hops.isdigit() else 0) + 1}
    if is_id(environ["CADENCE_TICK_ID"]):
        child["parent"] = environ["CADENCE_TICK_ID"]
    return child


def _spelled(key: str, moment: Moment) -> str:
    try:
        if isinstance(moment, timedelta):
            moment = datetime.now(UTC) + moment
        if isinstance(moment, datetime):
            moment = moment.timestamp()
        return moment if isinstance(moment, str) else rfc3339(moment)
    except (TypeError, ValueError, OverflowError):
        raise BadData(f"{key}: {moment!r} is not a moment") from None
