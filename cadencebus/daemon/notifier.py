"""Telling people: reads the journal as it grows, remembers what was told, and never stands in the way."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Any

from cadencebus.clock import day, parse_rfc3339
from cadencebus.daemon.bounded_command import run_bounded
from cadencebus.errors import CadenceError
from cadencebus.policy import notices
from cadencebus.session import environment
from cadencebus.store import files, tailing
from cadencebus.store.json_file import load_object, save_object, set_aside
from cadencebus.store.tailing import Place

if TYPE_CHECKING:
    from cadencebus.daemon.gear import Gear
    from cadencebus.model.settings import Notice
    from cadencebus.policy.notices import News

_WITHIN = 10.0
_HANDS = 4
_BREATH = 1.0
# How old an event may be to be news; and after how long an incident without an end is forgotten.
_STALE = 86400.0
_FORGOTTEN = 30 * 86400.0


class Notifier:
    """One chore: what is new in the journal, what of it is an incident, who wants to know."""

    def __init__(self, gear: Gear) -> None:
        self._gear = gear
        self._path = f"{gear.home.state}/notices.json"
        self._place: Place | None = None
        self._open: dict[str, dict[str, Any]] = {}
        self._next = 0.0
        self._hands = asyncio.Semaphore(_HANDS)

    def due_in(self) -> float:
        """Seconds until it reads on; never where nobody wants to be told."""
        if not self._gear.settings.current.notify:
            return math.inf
        now = self._gear.clock.wall()
        if (
            self._place is None
            or tailing.grown(self._gear.home, self._place, day(now))
            or any(self._vanished())
        ):
            return self._next - self._gear.clock.monotonic()
        return math.inf

    async def do(self) -> None:
        """Read on, write down what will have been told, then tell it."""
        self._next = self._gear.clock.monotonic() + _BREATH
        news = await asyncio.to_thread(self._read)
        own = {cadence: self._own(cadence) for cadence in {one.cadence for one in news}}
        # Only news that somebody wants counts towards a flood: the rest must not push it out.
        orders = [
            (notice, one)
            for notice in self._gear.settings.current.notify
            for one in notices.bounded([one for one in news if notices.wanted(notice, one, own[one.cadence])])
        ]
        await asyncio.gather(*(self._tell(notice, one) for notice, one in orders))

    def _read(self) -> list[News]:
        """Read everything new; what is going to be told is on disk first, so that nobody is told twice."""
        before = self._place, dict(self._open)
        try:
            return self._read_on()
        except OSError:
            # None of it was told: the next look must start from where this one did.
            self._place, self._open = before
            raise

    def _read_on(self) -> list[News]:
        fresh = self._place is None
        if self._place is None:
            self._place = self._remembered() or tailing.end(self._gear.home)
        facts, self._place = tailing.read_on(self._gear.home, self._place)
        news = [one for fact in facts for one in self._take_in(fact)]
        for incident in self._vanished():
            # The folder as it was looked at last may be older than the line that told of the hold.
            if files.exists(f"{self._gear.home.holds}/{notices.lasts_by_file(incident)}"):
                continue
            known = self._open.pop(incident)
            news.append(notices.recovered(incident, str(known.get("title")), {}))
        if news or fresh:
            self._remember()
        return news

    def _take_in(self, fact: dict[str, Any]) -> list[News]:
        news = []
        for incident in list(notices.ends(fact, self._open)):
            known = self._open.pop(incident)
            news.append(notices.recovered(incident, str(known.get("title")), fact))
        began = notices.begins(fact)
        if began is not None and began[1] not in self._open:
            one = notices.announced(*began, fact)
            self._open[one.incident] = {"since": fact.get("at"), "title": one.title}
            news.append(one)
        return [one for one in news if self._age(fact) < _STALE]

    def _age(self, fact: dict[str, Any]) -> float:
        with contextlib.suppress(ValueError):
            return abs(self._gear.clock.wall() - parse_rfc3339(str(fact.get("at"))))
        return 0.0

    def _vanished(self) -> list[str]:
        """Incidents whose hold somebody took away by hand: the journal does not tell of that."""
        there = {hold.file for hold in self._gear.holds.known}
        lasting = ((incident, notices.lasts_by_file(incident)) for incident in self._open)
        return [incident for incident, file in lasting if file is not None and file not in there]

    def _own(self, cadence: str | None) -> tuple[str, ...] | None:
        """The events that a cadence wants told of itself; None: what the bus says."""
        if cadence is None:
            return None
        try:
            return self._gear.prompts.load(cadence).notify
        except (CadenceError, OSError):
            return None

    def _remembered(self) -> Place | None:
        try:
            known = load_object(self._path)
            self._open = {str(name): dict(about) for name, about in known["open"].items()}
            return Place(str(known["day"]), int(known["offset"]))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            aside = set_aside(self._path, self._gear.clock.wall())
            self._gear.say(f"notices.json can't be read ({error}); set aside as {aside}")
            return None

    def _remember(self) -> None:
        if self._place is None:
            return
        kept = {name: about for name, about in self._open.items() if self._age_of(about) < _FORGOTTEN}
        self._open = kept
        picture = {"day": self._place.day, "offset": self._place.offset, "open": kept}
        save_object(self._gear.home, self._path, picture)

    def _age_of(self, about: dict[str, Any]) -> float:
        return self._age({"at": about.get("since")})

    async def _tell(self, notice: Notice, news: News) -> None:
        """Run one command; one that fails or hangs is reported, and does no other harm."""
        argv, stdin = notices.message(notice, news, self._gear.home.root)
        env = environment.environment(self._gear.environ, {"CADENCE_HOME": self._gear.home.root})
        async with self._hands:
            answered = await run_bounded(argv, within=_WITHIN, cwd=self._gear.home.root, env=env, stdin=stdin)
        if answered.code == 0:
            return
        why = answered.fault or f"{argv[0]} ended with exit {answered.code}: {answered.said.strip()[-120:]}"
        self._gear.say(f"a notice could not be given: {why}")
        self._gear.tell({"event": "notice.failed", "incident": news.incident, "reason": why})
