"""Who has the better right to an id that lies in two places, in every pairing, without a consumer."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from cadencebus.clock import day, stamp
from cadencebus.daemon.index import Calendar, Index
from cadencebus.daemon.twins import Twins
from cadencebus.model.naming import deferred_name
from cadencebus.model.tick import Tick
from cadencebus.session import life
from cadencebus.store import runs
from cadencebus.store.inlet import new_id
from cadencebus.store.paths import Home
from cadencebus.store.spool import Spool

NOW = 1_800_000_000.0
DONE = f"done/{day(NOW)}"
PLACES = (DONE, "dead", "claimed", "inbox", "deferred")
ENDED = {DONE, "dead"}
RUN = {"run": "any"}


class Places:
    """A home in which ticks lie where a backup, a `mv` or a power cut left them."""

    def __init__(self, home: Path) -> None:
        self.home = Home(str(home))
        self.index, self.calendar = Index(), Calendar()

    def lay(self, place: str, tick: Tick, data: bytes | None = None) -> tuple[str, str]:
        """Let a tick lie there; the folder and the name that it has there."""
        folder = Path(self.home.state, place)
        folder.mkdir(exist_ok=True)
        file = tick.name.file if place != "deferred" else deferred_name(stamp(NOW + 60), tick.name)
        (folder / file).write_bytes(tick.bytes() if data is None else data)
        if place == "inbox":
            self.index.add(file)
        if place == "deferred":
            self.calendar.add(file)
        return place, file

    @property
    def losers(self) -> list[tuple[str, str]]:
        """Who must make way."""
        twins = Twins(Spool(self.home), self.index, self.calendar)
        found = list(twins.losers())
        assert all(why.startswith("the same id lay in two places") for _, _, why in found)
        return sorted((folder, file) for folder, file, _ in found)


@pytest.fixture
def places(home: Path) -> Places:
    """A home without ticks."""
    return Places(home)


def some(**changes: Any) -> Tick:
    """Make a tick."""
    members: dict[str, Any] = {"id": new_id(NOW), "cadence": "x", "created_at": NOW}
    return Tick(**members | changes)


def test_what_lies_in_one_place_is_nobodys_twin(places: Places) -> None:
    """However alike the names are."""
    for place in PLACES:
        for priority in (0, 5, 9):
            places.lay(place, some(priority=priority))
    Path(places.home.state, "dead", "notes.json").touch()
    Path(places.home.state, "claimed", "notes.json").touch()
    assert places.losers == []


def test_of_two_places_the_better_one_keeps_the_tick(places: Places) -> None:
    """Ended before waiting; else whose past is the longer one; the copy's priority is no matter."""
    makes_way = []
    for pair in permutations(PLACES, 2):
        # The first is the better one by its past, unless the other has ended, and it has not.
        better, worse = reversed(pair) if pair[1] in ENDED and pair[0] not in ENDED else pair
        for priority in (5, 0):
            tick = some()
            places.lay(better, replace(tick, attempts=(RUN,)))
            makes_way.append(places.lay(worse, replace(tick, priority=priority)))
    assert places.losers == sorted(makes_way)


@pytest.mark.parametrize("place", ["claimed", "inbox", "deferred"])
def test_an_end_wins_whatever_the_others_past(places: Places, place: str) -> None:
    """Even over a longer one, and even where its own file can't be read any more."""
    for ended in ENDED:
        for data in (None, b"{"):
            tick = some()
            places.lay(ended, tick, data)
            other = places.lay(place, replace(tick, attempts=(RUN, RUN)))
            assert other in places.losers
            os.unlink(f"{places.home.state}/{'/'.join(other)}")
            places.index.discard(other[1])
            places.calendar.discard(other[1])
    assert places.losers == []


def test_a_claim_whose_run_lives_wins_over_a_longer_past(places: Places) -> None:
    """It is being run this moment; without that its past decides."""
    tick = some()
    claim = places.lay("claimed", tick)
    waiting = places.lay("inbox", replace(tick, attempts=(RUN,)))
    run = runs.make(places.home, tick)
    alive = life.open_alive(run.path)
    assert places.losers == [waiting]
    os.close(alive)
    assert places.losers == [claim]


def test_what_can_be_read_wins_over_what_cannot(places: Places) -> None:
    """Half a copy in inbox/ must not cost the tick in deferred/."""
    tick = some()
    places.lay("deferred", tick)
    torn = places.lay("inbox", tick, b"{")
    assert places.losers == [torn]


def test_of_equal_pasts_the_one_further_on_wins(places: Places) -> None:
    """Claimed before ready, ready before waiting; all the others make way."""
    tick = some()
    lain = [places.lay(place, tick) for place in ("claimed", "inbox", "deferred")]
    assert places.losers == sorted(lain[1:])


def test_two_names_in_one_folder_are_twins_too(places: Places) -> None:
    """A copy from before a `bump`: the one that knows more wins."""
    for place in ("inbox", "claimed", "dead", "deferred"):
        tick = some(priority=3)
        loser = places.lay(place, tick)
        places.lay(place, replace(tick, priority=7, attempts=(RUN,)))
        assert loser in places.losers, place
    assert len(places.losers) == 4
