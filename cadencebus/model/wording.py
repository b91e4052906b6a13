"""Numbers and lists in the words of a sentence: `1 tick`, `2 ticks`; `a, b and 4 more`; `a, b or c`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 tick`, `2 ticks`; `many` is a plural that has no plain `s`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def some(things: Sequence[str], most: int = 3) -> str:
    """A few of many, and how many more there are."""
    more = f" and {len(things) - most} more" if len(things) > most else ""
    return ", ".join(things[:most]) + more


def listed(words: Sequence[str], last: str) -> str:
    """All of them, with `and` or `or` before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
