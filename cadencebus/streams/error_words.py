"""What readers have in common whose streams tell of errors in words: Codex's and Gemini's."""

from __future__ import annotations

from typing import ClassVar

from cadencebus.model.ending import Result
from cadencebus.streams.in_flight import InFlight


class ErrorWords:
    """Keeps the last error that was told; long lines are tool output, of which nothing is wanted."""

    skim: ClassVar[bytes] = b""

    def __init__(self) -> None:
        self._result: Result | None = None
        self._result_at: float | None = None
        self._complaint: str | None = None
        self._in_flight = InFlight()

    def skimmed(self) -> None:
        """Nothing is skimmed in these streams."""

    def salvage(self, _head: bytes, _tail: bytes, _now: float) -> bool:
        """Of a line too long to keep nothing is wanted."""
        return False

    def finish(self) -> None:
        """The stream has ended: an error that nothing followed was final."""
        if self._result is None and self._complaint:
            self._result = Result(subtype="error", is_error=True, text=self._complaint)
        self._in_flight.clear()
