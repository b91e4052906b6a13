"""Closing a tick's account: the commit, and the replay of everything that follows from it.

The commit is one rename of the tick, with its plan inside, over its claimed file. All that comes
after is read from that plan and does no more the second time than the first, so a crash anywhere is
mended by doing it again.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.clock import day, parse_rfc3339, rfc3339, stamp
from cadencebus.errors import CantCreate, IOTrouble
from cadencebus.model.hold import cadence_held, hold_event, parse_hold_name
from cadencebus.model.naming import crockford, is_cadence
from cadencebus.model.settlement import Settlement, settlement_of
from cadencebus.model.tick import BadTick, Tick
from cadencebus.store import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cadencebus.model.naming import Name
    from cadencebus.model.settlement import FollowUp, Target
    from cadencebus.store.holds import Holds
    from cadencebus.store.journal import Journal
    from cadencebus.store.memory import Memories
    from cadencebus.store.spool import Spool


class Closing:
    """Commits settlements and replays them."""

    def __init__(self, spool: Spool, holds: Holds, memory: Memories, journal: Journal) -> None:
        self._spool = spool
        self._holds = holds
        self._memory = memory
        self._journal = journal

    def close(self, *ends: tuple[Tick, Settlement]) -> list[Tick]:
        """Commit how the ticks of runs settle and do all that follows; the ticks as they now lie on disk.

        Several share the waits for the disk; they were decided upon in this order.
        """
        settled = [
            tick.settled(settlement.attempt, settlement.dump(), settlement.outcome)
            for tick, settlement in ends
        ]
        self._spool.commit(settled)
        self._replay([(tick, end[1]) for tick, end in zip(settled, ends, strict=True)], again=False)
        return settled

    def replay(self, tick: Tick) -> Settlement:
        """Do what a settled tick in claimed/ says, whatever of it was done before a crash."""
        settlement = settlement_of(tick.settling or {})
        self._replay([(tick, settlement)], again=True)
        return settlement

    def delivered(self, name: Name, run: str) -> Settlement | None:
        """Replay what a tick already says of this run, wherever it lies; None where none does."""
        days = [f"done/{past}" for past in reversed(self._spool.done_days())]
        for place in ("claimed", "inbox", "dead", *days):
            with contextlib.suppress(FileNotFoundError, BadTick):
                tick = self._spool.read(place, name.file)
                if (tick.settling or {}).get("run") == run:
                    break
        else:
            return None
        return self.replay(tick)

    def _replay(self, ends: Sequence[tuple[Tick, Settlement]], *, again: bool) -> None:
        told: list[Mapping[str, Any]] = []
        changes: dict[str, list[tuple[str | None, Mapping[str, Any]]]] = {}
        for tick, settlement in ends:
            applied = self._memory.load(tick.cadence, settlement.at).get("applied", []) if again else []
            if settlement.run not in applied:
                told += self._hold(tick, settlement)
                for name, patch in settlement.memory.items():
                    changes.setdefault(name, []).append((settlement.run, patch))
        now = max(settlement.at for _, settlement in ends)
        # A cadence's own comes last: where that has a run applied, the bus's and the credentials' have it.
        for name in sorted(changes, key=is_cadence):
            self._memory.change_by(name, now, changes[name])
        for tick, settlement in ends:
            told += self._follow(tick, settlement, again=again)
        facts = [fact for tick, settlement in ends for fact in _facts(tick, settlement)]
        self._journal.write(now, facts + told, durable=True)
        self._move(ends)

    def _move(self, ends: Sequence[tuple[Tick, Settlement]]) -> None:
        places: dict[tuple[Target, str], tuple[float, list[str]]] = {}
        for tick, settlement in ends:
            place = (settlement.target, day(settlement.at))
            places.setdefault(place, (settlement.at, []))[1].append(tick.name.file)
        for (target, _), (at, names) in places.items():
            if target == "done":
                self._spool.finish(names, at)
            elif target == "dead":
                self._spool.entomb(names)
            else:
                self._spool.again(names)

    def _hold(self, tick: Tick, settlement: Settlement) -> list[Mapping[str, Any]]:
        told: list[Mapping[str, Any]] = []
        for file in settlement.releases:
            if self._holds.release(file):
                told.append(hold_event("hold.released", file))
            # Told even where there was no hold: a half-open circuit has none.
            told += _circuit_event("circuit.closed", file)
        for hold in settlement.holds:
            if self._holds.spared(hold.file, settlement.at, known=_began(tick)):
                continue
            news = self._holds.worth_telling(hold, settlement.at)
            self._holds.set(hold)
            until = None if hold.until is None else rfc3339(hold.until)
            if news:
                told.append({**hold_event("hold.set", hold.file), "until": until, "detail": hold.detail})
            told += _circuit_event("circuit.opened", hold.file, until=until, detail=hold.detail)
        return told

    def _follow(self, tick: Tick, settlement: Settlement, *, again: bool) -> list[Mapping[str, Any]]:
        told: list[Mapping[str, Any]] = []
        for follow_up in settlement.follow_ups:
            child = _child(tick, settlement, follow_up)
            if len(child.bytes()) > self._spool.max_tick_bytes:
                # Too large a tick would only become a dead letter; its parent still has what is left out.
                child = replace(child, payload={**child.payload, "payload": None})
            if again and self._anywhere(child):
                # The sync of its name may have failed: it must be durable before its parent is.
                files.sync_folder(self._spool.home.inbox)
                continue
            if again:
                # A kill may have left half of it there, which must not be taken for the whole.
                files.discard(f"{self._spool.home.tmp}/{child.name.file}")
            try:
                self._spool.put([child], settlement.at)
            except (CantCreate, IOTrouble) as error:
                # It lies there already: a crash came between putting it and telling of it.
                if not isinstance(error.__cause__, FileExistsError):
                    # These are answers to producers; to the consumer it is a disk that refuses.
                    raise (error.__cause__ or error) from None
            told.append(
                {
                    "event": "tick.accepted",
                    "cadence": child.cadence,
                    "tick": child.id,
                    "source": child.source,
                    "parent": tick.id,
                }
            )
        return told

    def _anywhere(self, child: Tick) -> bool:
        file = child.name.file
        state = self._spool.home.state
        places = ("inbox", "claimed", "dead", *(f"done/{d}" for d in self._spool.done_days()))
        return any(files.exists(f"{state}/{place}/{file}") for place in places)

    def finish_unrun(self, ticks: Iterable[tuple[Tick, str, str]], now: float, **extra: object) -> list[Tick]:
        """Claim and finish ticks that need no run: (tick, status, reason); return those still there."""
        wanted = {tick.name.file: (tick, status, reason) for tick, status, reason in ticks}
        taken = self._spool.claim(list(wanted), durable=False)
        finished = []
        for file in taken:
            tick, status, reason = wanted[file]
            outcome = {
                "status": status,
                "class": status,
                "reason": reason,
                "finished_at": rfc3339(now),
                **extra,
            }
            finished.append(tick.ended(outcome).without_plan())
        if not finished:
            return []
        self._spool.commit(finished)
        self._journal.write(now, [done_event(tick) for tick in finished], durable=True)
        self._spool.finish(taken, now)
        return finished

    def finish_claimed(self, tick: Tick, status: str, reason: str, now: float, **extra: object) -> None:
        """Finish a claimed tick without a run."""
        outcome = {"status": status, "class": status, "reason": reason, "finished_at": rfc3339(now), **extra}
        self.finish_by_outcome(tick.ended(outcome).without_plan(), now)

    def entomb(self, tick: Tick, klass: str, reason: str, now: float) -> None:
        """Bury a claimed tick of which no run can ever start."""
        outcome = {"status": "dead", "class": klass, "reason": reason, "finished_at": rfc3339(now)}
        self.finish_by_outcome(tick.ended(outcome).without_plan(), now)

    def finish_by_outcome(self, tick: Tick, now: float) -> None:
        """Commit a claimed tick with its outcome and move it where it belongs."""
        # A claim becomes durable with its run, and here there is none.
        files.sync_folder(self._spool.home.inbox)
        self._spool.commit([tick])
        self.deliver(tick, now)

    def deliver(self, tick: Tick, now: float) -> None:
        """Write a committed tick's end into the journal, then move it where its outcome says."""
        self._journal.write(now, [done_event(tick)], durable=True)
        if (tick.outcome or {}).get("status") == "dead":
            self._spool.entomb([tick.name.file])
        else:
            self._spool.finish([tick.name.file], now)


def _facts(tick: Tick, settlement: Settlement) -> list[dict[str, Any]]:
    """The journal's word on the end of a run."""
    whose = {"cadence": tick.cadence, "tick": tick.id, "attempt": len(tick.attempts), "run": settlement.run}
    return [{**event, **whose} for event in settlement.events]


def done_event(tick: Tick) -> dict[str, Any]:
    """The journal's word on a tick that has its outcome."""
    outcome = tick.outcome or {}
    return {
        "event": "tick.dead" if outcome.get("status") == "dead" else "tick.done",
        "cadence": tick.cadence,
        "tick": tick.id,
        "attempt": len(tick.attempts),
        "class": outcome.get("class"),
        "status": outcome.get("status"),
        "reason": outcome.get("reason"),
    }


def _circuit_event(event: str, file: str, **more: object) -> list[dict[str, Any]]:
    scope, reason = parse_hold_name(file) or ("", "")
    return [{"event": event, "cadence": cadence_held(scope), **more}] if reason == "circuit_open" else []


def _began(tick: Tick) -> float | None:
    """When the settled run began, to tell whether a hold was released before it or after."""
    with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):
        return parse_rfc3339(tick.attempts[-1]["started_at"])
    return None


def _child(tick: Tick, settlement: Settlement, follow_up: FollowUp) -> Tick:
    """The tick that follows; its id comes from tick, run and name, so a replay makes the same one."""
    seed = hashlib.sha256(
        f"{tick.id}\0{settlement.run}\0{follow_up.why}\0{follow_up.cadence}".encode()
    ).digest()
    mark = {"on_dead_of": tick.id} if follow_up.why == "on_dead" else {"parent": tick.id}
    return Tick(
        id=f"{stamp(settlement.at)}-{crockford(seed[:5])}",
        cadence=follow_up.cadence,
        source="flow",
        created_at=settlement.at,
        payload=follow_up.payload,
        # A tick with one hop too many is made all the same: so a loop ends in dead/, where somebody sees it.
        hops=tick.hops + 1,
        extra=mark,
    )
