"""The head of each queue, and why some heads can't even be considered."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING

from cadencebus.clock import parse_stamp
from cadencebus.daemon.roster import Roster
from cadencebus.errors import CadenceError, NoSuch
from cadencebus.model.hold import BUS, on_cadence, on_credentials
from cadencebus.model.naming import DEFAULT_PRIORITY
from cadencebus.model.tick import BadTick
from cadencebus.policy.admit import STOPPED, Wait, Waiting, run_of
from cadencebus.policy.circuit import half_open

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from cadencebus.daemon.flight import Flight
    from cadencebus.daemon.gear import Gear
    from cadencebus.daemon.hold_keeper import HoldKeeper
    from cadencebus.daemon.index import Index
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.hold import Hold
    from cadencebus.policy.admit import Running

# How long a guard's "go on" is good; then it is asked again.
GUARD_GOOD_FOR = 300.0
# How long a turn buries ticks of unknown cadences: each waits for the disk three times.
_A_WHILE = 0.1
# Ticks that are read at once to find those that need not wait, of all cadences that must.
_READ_AT_ONCE = 2000


class _Turn:
    """What a turn looks at: flights and holds, counted once for all cadences."""

    def __init__(
        self, flights: Mapping[str, Flight], holds: Sequence[Hold], now: float, *, looks: int = 1
    ) -> None:
        self.now = now
        # At so many cadences.
        self.looks = looks
        self.held = {hold.scope for hold in holds}
        # The bus's own, by scope: with a thousand cadences held, no cadence looks at the holds of all.
        self.brakes: dict[str, set[str]] = {}
        for hold in holds:
            if hold.own:
                self.brakes.setdefault(hold.scope, set()).add(hold.file)
        self.open_circuits = {hold.scope for hold in holds if hold.reason == "circuit_open"}
        self.busy = Counter(flight.cadence.name for flight in flights.values())

    def holds(self, cadence: str, credentials: str) -> bool:
        """Whether something holds this cadence."""
        return not self.held.isdisjoint((BUS, on_cadence(cadence), on_credentials(credentials)))


class Lineup:
    """Turns the index and the cadence files into the candidates that `admit` chooses from."""

    def __init__(self, gear: Gear, index: Index, hold_keeper: HoldKeeper) -> None:
        self._gear = gear
        self._hold_keeper = hold_keeper
        self._index = index
        self._roster = Roster(gear)
        self._last_started: dict[str, float] = {}
        self._unknown_since: dict[str, float] = {}
        # Of the first few of a cadence that has to wait: which of them need not.
        self._force: dict[str, dict[str, bool]] = {}
        self._passes: dict[str, float] = {}
        # Cadences whose turn was spent on a tick that was none to run.
        self._owed: set[str] = set()
        # What a look found stands until the cadence stirs, or all is asked for anew.
        self._heads: dict[str, Waiting] = {}
        self._changed: set[str] = set()
        # Heads whose ticks were not yet read for `force`.
        self._unasked: set[str] = set()
        # Why cadences that are no candidates wait.
        self.waits: dict[str, Wait] = {}

    def cadence(self, name: str) -> Cadence | None:
        """A cadence that may start; None where its file has changed since it was looked at."""
        return self._roster.cadence(name) if self._roster.confirmed(name) else None

    def own_priority(self, name: str) -> int:
        """The default priority of a cadence's ticks; 5 where its file can't say."""
        try:
            return self._gear.prompts.load(name).priority
        except (CadenceError, OSError):
            return DEFAULT_PRIORITY

    def running(self, cadence: Cadence) -> Running:
        """The room that a run of this cadence takes."""
        return run_of(cadence, self._gear.settings.current.credentials_of(cadence.runner))

    def heads(self, flights: Mapping[str, Flight], holds: Sequence[Hold], now: float) -> list[Waiting]:
        """The head of every queue that could run at all."""
        changed = self._changed | self._index.take_changed()
        moved = self._roster.open(holds)
        changed.update(*((self._heads, self.waits, self._index.cadences()) if moved is None else (moved,)))
        self._changed = set()
        turn = _Turn(flights, holds, now, looks=len(changed))
        for name in changed:
            self.waits.pop(name, None)
            self._heads.pop(name, None)
            self._unasked.discard(name)
            file = self._index.head(name)
            cadence = None if file is None else self._known(name)
            if cadence is None or file is None:
                self._force.pop(name, None)
                continue
            if not cadence.enabled:
                self.waits[name] = Wait("disabled", f"prompts/{name}.md says enabled: false")
                continue
            head = self._head(cadence, file, turn)
            brake = None if head.force else self._brake(cadence, turn)
            if brake is None:
                self._heads[name] = head
                if not head.force:
                    self._unasked.add(name)
            else:
                self.waits[name] = Wait(brake.reason, brake.detail, brake.until)
        if moved is None:
            self._roster.asked()
            # From here on they are nearly in order, since who starts comes back at the end: quick to sort.
            in_order = sorted(self._heads.values(), key=attrgetter("rank"))
            self._heads = {head.cadence: head for head in in_order}
        return self.line()

    def line(self) -> list[Waiting]:
        """The heads, as they were found last."""
        return list(self._heads.values())

    def urgent(self, refused: Container[str]) -> bool:
        """Whether some of the refused are forced; only their ticks are read for that."""
        asked = {name for name in self._unasked if name in refused}
        self._unasked -= asked
        forced = {name: file for name in asked if (file := self._forced(name, len(asked))) is not None}
        self._heads |= {name: self._pressing(self._heads[name], file) for name, file in forced.items()}
        return bool(forced)

    def _pressing(self, head: Waiting, file: str) -> Waiting:
        inline = self._is_inline(self._roster.cadence(head.cadence), file)
        return replace(head, file=file, priority=int(file[0]), inline=inline, force=True)

    def _head(self, cadence: Cadence, file: str, turn: _Turn) -> Waiting:
        name, credentials = cadence.name, self._gear.settings.current.credentials_of(cadence.runner)
        memory = self._roster.memory(name, turn.now)
        head = Waiting(
            cadence=name,
            file=file,
            priority=int(file[0]),
            group=cadence.group,
            inline=self._is_inline(cadence, file),
            exclusive=cadence.exclusive,
            concurrency=cadence.concurrency,
            credentials=credentials,
            half_open=half_open(memory, held=on_cadence(name) in turn.open_circuits),
            last_started=self._last_started.get(name, 0.0),
        )
        # A brake of its own must not take it out of the line.
        forced = self._forced(name, turn.looks) if turn.holds(name, credentials) else None
        return head if forced is None else self._pressing(head, forced)

    def _brake(self, cadence: Cadence, turn: _Turn) -> Hold | None:
        memory = self._roster.memory(cadence.name, turn.now)
        there = turn.brakes.get(on_cadence(cadence.name), ())
        return self._hold_keeper.brake(cadence, memory, turn.busy[cadence.name], there, turn.now)

    def _known(self, name: str) -> Cadence | None:
        try:
            cadence = self._roster.cadence(name)
        except NoSuch:
            since = self._unknown_since.setdefault(name, self._gear.clock.monotonic())
            left = since + self._gear.settings.current.unknown_grace - self._gear.clock.monotonic()
            self.waits[name] = Wait(
                "unknown", f"prompts/{name}.md does not exist; {max(0.0, left):.0f} s of grace left"
            )
            return None
        except CadenceError as error:
            self._unknown_since.pop(name, None)
            self.waits[name] = Wait("broken", str(error))
            return None
        except OSError as error:
            # Only "no such file" means an unknown cadence: everything else is waited out.
            self._unknown_since.pop(name, None)
            self.waits[name] = Wait("unreadable", f"prompts/{name}.md: {error.strerror}")
            return None
        self._unknown_since.pop(name, None)
        return cadence

    def _forced(self, name: str, looks: int) -> str | None:
        """The tick of a cadence that need not wait with those before it; one far behind them is not seen."""
        known, front = self._force.get(name, {}), self._index.front(name)[: 1 + _READ_AT_ONCE // looks]
        self._force[name] = known = {
            file: known[file] if file in known else self._asks_to_pass(file) for file in front
        }
        return next((file for file in front if known[file]), None)

    def _asks_to_pass(self, file: str) -> bool:
        try:
            return self._gear.spool.waiting(file).force
        except (BadTick, OSError):
            return False

    def doomed(self) -> Iterator[tuple[str, BadTick]]:
        """Ticks of unknown cadences whose grace is over, to be buried; some are left to the next turns."""
        clock = self._gear.clock
        began = clock.monotonic()
        for name, since in list(self._unknown_since.items()):
            if began - since < self._gear.settings.current.unknown_grace:
                continue
            for file in self._index.queue(name):
                yield (
                    file,
                    BadTick("unknown_cadence", f"no cadence {name!r}: prompts/{name}.md does not exist"),
                )
                if clock.monotonic() - began >= _A_WHILE:
                    return
            del self._unknown_since[name]

    def grace_ends_in(self) -> float:
        """Seconds until an unknown cadence's grace is over; infinite where none is unknown."""
        first = min(self._unknown_since.values(), default=float("inf"))
        return max(0.0, first + self._gear.settings.current.unknown_grace - self._gear.clock.monotonic())

    def stopped(self) -> dict[str, Wait]:
        """Everything waits while the emergency stop is there."""
        return dict.fromkeys(self._index.cadences(), STOPPED)

    def started(self, name: str) -> None:
        """Note that a cadence had its turn."""
        self._last_started[name] = self._gear.clock.monotonic()
        self._owed.discard(name)
        self._changed.add(name)

    def landed(self, cadence: str, file: str, *, turned_away: bool = False) -> None:
        """Forget that a tick's guard let it pass, and what its cadence remembered before this run."""
        self._passes.pop(file, None)
        if turned_away:
            self._owed.add(cadence)
        self._roster.forget(cadence)
        self._changed.add(cadence)

    def let_pass(self, file: str) -> None:
        """Note that the guard of this tick said: go on."""
        self._passes[file] = self._gear.clock.monotonic()

    def guard_passed(self, file: str) -> bool:
        """Whether the guard of this tick said "go on" lately."""
        passed = self._passes.get(file)
        return passed is not None and self._gear.clock.monotonic() - passed < GUARD_GOOD_FOR

    def expected(self, head: Waiting) -> bool:
        """Whether a start led to this one: its guard let it pass, or the one before it was none to run."""
        return head.cadence in self._owed or self.guard_passed(head.file)

    def _is_inline(self, cadence: Cadence, file: str) -> bool:
        return cadence.mode == "inline" or (cadence.guard is not None and not self.guard_passed(file))

    @staticmethod
    def seconds_until(due_stamp: str, now: float) -> float:
        """Seconds from now to a stamp."""
        return parse_stamp(due_stamp) - now
