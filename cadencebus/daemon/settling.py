"""Settling the ends of runs: those that end while others of their cadence are being settled go together.

One after the other they would wait for the disk seven times each; together they wait seven times in all.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.model.memory import bus_memory, cadence_memory, credentials_memory
from cadencebus.model.naming import is_cadence
from cadencebus.model.settlement import Remembered
from cadencebus.policy.settle import settle
from cadencebus.store.memory import foreseen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.daemon.closing import Closing
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.naming import Name
    from cadencebus.model.settlement import RunFacts, Settlement
    from cadencebus.model.tick import Tick
    from cadencebus.policy.classes import Verdict
    from cadencebus.store.config import LiveSettings
    from cadencebus.store.holds import Holds
    from cadencebus.store.memory import Memories

# Cadences that share a queue are settled together, too.
_QUEUES = 64
# Each is decided a moment after the one before, so that a restart finds the order in their times.
_A_MOMENT = 1e-6


@dataclass(slots=True, kw_only=True)
class End:
    """A run that is over and judged, and what became of its tick."""

    tick: Tick
    verdict: Verdict
    cadence: Cadence
    credentials: str
    facts: RunFacts
    at: float
    settlement: Settlement | None = None
    error: Exception | None = None


class Settling:
    """Decides upon one end after the other, and has the disk take those that wait together."""

    def __init__(self, closing: Closing, memory: Memories, holds: Holds, settings: LiveSettings) -> None:
        self._closing = closing
        self._memory = memory
        self._holds = holds
        self._settings = settings
        self._rng = random.Random()  # noqa: S311 - it spreads the tries, it guards nothing
        self._queues = [_Queue() for _ in range(_QUEUES)]
        # Who changes a memory that cadences share is alone from the decision until it is written.
        self._shared = threading.Lock()

    def settle(self, end: End) -> Settlement:
        """Settle an end in a thread that may wait: with this call, or with another that took it along."""
        queue = self._queue_of(end.cadence.name)
        queue.waiting.append(end)
        # One batch at a time: two runs that fail together are two failures, not twice the first.
        with queue.turn:
            if end.settlement is None and end.error is None:
                self._settle_all(queue, [queue.waiting.popleft() for _ in range(len(queue.waiting))])
        if end.error is not None:
            raise end.error
        if end.settlement is None:
            raise AssertionError("an end was neither settled nor refused")
        return end.settlement

    def resumed(self, cadence: str, run: str) -> Settlement | None:
        """How a run settled that was decided upon when the disk refused; None where no tick says so.

        Whatever the disk kept from being finished is finished first, as it was decided.
        """
        queue = self._queue_of(cadence)
        with queue.turn:
            self._finish(queue)
            found = queue.finished.pop(run, None)
        if isinstance(found, Exception):
            raise found
        return found

    def forget(self, cadence: str, file: str) -> None:
        """Leave what was refused of a tick's end to whoever finds the tick: its own thread has given up.

        It may be claimed for another run by then, and what was decided about this one must not move it.
        """
        queue = self._queue_of(cadence)
        with queue.turn:
            queue.unfinished = deque(left for left in queue.unfinished if left[0].file != file)

    def _queue_of(self, cadence: str) -> _Queue:
        return self._queues[hash(cadence) % _QUEUES]

    def _finish(self, queue: _Queue) -> None:
        while queue.unfinished:
            name, run = queue.unfinished[0]
            try:
                queue.finished[run] = self._closing.delivered(name, run)
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001 - its own thread is told, the others go on
                queue.finished[run] = error
            queue.unfinished.popleft()

    def _settle_all(self, queue: _Queue, batch: list[End]) -> None:
        decided: list[tuple[End, Settlement]] = []
        try:
            self._finish(queue)
            decided = self._decided(batch)
            if any(_concerns_others(settlement) for _, settlement in decided):
                with self._shared:
                    # Anew: another queue may just have changed what all cadences remember together.
                    decided = self._decided([end for end, _ in decided])
                    self._close(decided)
            else:
                self._close(decided)
        except OSError as error:
            # Each thread is told, waits for the disk, and asks how far its own has come.
            queue.unfinished += [(end.tick.name, settlement.run) for end, settlement in decided]
            for end in batch:
                end.error = end.error or error
        except Exception:  # noqa: BLE001 - it is one end's: whose it is shows when each goes on by itself
            for end, settlement in decided:
                self._settle_alone(queue, end, settlement)
        else:
            for end, settlement in decided:
                end.settlement = settlement

    def _close(self, decided: list[tuple[End, Settlement]]) -> None:
        if decided:
            self._closing.close(*((end.tick, settlement) for end, settlement in decided))

    def _decided(self, batch: list[End]) -> list[tuple[End, Settlement]]:
        decided = []
        memories = _Foreseen(self._memory)
        at = 0.0
        for end in batch:
            at = max(end.at, at + _A_MOMENT)
            try:
                decided.append((end, self._decide(end, memories, at)))
            except Exception as error:  # noqa: BLE001 - one that can't be decided upon stops no other
                end.error = error
        return decided

    def _settle_alone(self, queue: _Queue, end: End, settlement: Settlement) -> None:
        try:
            # What was committed together is not committed again: it may have left claimed/ meanwhile.
            if self._closing.delivered(end.tick.name, settlement.run) is None:
                self._closing.close((end.tick, settlement))
            end.settlement = settlement
        except OSError as error:
            queue.unfinished.append((end.tick.name, settlement.run))
            end.error = error
        except Exception as error:  # noqa: BLE001 - nobody but this end's own thread is told
            end.error = error

    def _decide(self, end: End, memories: _Foreseen, at: float) -> Settlement:
        remembered = Remembered(
            cadence=cadence_memory(memories.of(end.cadence.name, at)),
            credentials=credentials_memory(memories.of(f"_credentials-{end.credentials}", at)),
            bus=bus_memory(memories.of("_bus", at)),
            usd_per_day=self._settings.current.max_usd_per_day,
            holds=self._holds.known,
        )
        settlement = settle(
            end.tick, end.verdict, end.cadence, end.credentials, end.facts, remembered, now=at, rng=self._rng
        )
        memories.learn(settlement)
        return settlement


def _concerns_others(settlement: Settlement) -> bool:
    """Whether it changes what cadences remember together; money alone is added up where it is written."""
    shared = (patch for name, patch in settlement.memory.items() if not is_cadence(name))
    return any(patch.keys() != {"booking"} for patch in shared)


class _Queue:
    """The ends that wait, and whose turn it is."""

    def __init__(self) -> None:
        self.waiting: deque[End] = deque()
        self.turn = threading.Lock()
        # What was decided upon and met a disk that refused, in order; and what became of it then, by runs.
        self.unfinished: deque[tuple[Name, str]] = deque()
        self.finished: dict[str, Settlement | Exception | None] = {}


class _Foreseen:
    """What is remembered, as each end of a batch leaves it to the next one."""

    def __init__(self, memory: Memories) -> None:
        self._memory = memory
        self._known: dict[str, Mapping[str, Any]] = {}

    def of(self, name: str, at: float) -> Mapping[str, Any]:
        if name not in self._known:
            self._known[name] = self._memory.load(name, at)
        return self._known[name]

    def learn(self, settlement: Settlement) -> None:
        for name, patch in settlement.memory.items():
            self._known[name] = foreseen(name, self.of(name, settlement.at), patch, run=settlement.run)
