"""The breaker of a cadence: what opens it, what leaves it as it is, and what of it lies on disk."""

from __future__ import annotations

import pytest

from cadencebus.model.cadence import CircuitRules
from cadencebus.model.hold import Hold
from cadencebus.model.memory import CadenceMemory, Circuit
from cadencebus.policy.circuit import after_failure, after_nothing_proved, half_open, hold_for, snapshot

NOW = 1_800_000_000.0
RULES = CircuitRules(failures=3, open=100.0, max_open=150.0)
OPEN = Circuit(since=NOW - 500, until=NOW - 400, length=100.0, failures=3, reason="it was so")


@pytest.mark.parametrize(
    ("before", "failures", "probe", "after"),
    [
        (None, 2, False, None),
        (None, 3, False, Circuit(since=NOW, until=NOW + 100, length=100.0, failures=3, reason="again")),
        # A run that had started before it opened says nothing new of it.
        (
            OPEN,
            4,
            False,
            Circuit(since=NOW - 500, until=NOW - 400, length=100.0, failures=4, reason="it was so"),
        ),
        (OPEN, 4, True, Circuit(since=NOW - 500, until=NOW + 150, length=150.0, failures=4, reason="again")),
    ],
)
def test_a_failure_opens_it_or_opens_it_longer_or_says_nothing_new(
    before: Circuit | None, failures: int, probe: bool, after: Circuit | None
) -> None:
    """By the streak where it is closed, by its probe where it is open; twice as long, up to the most."""
    memory = CadenceMemory(circuit=before)
    assert after_failure(memory, RULES, failures, probe=probe, now=NOW, reason="again") == after
    never = CircuitRules(failures=0)
    assert after_failure(memory, never, failures, probe=probe, now=NOW, reason="again") is None


def test_an_opening_is_no_longer_than_the_most() -> None:
    """The first one, too."""
    rules = CircuitRules(failures=1, open=100.0, max_open=30.0)
    opened = after_failure(CadenceMemory(), rules, 1, probe=False, now=NOW, reason="again")
    assert opened is not None
    assert (opened.length, opened.until) == (30.0, NOW + 30)


def test_one_run_may_go_where_it_is_open_and_its_hold_is_over() -> None:
    """Without a circuit nobody is on probation."""
    told = [
        half_open(CadenceMemory(circuit=one), held=held) for one in (OPEN, None) for held in (False, True)
    ]
    assert told == [True, False, False, False]


def test_a_probe_that_proved_nothing_gives_its_permit_back() -> None:
    """After the last open length; all else stays as it is, and so the hold says."""
    again = after_nothing_proved(OPEN, NOW)
    assert again == Circuit(since=NOW - 500, until=NOW + 100, length=100.0, failures=3, reason="it was so")
    assert hold_for("x", again, NOW) == Hold(
        scope="cadence-x",
        reason="circuit_open",
        since=NOW,
        until=NOW + 100,
        detail="3 failed runs in a row, the last: it was so",
    )


def test_the_snapshot_lists_what_is_open_now() -> None:
    """By name; a window that has passed is not listed, and nothing open is no file."""
    again = after_nothing_proved(OPEN, NOW)
    row = {"failures": 3, "reason": "it was so"}
    times = {"since": "2027-01-15T07:51:40.000000Z", "until": "2027-01-15T08:01:40.000000Z"}
    assert snapshot({"y": again, "x": again, "z": OPEN}, NOW) == {
        "at": "2027-01-15T08:00:00.000000Z",
        "open": [{"cadence": name, **times, **row} for name in ("x", "y")],
    }
    assert snapshot({"x": again}, NOW + 100) is None
