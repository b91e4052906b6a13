"""The producer's side as a library: `Bus(home).enqueue("brief", payload={…})`."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from cadencebus.errors import NoSuch
from cadencebus.model.naming import is_cadence
from cadencebus.model.tick import Tick, check_members
from cadencebus.store.inlet import new_id, put_all
from cadencebus.store.paths import Home, find_home

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Bus:
    """A bus home to put ticks into; what it accepts is on disk before it answers."""

    def __init__(self, home: str | os.PathLike[str] | None = None) -> None:
        self._home: Home = find_home(None if home is None else os.fspath(home), os.environ)

    def enqueue(self, cadence: str, **members: Any) -> str:  # noqa: ANN401
        """Put one tick in, durably, and give its id.

        Members: payload, priority, key, not_before and expires_at (epoch seconds), source, force.
        """
        return self.enqueue_many([{"cadence": cadence, **members}])[0]

    def enqueue_many(self, ticks: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put many ticks in at the price of one folder sync: all of them, or none; their ids."""
        now = time.time()
        made = [self._tick(dict(members), now) for members in ticks]
        put_all(self._home, [(tick.name, tick.bytes(), _due(tick, now)) for tick in made])
        return [tick.id for tick in made]

    def _tick(self, members: dict[str, Any], now: float) -> Tick:
        members.setdefault("source", "python")
        tick = Tick(id=new_id(now), created_at=now, **members)
        # The consumer's own check, here, where the caller still can mend it.
        check_members(tick.dump())
        if not is_cadence(tick.cadence) or not os.path.exists(self._home.prompt(tick.cadence)):
            raise NoSuch(f"no cadence {tick.cadence!r} in {self._home.prompts}")
        return tick


def _due(tick: Tick, now: float) -> float | None:
    return tick.not_before if tick.not_before is not None and tick.not_before > now else None
