"""Giving memory back: what a flood took, the C library keeps for the next one unless it is told otherwise."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def _trim() -> Callable[[int], object] | None:
    """What glibc has for it, and no other library."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """Return to the system the pages in which nothing lies any more."""
    if (trim := _trim()) is not None:
        trim(0)
