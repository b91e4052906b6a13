"""A complaint: something that is not well, and what to type."""

from __future__ import annotations

from typing import NamedTuple


class Complaint(NamedTuple):
    """Something that is not well, and what to type."""

    what: str
    do: str = ""

    def __str__(self) -> str:
        """One line, as monitoring shows it."""
        return f"{self.what}: {self.do}" if self.do else self.what

    def dump(self) -> dict[str, str]:
        """As JSON."""
        return {"what": self.what, "do": self.do}
