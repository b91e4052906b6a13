#!/usr/bin/env python3
"""The bus as a small machine, and every state that it can get into.

One tick, its producer, two consumers that both want it, its shims; each step is one that a crash may follow.
Consumers and shims die at any point, the power fails at any point and takes any part of the names that no
sync has made safe. Every reachable state is visited, and must keep the invariants.

    docs/model/bus.py                 explore, then show that each mutant breaks an invariant
    docs/model/bus.py MUTANT          the shortest way to the broken invariant

README.md tells which step stands for which function.
"""

from __future__ import annotations

import sys
from collections import deque
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

INBOX, CLAIMED, DONE, DEAD = FOLDERS = range(4)
NAMES = ("inbox", "claimed", "done", "dead")
MOST_RUNS, RETRIES, DEATHS, POWER_CUTS = 3, 1, 2, 1


class Tick(NamedTuple):
    """What is in the file: the runs it knows of, and the plan of the last settlement."""

    attempts: tuple[tuple[int, bool], ...] = ()
    planned_by: int = 0
    target: int = INBOX


class Run(NamedTuple):
    """A run folder and its shim; `alive` is the lock that only the shim holds."""

    alive: bool = False
    record: str = ""
    durable: bool = False
    folder: bool = True


Shelf = tuple[Tick | None, ...]


class State(NamedTuple):
    """The home as processes see it, what of it is safe, and where everybody is."""

    live: Shelf = (None,) * 4
    safe: Shelf = (None,) * 4
    runs: tuple[Run, ...] = ()
    consumers: tuple[str, str] = ("down", "down")
    locked_by: int = -1
    producer: str = "writing"
    told: frozenset[int] = frozenset()
    deaths: int = 0
    cuts: int = 0
    unmended: bool = False

    def put(self, folder: int, tick: Tick | None) -> State:
        """The same with another entry in a folder, not synced."""
        return self._replace(live=_with(self.live, folder, tick))

    def move(self, source: int, target: int) -> State:
        """One rename(2)."""
        return self.put(target, self.live[source]).put(source, None)

    def sync(self, *folders: int) -> State:
        """What these folders show is what a power cut leaves."""
        safe = tuple(self.live[f] if f in folders else self.safe[f] for f in FOLDERS)
        return self._replace(safe=safe)

    def at(self, who: int, step: str) -> State:
        """The same with a consumer at another step."""
        here = [*self.consumers]
        here[who] = step
        return self._replace(consumers=(here[0], here[1]))

    def run(self, number: int, run: Run) -> State:
        """The same with one run changed, or begun."""
        return self._replace(runs=(*self.runs[:number], run, *self.runs[number + 1 :]))

    def places(self) -> list[int]:
        """The folders that the tick lies in."""
        return [f for f in FOLDERS if self.live[f] is not None]

    def last_run(self) -> int:
        """The number of the newest run whose folder can be seen; 0 where there is none."""
        return max((n for n, run in enumerate(self.runs, 1) if run.folder), default=0)


Step = tuple[str, State]


def _with(shelf: Shelf, folder: int, tick: Tick | None) -> Shelf:
    return (*shelf[:folder], tick, *shelf[folder + 1 :])


class Bus:
    """What each party may do next; a mutant leaves out, or turns round, one thing."""

    def __init__(self, mutant: str = "") -> None:
        self.mutant = mutant

    def steps(self, s: State) -> Iterator[Step]:
        """Every step that may follow."""
        yield from self.produce(s)
        for who in (0, 1):
            for word, after in getattr(self, s.consumers[who])(s, who):
                yield f"consumer {who} {word}", after
            if s.consumers[who] != "down" and s.deaths < DEATHS:
                free = -1 if s.locked_by == who else s.locked_by
                yield (
                    f"consumer {who} is killed",
                    s.at(who, "down")._replace(locked_by=free, deaths=s.deaths + 1),
                )
        for number, run in enumerate(s.runs):
            for word, after in self.shim(s, number, run):
                yield f"shim {number + 1} {word}", after
        yield from self.power_cut(s)

    # --- the producer

    def produce(self, s: State) -> Iterator[Step]:
        """Written and synced in tmp/, linked, the folder synced, said."""
        if s.producer == "writing":
            yield "producer links", s.put(INBOX, Tick())._replace(producer="linked")
        elif s.producer == "linked":
            # What was claimed meanwhile left inbox/, yet is just as safe: one file system, one log.
            synced = s if self.mutant == "say_before_sync" else s.sync(INBOX, *s.places())
            yield "producer syncs and says the id", synced._replace(producer="accepted")

    # --- a consumer

    def down(self, s: State, who: int) -> Iterator[Step]:
        """Up again, if nobody else is."""
        if s.locked_by == -1 or self.mutant == "no_lock":
            yield "starts", s.at(who, "wake")._replace(locked_by=who)

    def wake(self, s: State, who: int) -> Iterator[Step]:
        """Make safe what a former consumer may have left unsynced."""
        # A kill may have come between a rename and its sync: what is seen need not be safe.
        synced = s if self.mutant == "replay_unsynced" else s.sync(INBOX, DONE, DEAD, CLAIMED)
        yield "syncs what it finds", synced.at(who, "mend")

    def mend(self, s: State, who: int) -> Iterator[Step]:
        """The recovery table, row by row."""
        places, last = s.places(), s.last_run()
        if len(places) > 1 and self.mutant != "leave_twins":
            # done or dead over claimed over inbox
            yield f"drops the twin in {NAMES[places[0]]}", s.put(places[0], None)
            return
        s = s._replace(unmended=False)
        tick = s.live[CLAIMED]
        if tick is None:
            yield "has nothing to mend", s.at(who, "idle")
        elif self._settled(tick, last):
            yield "replays the plan", s.at(who, "tell")
        elif not last or (self._known(tick, last) and not s.runs[last - 1].alive):
            yield "gives back", s.move(CLAIMED, INBOX).at(who, "sync_inbox")
        elif s.runs[last - 1].alive and self.mutant != "believe_dead":
            yield "adopts", s.at(who, "watch")
        else:
            yield "finds a run that ended", s.at(who, "judge")

    def _settled(self, tick: Tick, last: int) -> bool:
        if self.mutant == "count_again" or not tick.planned_by:
            return False
        return last <= tick.planned_by or self.mutant == "old_plan"

    def _known(self, tick: Tick, run: int) -> bool:
        return self.mutant != "count_again" and any(number == run for number, _ in tick.attempts)

    def idle(self, s: State, who: int) -> Iterator[Step]:
        """Claim what is ready."""
        if s.live[INBOX] is None:
            return
        if self.mutant == "copy_then_remove":
            yield "copies", s.put(CLAIMED, s.live[INBOX]).at(who, "remove")
        else:
            yield "claims", s.move(INBOX, CLAIMED).at(who, "sync_claim")

    def remove(self, s: State, who: int) -> Iterator[Step]:
        """Only a mutant needs this."""
        yield "removes", s.put(INBOX, None).at(who, "sync_claim")

    def sync_claim(self, s: State, who: int) -> Iterator[Step]:
        """Nothing is spawned before the claim is safe."""
        synced = s if self.mutant == "claim_unsynced" else s.sync(CLAIMED, INBOX)
        yield "syncs the claim", synced.at(who, "board")

    def board(self, s: State, who: int) -> Iterator[Step]:
        """Look once more, then make the run folder, durable."""
        tick, last = s.live[CLAIMED], s.last_run()
        if tick is None:
            yield "finds it gone", s.at(who, "idle")
        elif last and s.runs[last - 1].alive:
            yield "finds the former run alive", s.at(who, "watch")
        elif len(s.runs) >= MOST_RUNS:
            doomed = Tick(tick.attempts, len(s.runs), DEAD)
            yield "gives up: too many runs", s.put(CLAIMED, doomed).at(who, "sync_commit")
        elif self.mutant == "spawn_before_record":
            yield "spawns", s.run(len(s.runs), Run(alive=True, folder=False)).at(who, "note")
        else:
            yield "makes the run folder", s.run(len(s.runs), Run()).at(who, "spawn")

    def note(self, s: State, who: int) -> Iterator[Step]:
        """Only a mutant writes it down after the fact."""
        yield (
            "makes the run folder",
            s.run(len(s.runs) - 1, s.runs[-1]._replace(folder=True)).at(who, "watch"),
        )

    def spawn(self, s: State, who: int) -> Iterator[Step]:
        """The shim holds `alive` from its first moment."""
        yield "spawns", s.run(len(s.runs) - 1, Run(alive=True)).at(who, "watch")

    def watch(self, s: State, who: int) -> Iterator[Step]:
        """Wait until nobody holds `alive`."""
        if not s.runs[s.last_run() - 1].alive:
            yield "sees the end", s.at(who, "judge")

    def judge(self, s: State, who: int) -> Iterator[Step]:
        """Decide by the record, and commit the plan by one rename over the claimed file."""
        tick, last = s.live[CLAIMED], s.last_run()
        if tick is None:
            yield "finds it gone", s.at(who, "idle")
            return
        record = s.runs[last - 1].record
        attempts = (*tick.attempts, (last, record == "failed"))
        failures = sum(counted for _, counted in attempts)
        target = {"ok": DONE, "failed": DEAD if failures > RETRIES else INBOX}.get(record, INBOX)
        settled = Tick(attempts, last, target)
        if self.mutant == "move_before_commit" and target != INBOX:
            yield "moves", s.move(CLAIMED, target).at(who, "late")
        else:
            yield f"commits: {NAMES[target]}", s.put(CLAIMED, settled).at(who, "sync_commit")

    def late(self, s: State, who: int) -> Iterator[Step]:
        """Only a mutant moves what was never committed."""
        yield "never commits", s.at(who, "idle")

    def sync_commit(self, s: State, who: int) -> Iterator[Step]:
        """Nobody is told of what could still be lost."""
        yield "syncs the commit", s.sync(CLAIMED).at(who, "tell")

    def tell(self, s: State, who: int) -> Iterator[Step]:
        """The journal, the follow-ups: all that the plan says."""
        tick = s.live[CLAIMED]
        if tick is None:
            yield "finds it gone", s.at(who, "idle")
        else:
            news = frozenset() if tick.target == INBOX else {tick.target}
            yield "tells", s._replace(told=s.told | news).at(who, "leave")

    def leave(self, s: State, who: int) -> Iterator[Step]:
        """One rename to where the plan says."""
        tick = s.live[CLAIMED]
        if tick is None:
            yield "finds it gone", s.at(who, "idle")
        else:
            yield (
                f"moves to {NAMES[tick.target]}",
                s.move(CLAIMED, tick.target).at(who, f"sync_{NAMES[tick.target]}"),
            )

    def sync_inbox(self, s: State, who: int) -> Iterator[Step]:
        """The new folder first."""
        yield "syncs inbox", s.sync(INBOX).at(who, "sync_source")

    def sync_done(self, s: State, who: int) -> Iterator[Step]:
        """The new folder first."""
        yield "syncs done", s.sync(DONE).at(who, "sync_source")

    def sync_dead(self, s: State, who: int) -> Iterator[Step]:
        """The new folder first."""
        yield "syncs dead", s.sync(DEAD).at(who, "sync_source")

    def sync_source(self, s: State, who: int) -> Iterator[Step]:
        """Then the old one."""
        yield "syncs claimed", s.sync(CLAIMED).at(who, "idle")

    # --- a shim

    def shim(self, s: State, number: int, run: Run) -> Iterator[Step]:
        """Record how the child ended, sync it, and only then let go of `alive`."""
        if run.record == "late":
            yield "records at last", s.run(number, run._replace(record="ok"))
        if not run.alive:
            return
        if not run.record:
            for how in ("ok", "failed"):
                yield f"records {how}", s.run(number, run._replace(record=how))
            if self.mutant == "unlock_before_record":
                yield "lets go before it records", s.run(number, run._replace(alive=False, record="late"))
        elif not run.durable:
            yield "syncs its record", s.run(number, run._replace(durable=True))
        else:
            yield "ends", s.run(number, run._replace(alive=False))
        if s.deaths < DEATHS:
            yield "is killed", s.run(number, run._replace(alive=False))._replace(deaths=s.deaths + 1)

    # --- the power

    def power_cut(self, s: State) -> Iterator[Step]:
        """Everybody is gone, and of what was not synced any part."""
        if s.cuts >= POWER_CUTS:
            return
        for shelf in product(*({s.live[f], s.safe[f]} for f in FOLDERS)):
            # A rename may leave both names, or one: no file system we allow leaves neither.
            if any(s.safe) and not any(shelf):
                continue
            runs = [{run, run if run.durable else run._replace(record="")} for run in s.runs]
            for left in product(*runs):
                yield (
                    "the power fails",
                    State(
                        live=shelf,
                        safe=shelf,
                        runs=tuple(run._replace(alive=False) for run in left),
                        producer="gone" if s.producer != "accepted" else "accepted",
                        told=s.told,
                        deaths=s.deaths,
                        cuts=s.cuts + 1,
                        unmended=True,
                    ),
                )


def broken(s: State) -> str:
    """The invariant of the contract that a state breaks, or nothing."""
    places = s.places()
    ends = [tick for f in (DONE, DEAD) if (tick := s.live[f]) is not None]
    unsaid = any(not tick.planned_by or tick.target not in places for tick in ends)
    faults = {
        "1: an accepted tick lies nowhere": s.producer == "accepted" and not places,
        # After a power cut until a consumer has started.
        "1: it lies in two folders": len(places) > 1 and not s.unmended,
        "3: a second run while the former is alive": sum(run.alive for run in s.runs) > 1,
        "4: it lies in done or dead without its outcome": unsaid and not s.unmended,
        "4: two outcomes": len(s.told) > 1 or bool(ends and s.told and not s.told & {*places}),
        "5: a run was counted twice": any(t and len(dict(t.attempts)) < len(t.attempts) for t in s.live),
        "4: it ended well, then a run was started": any(run.record == "ok" for run in s.runs[:-1]),
    }
    return next((fault for fault, is_so in faults.items() if is_so), "")


# What a mutant gets wrong is told in its step; the number is the invariant whose breach lies nearest.
MUTANTS = {
    "say_before_sync": "1",
    "no_lock": "1",
    "leave_twins": "1",
    "old_plan": "4",
    "believe_dead": "4",
    "count_again": "5",
    "copy_then_remove": "1",
    "claim_unsynced": "4",
    "replay_unsynced": "4",
    "spawn_before_record": "3",
    "move_before_commit": "4",
    "unlock_before_record": "4",
}


class Found(NamedTuple):
    """What an exploration saw."""

    states: int
    steps: int
    broken: str
    way: list[str]
    wedged: int


def explore(mutant: str = "") -> Found:
    """Visit every reachable state, nearest first; stop at the first broken invariant."""
    bus, start = Bus(mutant), State()
    came: dict[State, tuple[State, str] | None] = {start: None}
    before: dict[State, list[State]] = {}
    queue, steps = deque([start]), 0
    while queue:
        s = queue.popleft()
        if fault := broken(s):
            return Found(len(came), steps, fault, _way(came, s), 0)
        for word, after in bus.steps(s):
            steps += 1
            before.setdefault(after, []).append(s)
            if after not in came:
                came[after] = (s, word)
                queue.append(after)
    return Found(len(came), steps, "", [], _wedged(came, before))


def _way(came: dict[State, tuple[State, str] | None], s: State) -> list[str]:
    words: list[str] = []
    while (step := came[s]) is not None:
        s, word = step
        words.append(word)
    return words[::-1]


def _wedged(came: dict[State, tuple[State, str] | None], before: dict[State, list[State]]) -> int:
    """How many states have no way left to an outcome: from everywhere the tick can still be finished."""
    good = {s for s in came if s.producer != "accepted" or s.places() in ([DONE], [DEAD])}
    queue = deque(good)
    while queue:
        for s in before.get(queue.popleft(), []):
            if s not in good:
                good.add(s)
                queue.append(s)
    return len(came) - len(good)


def main() -> int:
    """Explore the bus as it is and each of its mutants; 1 where one is not as it should be."""
    if sys.argv[1:]:
        found = explore(sys.argv[1])
        print("\n".join([*found.way, found.broken or "no invariant is broken"]))
        return 0
    found = explore()
    counts = f"{found.states} states, {found.steps} steps, {found.wedged} wedged"
    print(f"the bus: {counts}, broken: {found.broken or 'none'}")
    bad = bool(found.broken or found.wedged)
    for mutant, invariant in MUTANTS.items():
        found = explore(mutant)
        bad |= not found.broken.startswith(invariant)
        print(f"{mutant}: after {len(found.way)} steps, {found.broken or 'MISSED'}")
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
