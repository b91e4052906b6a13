"""YAML read strictly, with the line of every key: no aliases, no tags, no duplicate keys, no surprises.

Only `true` and `false` are booleans and a time of day stays text: YAML 1.1 would read `no` as false
and `1:30` as ninety.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Self

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
# Longer numbers are nobody's settings: they stay text.
_DIGITS = 20
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

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
    try:
        for token in yaml.scan(text, Loader=_Loader):
            if isinstance(token, yaml.AliasToken | yaml.AnchorToken):
                raise BadYAML(token.start_mark.line + first_line, "anchors and aliases are not read here")
            if isinstance(token, yaml.TagToken):
                raise BadYAML(token.start_mark.line + first_line, "tags are not read here")
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line if mark else 0) + first_line
        raise BadYAML(line, f"not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BadYAML(first_line, f"not YAML: {str(error).splitlines()[0]}") from None
    document = Document()
    if node is not None:
        document.value = _build(node, (), document, first_line)
    return document


def _build(node: yaml.Node, path: Path, document: Document, first_line: int) -> object:
    line = node.start_mark.line + first_line
    document.lines.setdefault(path, line)
    if len(path) > MAX_DEPTH:
        raise BadYAML(line, f"nested over {MAX_DEPTH} deep")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document, first_line)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, at), document, first_line) for at, item in enumerate(node.value)]
    return _scalar(str(node.value), getattr(node, "style", None))


def _mapping(node: yaml.MappingNode, path: Path, document: Document, first_line: int) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + first_line
        if not isinstance(key_node, yaml.ScalarNode):
            raise BadYAML(line, "a key that is no text")
        key = key_node.value
        if key in members:
            raise BadYAML(line, f"the key {key} stands twice")
        document.lines[(*path, key)] = line
        members[key] = _build(value_node, (*path, key), document, first_line)
    return members


def _scalar(text: str, style: str | None) -> object:
    if style in {"'", '"', "|", ">"}:
        return text
    if text in {"", "~", "null"}:
        return None
    if text in {"true", "false"}:
        return text == "true"
    if _INT.fullmatch(text) and len(text) < _DIGITS:
        return int(text)
    if _FLOAT.fullmatch(text) and len(text) < _DIGITS:
        return Decimal(text)
    return text
