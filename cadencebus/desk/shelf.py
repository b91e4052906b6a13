"""What was found in a folder or file, kept for as long as it stands still: a look that costs one stat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cadencebus.store.glance import Glance, glance, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Shelf:
    """Keeps what was made of some paths until one of them changes."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[Glance | None, ...], Any]] = {}

    def keep(self, what: str, paths: tuple[str, ...], make: Callable[[], T]) -> T:
        """What was made before, or made anew where a path changed since."""
        try:
            now = tuple(glance(path) for path in paths)
        except OSError:
            # What can't even be looked at is no ground to trust anything.
            return make()
        before = self._kept.get(what)
        if before is not None and all(map(unchanged, before[0], now)):
            made: T = before[1]
            return made
        fresh = make()
        self._kept[what] = (now, fresh)
        return fresh
