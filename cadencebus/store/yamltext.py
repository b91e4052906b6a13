"""YAML read strictly, with the line of every key: no aliases, no tags, no duplicate keys, no surprises.

Only `true` and `false` are booleans and a time of day stays text: YAML 1.1 would read `no` as false
and `1:30` as ninety. Values are built from the parser's events: libyaml's composer recurses in C and
crashes the process on a few kilobytes of `[`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
# Longer numbers are nobody's settings: they stay text.
_DIGITS = 20
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What libyaml says, and what a person meant who made it say so.
_HINTS = {
    "scanning an alias": "a text that begins with *, such as a cron line, wants quotes",
    "scanning an anchor": "a text that begins with & wants quotes",
    "mapping values are not allowed": "look at the indentation; a text with a colon and a blank wants quotes",
    "cannot start any token": "indent with blanks, no tabs; a text that begins with @, %, ` wants quotes",
}

Path = tuple[str | int, ...]


class Decimal(float):
    """A number that remembers how it was written: the argument `1.10` is not `1.1`."""

    text: str

    def __new__(cls, text: str) -> Self:
        """Read the text as a float and keep it."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


class BadYAML(ValueError):
    """Text that is not the YAML we read; `line` says where, counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class Document:
    """A value, and the line on which each part of it stands."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """The line of a part, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def load(text: str, *, first_line: int = 1) -> Document:
    """Read one YAML document."""
    if len(text) > MAX_BYTES:
        raise BadYAML(first_line, f"over {MAX_BYTES} bytes")
    if odd := _UNPRINTABLE.search(text):
        line = first_line + text.count("\n", 0, odd.start())
        raise BadYAML(line, f"the character U+{ord(odd[0]):04X} can't stand in a text file")
    document = Document()
    document.lines[()] = first_line
    try:
        _Reader(yaml.parse(text, Loader=_Loader), document, first_line).read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # What is never closed is missed behind the last line.
        at = min(mark.line if mark else 0, text.rstrip().count("\n"))
        raise BadYAML(at + first_line, _spell(error, at, first_line)) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise BadYAML(first_line, f"not YAML: {str(error).splitlines()[0]}") from None
    return document


def _spell(error: yaml.MarkedYAMLError, at: int, first_line: int) -> str:
    said = ", ".join(part for part in (error.problem, error.context) if part)
    hint = next((f"; {hint}" for words, hint in _HINTS.items() if words in said), "")
    began = error.context_mark.line if error.context_mark else at
    where = f" for what begins on line {began + first_line}" if began < at else ""
    return f"not YAML: {error.problem or error.context}{where}{hint}"


class _Reader:
    """Builds the value of one document from the parser's events."""

    def __init__(self, events: Iterator[yaml.Event], document: Document, first_line: int) -> None:
        self._events = events
        self._document = document
        self._first_line = first_line

    def read(self) -> None:
        """Read the one document that may be there."""
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return
        self._document.value = self._build(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise BadYAML(self._line(after), "a second document: only one is read here")

    def _line(self, event: yaml.Event) -> int:
        return self._first_line + (event.start_mark.line if event.start_mark else 0)

    def _build(self, event: yaml.Event, path: Path) -> object:
        line = self._line(event)
        self._document.lines.setdefault(path, line)
        if len(path) > MAX_DEPTH:
            raise BadYAML(line, f"nested over {MAX_DEPTH} deep")
        self._refuse_magic(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event.value, event.style)
        return self._sequence(path)

    def _refuse_magic(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.NodeEvent) and event.anchor):
            said = "anchors and aliases are not read here; a text that begins with & or * wants quotes"
            raise BadYAML(self._line(event), said)
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag:
            said = "tags are not read here; a text that begins with ! wants quotes"
            raise BadYAML(self._line(event), said)

    def _mapping(self, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = self._line(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise BadYAML(line, "a key that is no text")
            self._refuse_magic(event)
            key = event.value
            if key in members:
                raise BadYAML(line, f"{key}: stands twice, first on line {self._document.lines[*path, key]}")
            self._document.lines[*path, key] = line
            members[key] = self._build(next(self._events), (*path, key))
        return members

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._build(event, (*path, len(items))))
        return items


def _scalar(text: str, style: str | None) -> object:
    if style in {"'", '"', "|", ">"}:
        return text
    if text in {"", "~", "null"}:
        return None
    if text in {"true", "false"}:
        return text == "true"
    if len(text) < _DIGITS:
        if _INT.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return Decimal(text)
    return text
