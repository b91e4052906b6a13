"""Give freed memory back to the system: after a flood the C library would keep it for the next one."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def _trim() -> Callable[[int], object] | None:
    """The function, which only glibc has."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def trim_heap() -> None:
    """Return unused pages to the system, where the C library can."""
    if (trim := _trim()) is not None:
        trim(0)
