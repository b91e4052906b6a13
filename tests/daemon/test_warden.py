"""The brakes that a cadence's own rules put on it are told of as its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cadencebus.clock import rfc3339
from cadencebus.daemon.warden import Warden
from cadencebus.model.cadence import Cadence
from cadencebus.model.settings import Notice
from cadencebus.policy import notices

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.daemon.gear import Gear

LOOPING = Cadence(name="looping", max_runs_per_hour=1)


def test_a_brake_and_its_end_name_the_cadence(gear: Gear) -> None:
    """So that what the cadence says of its own notices is asked."""
    now = gear.clock.wall()
    told: list[Mapping[str, Any]] = []
    warden = Warden(gear, told.append, lambda: None)
    memory = {"recent": [rfc3339(now - 60)]}
    hold = warden.brake(LOOPING, memory, 0, (), now)
    assert hold is not None
    assert warden.brake(replace(LOOPING, max_runs_per_hour=9), memory, 0, {hold.file}, now) is None
    said = [(event["event"], event["reason"], event["cadence"]) for event in told]
    assert said == [("hold.set", "runs_per_hour", "looping"), ("hold.released", "runs_per_hour", "looping")]


def test_a_cadence_that_wants_to_hear_of_no_hold_hears_of_no_brake(gear: Gear) -> None:
    """Its own `notify` has the last word, whoever set the hold."""
    now = gear.clock.wall()
    told: list[Mapping[str, Any]] = []
    Warden(gear, told.append, lambda: None).brake(LOOPING, {"recent": [rfc3339(now - 60)]}, 0, (), now)
    kind, incident = notices.begins(told[0]) or ("", "")
    news = notices.announced(kind, incident, told[0])
    assert (kind, news.cadence) == ("hold", "looping")
    everybody = Notice(events=("hold",), command=("true",))
    assert notices.wanted(everybody, news, None)
    assert not notices.wanted(everybody, news, ("dead",))
