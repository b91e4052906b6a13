"""What the files say of the cadences that wait, kept for a while: to ask for thousands takes long."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from cadencebus.errors import CadenceError
from cadencebus.model.hold import cadence_held

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence
    from cadencebus.model.hold import Hold
    from cadencebus.model.memory import CadenceMemory

# How long an answer is good for, for each cadence that was asked for: asking takes a twentieth of that. Edits
# cause events, as a rule; with thousands that wait, any other change may go unseen for a second.
_GOOD_FOR = 0.0002
_AT_MOST = 1.0
# And at least this many times as long as asking took, up to some seconds: else, on a machine that is busy
# with other work, all time would go into it.
_REST, _AT_LONGEST = 10, 5.0


class Roster:
    """Cadences and their memories, as they were when they were last asked for."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._cadences: dict[str, Cadence] = {}
        self._memories: dict[str, CadenceMemory] = {}
        self._asked_at = -math.inf
        self._took = 0.0
        self._touched: object = None
        self._held: set[tuple[str, str]] = set()

    def open(self, holds: Iterable[Hold]) -> set[str] | None:
        """Begin a look at all that waits: the cadences whose holds changed; None: all is asked for anew."""
        now, before = self._gear.clock.monotonic(), self._held
        self._held = {(hold.scope, hold.reason) for hold in holds}
        moved = {cadence_held(scope) for scope, _ in self._held ^ before}
        touched = (self._gear.edits, self._gear.settings.current)
        lasts = max(min(_AT_MOST, _GOOD_FOR * len(self._cadences)), min(_AT_LONGEST, _REST * self._took))
        if now < self._asked_at + lasts and touched == self._touched and None not in moved:
            # A circuit that is reset changes a memory, and the hold that stands for it.
            theirs = {name for name in moved if name is not None}
            for name in theirs:
                self.forget(name)
            return theirs
        self._cadences.clear()
        self._memories.clear()
        self._asked_at, self._touched = now, touched
        return None

    def asked(self) -> None:
        """End a look in which all was asked for anew: note how long it took."""
        self._took = self._gear.clock.monotonic() - self._asked_at

    def cadence(self, name: str) -> Cadence:
        """A cadence; an error in its file is raised, and looked for again each time."""
        known = self._cadences.get(name)
        if known is None:
            known = self._cadences[name] = self._gear.prompts.current(name)
        return known

    def memory(self, name: str, now: float) -> CadenceMemory:
        """What is remembered of a cadence."""
        known = self._memories.get(name)
        if known is None:
            known = self._memories[name] = self._gear.memory.cadence(name, now)
        return known

    def forget(self, name: str) -> None:
        """Forget the memory of a cadence, for one of its runs was settled."""
        self._memories.pop(name, None)

    def confirmed(self, name: str) -> bool:
        """Whether the cadence's file still says what was read; if not, all is asked for anew."""
        with contextlib.suppress(CadenceError, OSError):
            if self._gear.prompts.current(name) == self._cadences.get(name):
                return True
        self._asked_at = -math.inf
        return False
