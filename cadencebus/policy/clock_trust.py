"""Whether the clock can be believed when it says that something is old.

Only a clock that runs ahead is dangerous: it makes everything look old. One that is behind keeps things
longer, which hurts nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 86400.0
# A machine that was off for longer may have come back with another year in its clock.
_GAP = 2 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """At one moment: the wall's clock, and the one that counts this boot's seconds, sleep included."""

    wall: float
    steady: float
    boot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What one gc remembers of the clocks for the next; without a doubt, ages may be believed."""

    clocks: Clocks
    doubted_at: float | None = None
    doubt: str = ""


def judge(last: Trust | None, now: Clocks, newest: float | None = None) -> Trust:
    """Judge the clock; a jump ahead is believed after the clock has stood by it for a day.

    `newest` is when anything in the home was changed last; it is used only where nothing is remembered.
    """
    why, renews = _jump(last, now, newest)
    doubted = last is not None and last.doubted_at is not None
    if why and (renews or not doubted):
        return Trust(clocks=now, doubted_at=now.wall, doubt=why)
    if last is not None and last.doubted_at is not None and 0 <= now.wall - last.doubted_at < _DAY:
        return Trust(clocks=now, doubted_at=last.doubted_at, doubt=last.doubt)
    return Trust(clocks=now)


def _jump(last: Trust | None, now: Clocks, newest: float | None) -> tuple[str, bool]:
    """Why the clock is doubted, if it is; and whether that restarts the day of a doubt already held."""
    if last is None:
        ahead = 0.0 if newest is None else now.wall - newest
        return (f"nothing here is younger than {ahead / _DAY:.0f} days" if ahead > _DAY else ""), False
    passed = now.wall - last.clocks.wall
    if last.clocks.boot == now.boot:
        ahead = passed - (now.steady - last.clocks.steady)
        return (f"the clock jumped {ahead / _DAY:.0f} days ahead" if ahead > _DAY else ""), True
    return (f"the clock says that {passed / _DAY:.0f} days have passed" if passed > _GAP else ""), False
