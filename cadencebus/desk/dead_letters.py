"""Dead letters: choosing some, and taking them out of dead/ without losing a word.

A letter that leaves dead/ is first written, whole, into `state/dead-archive.jsonl`. Only then its raw bytes
go, and the letter last: whatever a crash leaves can be taken out again, and stands in the archive twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.desk.lookup import Found, find, listing, members_of
from cadencebus.errors import NoSuch
from cadencebus.model.foreign import instant, mapping
from cadencebus.model.naming import RAW
from cadencebus.store import archive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from cadencebus.store.paths import Home


# How many letters are held whole at once.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: its file, what it says, where the bytes lie that could not be a tick."""

    found: Found
    members: dict[str, Any]
    path: str

    @property
    def outcome(self) -> dict[str, Any]:
        """How it died."""
        return mapping(self.members.get("outcome"))

    @property
    def klass(self) -> str:
        """The class of its end."""
        return str(self.outcome.get("class") or "unknown")

    @property
    def reason(self) -> str:
        """Why it died, in words; empty where nobody said."""
        return str(self.outcome.get("reason") or "")

    @property
    def died_at(self) -> float | None:
        """When it died."""
        return instant(self.outcome.get("finished_at"))

    @property
    def ended_by_hand(self) -> bool:
        """Whether it lies in done/, killed or cancelled by an operator, who may have meant another."""
        return self.found.state == "done" and self.outcome.get("status") in {"killed", "cancelled"}

    @property
    def raw(self) -> str:
        """Where its bytes lie, if they were no tick."""
        return f"{self.path}{RAW}"


def letter_of(home: Home, found: Found) -> Letter:
    """Read a letter."""
    return Letter(found, members_of(home, found), f"{home.state}/{found.place}")


def in_batches(home: Home, letters: Sequence[Found]) -> Iterator[list[Letter]]:
    """Read letters, some at a time."""
    for at in range(0, len(letters), _AT_ONCE):
        yield [letter_of(home, found) for found in letters[at : at + _AT_ONCE]]


def named(home: Home, parts: Iterable[str], *, by_hand_too: bool = False) -> list[Letter]:
    """The letters whose ids have these parts, each once; `by_hand_too`: also what an operator ended."""
    return [_named(home, part, by_hand_too=by_hand_too) for part in dict.fromkeys(parts)]


def matching(
    home: Home, *, cadence: str | None = None, klass: str | None = None, since: float | None = None
) -> list[Found]:
    """The letters of a cadence, of a class, that died since then, oldest first; without a filter all.

    Only where they lie: tens of thousands of letters, whole, are read one by one and not held.
    """
    letters = (letter_of(home, found) for found in listing(home, ("dead",), cadence))
    kept = [
        (letter.died_at or 0.0, letter.found.file, letter.found)
        for letter in letters
        if klass in {None, letter.klass} and (since is None or (letter.died_at or 0.0) >= since)
    ]
    return [found for *_, found in sorted(kept)]


def _named(home: Home, part: str, *, by_hand_too: bool) -> Letter:
    found = find(home, part)
    letter = letter_of(home, found)
    if found.state != "dead" and not (by_hand_too and letter.ended_by_hand):
        raise NoSuch(
            f"{found.name.id} is not dead: it lies in {found.folder}/",
            next_step=f"cadence show {found.name.random}",
        )
    return letter


def alone(home: Home) -> AbstractContextManager[bool]:
    """Let only one operator at a time take letters out."""
    return archive.alone(home.dead)


def take_out(home: Home, leaving: Sequence[tuple[Letter, Mapping[str, Any]]], why: str, now: float) -> None:
    """Archive letters, each with what is to be remembered of its leaving, then remove them."""
    archive.take_out(
        home,
        [archive.Leaving(path=one.path, members=one.members, more=more) for one, more in leaving],
        why,
        now,
    )
