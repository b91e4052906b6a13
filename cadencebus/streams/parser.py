"""Reads what an agent prints: bytes of a log in, a report out, at any moment of the run.

A parser knows lines and times, no pipes and no files: whoever reads the log feeds it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from cadencebus.streams.claude import ClaudeReader
from cadencebus.streams.codex import CodexReader
from cadencebus.streams.feed import Feed, Overlong, bare
from cadencebus.streams.gemini import GeminiReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from cadencebus.model.ending import Report

# One JSON document over several lines is put together up to this size.
DOCUMENT_MOST = 1 << 20
_JSON_HEADS = (b'{"', b'[{"', b"{\n", b"[\n")


class Reader(Protocol):
    """What understands the events of one runner."""

    skim: ClassVar[bytes]
    result_heads: ClassVar[tuple[bytes, ...]]

    def event(self, event: dict[str, Any], now: float) -> bool:
        """Take an event; False where its kind is unknown."""

    def skimmed(self) -> None:
        """An event went by that starts with `skim`, unread."""

    def salvage(self, head: bytes, tail: bytes, now: float) -> bool:
        """Make what can be made of a line too long to keep."""

    def finish(self) -> None:
        """Conclude: nothing will follow."""

    def report(self) -> Report:
        """What was told so far."""


class EventParser:
    """Cuts a log into lines and hands the JSON in them to the reader of its runner."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._lines = Feed()
        self._document = bytearray()
        self._now = 0.0
        self._events = self._unknown = 0
        self._truncated = False

    def feed(self, data: bytes, now: float) -> None:
        """Take the next bytes of the log, read at this monotonic time."""
        self._now = now
        skim, skimmed = self._reader.skim, 0
        for line in self._lines.push(data):
            # Nine lines of ten are pieces of a message that comes again as a whole: their head is enough.
            if skim and line.startswith(skim):
                skimmed += 1
                self._reader.skimmed()
            else:
                self._take_line(bare(line))
        self._events += skimmed

    def finish(self) -> None:
        """Conclude: nothing will follow."""
        last = bare(self._lines.rest())
        if last.strip() and not self._take_line(last):
            self._truncated = self._is_cut(last)
        if not self._events and self._document.startswith(_JSON_HEADS):
            value = _parse(bytes(self._document))
            self._truncated = value is None
            self._take(value)
        self._document.clear()
        self._reader.finish()

    @property
    def report(self) -> Report:
        """What was told so far."""
        return replace(
            self._reader.report(),
            events=self._events,
            unknown=self._unknown,
            truncated=self._truncated,
        )

    def _take_line(self, line: bytes) -> bool:
        """Whether there was an event in it, known or not."""
        if isinstance(line, Overlong):
            taken = self._reader.salvage(line.head, line.tail, self._now)
            self._events += taken
        else:
            taken = self._take(_parse(line))
        if not taken and line.strip():
            self._unknown += 1
            if not self._events and len(self._document) < DOCUMENT_MOST:
                self._document += line + b"\n"
        return taken

    def _take(self, value: object) -> bool:
        """An event, or an array of them as `--output-format json --verbose` prints."""
        if isinstance(value, list):
            return sum(map(self._take_event, value)) > 0
        return self._take_event(value)

    def _take_event(self, event: object) -> bool:
        if not isinstance(event, dict):
            return False
        known = self._reader.event(event, self._now)
        if not known and not isinstance(event.get("type"), str):
            return False
        self._events += 1
        self._unknown += not known
        return True

    def _is_cut(self, last: bytes) -> bool:
        """Whether the last line is a piece of an event, and of one that matters."""
        if self._reader.report().result is not None:
            return last.startswith(self._reader.result_heads)
        return self._events > 0 or last.startswith(_JSON_HEADS)


def _parse(line: bytes) -> object:
    """The JSON in a line; None where there is none."""
    if line.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        value: object = json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value


READERS: dict[str, Callable[[], Reader]] = {
    "claude": ClaudeReader,
    "codex": CodexReader,
    "gemini": GeminiReader,
}


def parser_of(stream: str) -> EventParser | None:
    """What follows a run's standard output; None for a plain stream, of which nothing is read."""
    reader = READERS.get(stream)
    return EventParser(reader()) if reader else None
