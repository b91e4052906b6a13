"""From a ready tick to a claimed one: read and taken under one lock, or turned away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.clock import rfc3339
from cadencebus.model.naming import parse_name
from cadencebus.model.tick import BadTick, Misnamed, Tick
from cadencebus.store import dedupe, files, journal, runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.daemon.gear import Gear
    from cadencebus.model.cadence import Cadence


class Rejected(Exception):
    """The tick in the file can't be one: it is to be buried."""

    def __init__(self, fault: BadTick) -> None:
        super().__init__(fault.message)
        self.fault = fault


def take(gear: Gear, file: str, cadence: Cadence) -> Tick | None:
    """Claim one ready tick, or finish it where it needs no run; None where there is nothing to start."""
    now = gear.clock.wall()

    def fit(found: Tick) -> bool:
        tick = _anew(found)
        return not (_cancelled(gear, found) or stale(tick, cadence, now) or early(tick, now))

    _only_one(gear, file)
    read = _claimed(gear, file, fit)
    if read is None:
        return None
    found, taken = read
    if not taken:
        _turn_away(gear, file, found, cadence, now)
        return None
    tick = _anew(found)
    holder = dedupe.claim(gear.home, tick, cadence.dedupe_window, now)
    if holder is not None:
        gear.closing.finish_claimed(tick, "duplicate", _used(tick, holder), now)
        return None
    return tick


def unwanted(gear: Gear, file: str, cadence: Cadence) -> tuple[Tick, str, str] | None:
    """A ready tick that needs no run, as `finish_unrun` takes it; None for what has to await its turn."""
    now = gear.clock.wall()
    try:
        _only_one(gear, file)
        found = gear.spool.read("inbox", file)
    except (BadTick, PermissionError, Rejected):
        return None
    tick = _anew(found)
    if _cancelled(gear, found):
        return None
    if past := stale(tick, cadence, now):
        return tick, "expired", past
    holder = None if early(tick, now) else dedupe.used_by(gear.home, tick, cadence.dedupe_window, now)
    return None if holder is None else (tick, "duplicate", _used(tick, holder))


def _used(tick: Tick, holder: str) -> str:
    return f"the key {tick.key!r} was used by {holder}"


def _only_one(gear: Gear, file: str) -> None:
    """Refuse a copy: its id has ended, is being run, or has runs that are another cadence's."""
    name = parse_name(file)
    if name is None:
        return
    place = gear.spool.elsewhere(name)
    if place is None and runs.owner(gear.home, name.id) not in {None, name.cadence}:
        place = "runs"
    if place is not None and files.exists(f"{gear.home.inbox}/{file}"):
        raise Rejected(BadTick("duplicate_id", f"the id {name.id} already lies in {place}/"))


def _claimed(gear: Gear, file: str, fit: Callable[[Tick], bool]) -> tuple[Tick, bool] | None:
    """The tick of a file in inbox/, and whether it was claimed; None where it is gone, or Rejected."""
    try:
        return gear.spool.claim_if(file, fit)
    except FileNotFoundError:
        return None
    except Misnamed as fault:
        # One rename puts it right, and it is taken up as what it is; a taken name is somebody's id.
        if not gear.spool.rename("inbox", file, fault.file) and files.exists(f"{gear.home.inbox}/{file}"):
            raise Rejected(BadTick("duplicate_id", f"{fault.message}, and {fault.file} is there")) from None
        return None
    except BadTick as fault:
        raise Rejected(fault) from None
    except PermissionError as error:
        if error.filename2 is not None or error.filename != f"{gear.home.inbox}/{file}":
            # claimed/ lets nothing in: no fault of the tick's.
            raise
        raise Rejected(BadTick("unreadable", "no permission to read it")) from None


def _turn_away(gear: Gear, file: str, found: Tick, cadence: Cadence, now: float) -> None:
    """Do what its content asks for with a tick that is not to run now."""
    tick = _anew(found)
    if _cancelled(gear, found):
        if gear.spool.claim([file]):
            gear.closing.deliver(found, now)
    elif past := stale(tick, cadence, now):
        gear.closing.finish_unrun([(tick, "expired", past)], now)
    elif tick.not_before is not None and early(tick, now):
        gear.spool.defer(file, tick.not_before)
        until = rfc3339(tick.not_before)
        gear.tell({"event": "tick.deferred", "cadence": tick.cadence, "tick": tick.id, "until": until})
    elif files.exists(f"{gear.home.claimed}/{file}") and files.exists(f"{gear.home.inbox}/{file}"):
        raise Rejected(BadTick("id_in_use", f"the id {tick.id} is being run under the same name"))


def _anew(found: Tick) -> Tick:
    """The tick without what an earlier life of it left in the file."""
    tick = found.again()
    return tick if tick.settling is None else tick.without_plan()


def _cancelled(gear: Gear, tick: Tick) -> bool:
    """Whether `rm` wrote this outcome and was killed before it could move the tick to done/.

    One whose end was told has been in done/: whoever moved it back from there wants it to run.
    """
    outcome = tick.outcome or {}
    if outcome.get("status") != "cancelled":
        return False
    return ("tick.done", tick.id) not in journal.facts(gear.home, str(outcome.get("finished_at", ""))[:10])


def early(tick: Tick, now: float) -> bool:
    """Whether a ready tick is not due yet: its place is deferred/, whatever brought it here."""
    return tick.not_before is not None and tick.not_before > now and not tick.attempts


def stale(tick: Tick, cadence: Cadence, now: float) -> str | None:
    """Why it is too late for a tick; None while it is not."""
    if tick.expires_at is not None and tick.expires_at <= now:
        return f"expired at {rfc3339(tick.expires_at)}"
    if cadence.ttl is not None and tick.created_at + cadence.ttl <= now:
        return f"older than its ttl of {cadence.ttl:g} s"
    return None
