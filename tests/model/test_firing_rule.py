"""What the clock keeps of a cadence: no more than it needs, and read back only if it makes sense."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from cadencebus.model.cadence import Cadence
from cadencebus.model.firing_rule import FiringRule, kept_rule, rule_of

FULL = Cadence(
    name="work",
    schedule="0 9 * * *",
    max_firings=3,
    expires_at=2e9,
    timezone="Europe/Berlin",
    catch_up="all",
    jitter=60.0,
    enabled=False,
    overlap="queue",
    ttl=3600.0,
    priority=9,
)


@pytest.mark.parametrize(
    "cadence",
    [FULL, Cadence(name="work", every=60.0), Cadence(name="work"), Cadence(name="work", once_at=-1.5)],
)
def test_a_rule_comes_back_from_disk_as_it_was(cadence: Cadence) -> None:
    """Defaults are not written: what a later version adds is missing, and means its default."""
    rule = rule_of(cadence)
    assert kept_rule("work", json.loads(json.dumps(rule.dump()))) == rule


@pytest.mark.parametrize(
    "members",
    [
        {"every": "5m"},
        {"every": -1},
        {"schedule": 5},
        {"enabled": "no"},
        {"enabled": None},
        {"max_firings": 1.5},
        {"jitter": None},
        {"priority": 10},
        {"priority": True},
        {"once_at": float("nan")},
        {"cron": "0 9 * * *"},
    ],
)
def test_what_makes_no_sense_is_refused(members: dict[str, Any]) -> None:
    """Somebody edited it by hand."""
    with pytest.raises(ValueError, match="not a rule"):
        kept_rule("work", members)


def test_only_a_schedule_that_is_on_is_one() -> None:
    """And only where ticks may stand for each other does one that waits."""
    assert rule_of(Cadence(name="work", every=60.0)).scheduled
    assert not rule_of(FULL).scheduled
    assert not FiringRule(name="work").scheduled
    assert FiringRule(name="work").folds
    assert not FiringRule(name="work", ttl=60.0).folds
    assert not FiringRule(name="work", overlap="skip").folds


def test_every_key_of_a_rule_is_looked_at() -> None:
    """One that is added wants its shape."""
    for one in fields(FiringRule):
        if one.name != "name":
            with pytest.raises(ValueError, match=rf"{one.name} is <object"):
                kept_rule("work", {one.name: object()})
