"""A stream without events: its bytes are signs of life, and nothing more is read into them."""

from __future__ import annotations

from dataclasses import replace

from cadencebus.model.ending import Report


class PlainParser:
    """Counts the bytes."""

    __slots__ = ("_report",)

    def __init__(self) -> None:
        self._report = Report(stream="plain")

    def feed(self, data: bytes, now: float) -> None:  # noqa: ARG002 - as every parser is fed
        """Take the next bytes of the log."""
        self._report = replace(self._report, bytes=self._report.bytes + len(data))

    def finish(self) -> None:
        """Nothing is left to conclude."""

    @property
    def report(self) -> Report:
        """How much was written."""
        return self._report
