"""Whether a consumer is up, heard of and not frozen; if not, who brings it back, and when."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from cadencebus.checkup.consumer import DEATHS, recent_deaths, stranger
from cadencebus.daemon import supervision
from cadencebus.daemon.consumer_note import SILENT
from cadencebus.desk import human_time
from cadencebus.desk.complaint import Complaint
from cadencebus.model.foreign import instant
from cadencebus.session import process_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.daemon.consumer_note import Consumer
    from cadencebus.desk.facts import Facts
    from cadencebus.desk.forecast import Upcoming
    from cadencebus.store.paths import Home

# After several deaths, the last of them so lately, it is not well even if it is up again.
_JUST_NOW = 300.0


def stopped_by_hand(facts: Facts) -> Iterator[Complaint]:
    """Somebody stopped it all."""
    if facts.stopped:
        yield Complaint("the emergency stop is on, nothing starts", "`cadence start`")


def nobody_works(facts: Facts, *, hindered: bool) -> Iterator[Complaint]:
    """Nothing starts: there is no consumer, or none that stays; `hindered`: what keeps it away is told."""
    up = "fix that, then `cadence up`" if hindered else "`cadence up`"
    home, now, consumer = facts.home, facts.at, facts.consumer
    keeper = supervision.alive(home)
    deaths = [] if keeper is None else recent_deaths(keeper, now)
    if consumer.alive:
        if len(deaths) >= DEATHS and now - (instant(deaths[-1].at) or 0.0) < _JUST_NOW:
            said = f"the consumer is up, but died {len(deaths)} times in the last hour ({deaths[-1].cause})"
            yield Complaint(said, _its_log(home))
        return
    if (parked := supervision.parked(home)) is not None:
        yield Complaint(
            f"the consumer is parked: {parked.reason}", f"{_its_log(home)}, fix that, then `cadence up`"
        )
    elif keeper is not None and process_tree.stopped(keeper.supervisor.pid):
        stopped = f"no consumer, and its supervisor (pid {keeper.supervisor.pid}) was stopped by a signal"
        yield Complaint(stopped, f"`kill -CONT {keeper.supervisor.pid}`")
    elif keeper is not None and keeper.state == "waiting":
        yield Complaint(_comes_back(keeper, len(deaths), now), _its_log(home))
    elif consumer.note is not None:
        yield Complaint(f"the consumer (pid {consumer.pid or '?'}) is gone: it was killed, or crashed", up)
    elif waits := _what_waits(facts):
        yield Complaint(f"no consumer is up: {waits}", up)
    elif idle := [one.cadence for one in facts.next_due if _wants_a_consumer(one, now)]:
        yield Complaint(f"no consumer, so nothing fires {idle[0]} when it is due", up)


def _what_waits(facts: Facts) -> str:
    """`2 ticks are ready, 1 is claimed`; empty where nothing waits for a consumer."""
    ready, claimed = facts.ready, len(facts.running)
    told = [f"{'1 tick is' if ready == 1 else f'{ready} ticks are'} ready"] if ready else []
    told += [f"{'1 is' if claimed == 1 else f'{claimed} are'} claimed"] if claimed else []
    return ", ".join(told)


def _its_log(home: Home) -> str:
    return f"`tail {quote(supervision.log_of(home))}`"


def _comes_back(keeper: supervision.State, deaths: int, now: float) -> str:
    """Its supervisor is there: `cadence up` would be told that it is up already."""
    often = f", {deaths} times in the last hour" if deaths > 1 else ""
    until = instant(keeper.until) or now
    when = human_time.ahead(max(until, now), now)
    return f"the consumer died{often} ({keeper.reason}); it is started again at {when}"


def _wants_a_consumer(one: Upcoming, now: float) -> bool:
    """Whether it comes to nothing where nobody consumes: a schedule does, and a tick whose time has come."""
    return one.by == "clock" or (one.by == "deferred" and one.at <= now)


def frozen(consumer: Consumer) -> Iterator[Complaint]:
    """A consumer that a signal has stopped lives, holds the lock, and does nothing at all."""
    pid = consumer.pid
    if consumer.alive and pid is not None and process_tree.stopped(pid):
        yield Complaint(f"the consumer (pid {pid}) was stopped by a signal", f"`kill -CONT {pid}`")


def locked_out(facts: Facts) -> Iterator[Complaint]:
    """Somebody who is no consumer holds the consumer's lock."""
    consumer = facts.consumer
    if consumer.alive and consumer.pid is None and (other := stranger(facts.home)) is not None:
        said = f"no consumer can come up: its lock is held by {other}, which is no consumer"
        yield Complaint(said, f"`kill {other.pid}`, then `cadence up`")


def silent(consumer: Consumer) -> list[Complaint]:
    """A live consumer that has not been heard of."""
    if not consumer.alive:
        return []
    if consumer.silent_seconds is None:
        return [
            Complaint(
                "a consumer holds the lock, but has not said who it is (it may just be starting)",
                "`cadence ps`",
            )
        ]
    if consumer.silent_seconds > SILENT:
        return [
            Complaint(
                f"the consumer is alive, but has been silent for {human_time.ago(consumer.silent_seconds)}",
                "`cadence restart`, sessions go on",
            )
        ]
    return []
