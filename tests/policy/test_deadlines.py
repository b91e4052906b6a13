"""How long a silent run is believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cadencebus.policy.deadlines import SHIM_SLACK, EndRun, Limits, LookAgain, Signs, judge

LIMITS = Limits(timeout=1800, idle_timeout=1200, result_grace=90, max_log_bytes=1000)
SIGNS = Signs(started=100.0, last_output=200.0, log_bytes=10)


@pytest.mark.parametrize(
    ("signs", "at", "klass"),
    [
        (SIGNS, 1400.0, "stalled"),
        (replace(SIGNS, last_output=1800.0), 100 + 1800 + SHIM_SLACK, "timeout"),
        (replace(SIGNS, result_at=300.0), 390.0, "result_grace"),
        # What it says it waits for is believed, up to its own bound and no longer.
        (replace(SIGNS, believed_until=1500.0), 1500.0, "stalled"),
        (replace(SIGNS, believed_until=50.0), 1400.0, "stalled"),
        (replace(SIGNS, believed_until=1e9), 100 + 1800 + SHIM_SLACK, "timeout"),
        # After a result nothing is believed any more.
        (replace(SIGNS, result_at=300.0, believed_until=1e9), 390.0, "result_grace"),
    ],
)
def test_the_first_deadline_ends_it(signs: Signs, at: float, klass: str) -> None:
    """Not a moment earlier; until then it is said when to look again."""
    assert judge(LIMITS, signs, at - 0.1) == LookAgain(at)
    stop = judge(LIMITS, signs, at)
    assert isinstance(stop, EndRun)
    assert stop.klass == klass


def test_a_long_timeout_is_told_in_digits() -> None:
    """Nobody reads 1.0368e+06 as twelve days."""
    assert judge(replace(LIMITS, timeout=12 * 86400, idle_timeout=0), SIGNS, 2e6) == EndRun(
        "timeout", "1036800 s"
    )


def test_a_log_that_is_too_long_ends_it_at_once() -> None:
    """The limit itself is allowed; 0 means none."""
    assert isinstance(judge(LIMITS, replace(SIGNS, log_bytes=1000), 201.0), LookAgain)
    stop = judge(LIMITS, replace(SIGNS, log_bytes=1001), 201.0)
    assert stop == EndRun("log_overflow", "1001 bytes of log, where 1000 are allowed")
    assert isinstance(
        judge(replace(LIMITS, max_log_bytes=0), replace(SIGNS, log_bytes=10**12), 201.0), LookAgain
    )


def test_the_idle_watch_can_be_off() -> None:
    """The time-out never is."""
    off = replace(LIMITS, idle_timeout=0)
    assert judge(off, SIGNS, 1500.0) == LookAgain(100 + 1800 + SHIM_SLACK)
