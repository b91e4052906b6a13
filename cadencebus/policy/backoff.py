"""How long to wait after the n-th failure in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tenacity import RetryCallState
from tenacity.wait import wait_chain, wait_exponential, wait_fixed

from cadencebus.model.duration import LONGEST

if TYPE_CHECKING:
    import random

    from tenacity.wait import wait_base

    from cadencebus.model.cadence import Backoff


def wait_after(nth: int, waits: Backoff, rng: random.Random) -> float:
    """Seconds to hold the cadence after its n-th consecutive failed run, jittered."""
    if nth < 1:
        return 0.0
    return _asked(nth, _strategy(waits)) * (1 + waits.jitter * (2 * rng.random() - 1))


def doubling(nth: int, first: float, most: float) -> float:
    """first, twice that, four times that … but never more than most."""
    return _asked(nth, wait_exponential(multiplier=first, max=most))


def _strategy(waits: Backoff) -> wait_base:
    if waits.initial is not None:
        longest = LONGEST if waits.max is None else waits.max
        return wait_exponential(multiplier=waits.initial, exp_base=waits.multiplier, max=longest)
    return wait_chain(*map(wait_fixed, waits.delays))


def _asked(nth: int, strategy: wait_base) -> float:
    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = nth
    return float(strategy(state))
