"""Hashes of what was seen, packed: a million of them take sixteen megabytes, where a set takes a hundred."""

from __future__ import annotations

from array import array

_AT_FIRST = 1 << 10


class HashSet:
    """A set of hashes: an open table that is half full at most; nothing is taken out of it."""

    __slots__ = ("_mask", "_size", "_table")

    def __init__(self) -> None:
        self._size = 0
        self._make_room(_AT_FIRST)

    def _make_room(self, places: int) -> None:
        self._mask = places - 1
        self._table = array("q", bytes(8 * places))

    def __len__(self) -> int:
        return self._size

    def __contains__(self, mark: int) -> bool:
        return self._table[self._place(mark)] != 0

    def _place(self, mark: int) -> int:
        """Where a mark is, or would be."""
        table, mask = self._table, self._mask
        # An empty place is 0; the two marks that share the one beside it are told apart once in 2**64.
        mark = mark or 1
        at = mark & mask
        while (there := table[at]) and there != mark:
            at = (at + 1) & mask
        return at

    def add(self, mark: int) -> bool:
        """Remember a mark; False where it is known."""
        at = self._place(mark)
        if self._table[at]:
            return False
        self._table[at] = mark or 1
        self._size += 1
        if 2 * self._size > self._mask:
            known = self._table
            self._make_room(2 * len(known))
            for old in known:
                if old:
                    self._table[self._place(old)] = old
        return True
