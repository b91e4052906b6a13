"""What was read from folders and files, kept until one of them changes: asking again costs a stat each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from cadencebus.store.glance import Glance, glance, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class FileCache:
    """Keeps what was made of some paths until one of them changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[Glance | None, ...], Any]] = {}

    def get(self, what: str, paths: tuple[str, ...], make: Callable[[], T]) -> T:
        """What was made of these paths before; made anew where one of them changed since."""
        try:
            now = tuple(glance(path) for path in paths)
        except OSError:
            # Nobody can tell whether it has changed: nothing that is kept may be used.
            return make()
        before = self._known.get(what)
        if before is not None and all(map(unchanged, before[0], now)):
            made: T = before[1]
            return made
        fresh = make()
        self._known[what] = (now, fresh)
        return fresh
