"""File names in order, packed: a million of them take little more room than their letters."""

from __future__ import annotations

from bisect import bisect_right, insort
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# No file name has it, and it comes before all that they have: texts stand in the order of their first names.
_END = "\0"
# Just after the bundle that begins with a name, and before one that begins with a later name.
_AFTER = "\1"
_LAST = "\U0010ffff"
# Small enough to be taken apart in microseconds.
_A_BUNDLE = 32


class PackedNames:
    """A set of file names that knows their order.

    A name of its own costs Python some fifty bytes more than its letters, a place in a set thirty, one in
    a list eight. So there are only texts of a few dozen names each, and a list of those, in order.
    """

    __slots__ = ("_bundles", "_size")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._bundles: list[str] = []
        self._size = 0
        some: list[str] = []
        for name, _ in groupby(sorted(names)):
            some.append(name)
            if len(some) == _A_BUNDLE:
                self._append(some)
                some = []
        if some:
            self._append(some)

    def _append(self, names: list[str]) -> None:
        self._bundles.append(_bundle(names))
        self._size += len(names)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        """All of them, in order, as they are now: they may change meanwhile."""
        return (name for bundle in tuple(self._bundles) for name in _names_of(bundle))

    def __reversed__(self) -> Iterator[str]:
        """The same, from their end."""
        return (name for bundle in reversed(tuple(self._bundles)) for name in reversed(_names_of(bundle)))

    def __contains__(self, name: str) -> bool:
        at = self._place(name)
        return at >= 0 and f"{_END}{name}{_END}" in self._bundles[at]

    def _place(self, name: str) -> int:
        """The number of the bundle that holds a name, if any does; -1 where it comes before all of them."""
        return bisect_right(self._bundles, f"{_END}{name}{_AFTER}") - 1

    def add(self, name: str) -> bool:
        """Take up a name; False where it is known."""
        if name in self:
            return False
        at = max(0, self._place(name))
        names = _names_of(self._bundles[at]) if self._bundles else []
        insort(names, name)
        cut = len(names) if len(names) <= 2 * _A_BUNDLE else _A_BUNDLE
        self._bundles[at : at + 1] = [_bundle(some) for some in (names[:cut], names[cut:]) if some]
        self._size += 1
        return True

    def discard(self, name: str) -> bool:
        """Forget a name; False where it was not known."""
        if name not in self:
            return False
        at = self._place(name)
        left = self._bundles[at].replace(f"{_END}{name}{_END}", _END, 1)
        self._bundles[at : at + 1] = [left] if left != _END else []
        self._size -= 1
        return True

    def first(self) -> str | None:
        """The first in order; None where there is none."""
        return self._bundles[0][1:].partition(_END)[0] if self._bundles else None

    def front(self) -> list[str]:
        """The first few in order, without a look at how many there are."""
        return [name for bundle in self._bundles[:2] for name in _names_of(bundle)]

    def beginning_with(self, prefix: str) -> Iterator[str]:
        """Those that begin so, in order, as they are now."""
        first, end = max(0, self._place(prefix)), bisect_right(self._bundles, f"{_END}{prefix}{_LAST}")
        near = self._bundles[first:end]
        return (name for bundle in near for name in _names_of(bundle) if name.startswith(prefix))


def _bundle(names: Iterable[str]) -> str:
    return f"{_END}{_END.join(names)}{_END}"


def _names_of(bundle: str) -> list[str]:
    return bundle[1:-1].split(_END)
