"""JSON read strictly: UTF-8, no BOM, no duplicate keys, no NaN or Infinity, not deeper than allowed.

What a lenient reader forgives, the next reader (jq, another language) may read differently; a tick
must mean one thing to everybody.
"""

from __future__ import annotations

import math

from cadencebus.errors import BadData
from cadencebus.model import json_in_c

MAX_DEPTH = 64


class BadJSON(BadData):
    """Bytes that are not strict JSON; `code` names the fault."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def loads(data: bytes, max_depth: int = MAX_DEPTH) -> object:
    """Parse one JSON document, or say in a `BadJSON` why not."""
    if data.startswith(b"\xef\xbb\xbf"):
        raise BadJSON("not_json", "not JSON: starts with a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJSON(
            "not_utf8", f"not UTF-8: byte {data[error.start]:#04x} at offset {error.start}"
        ) from None
    # The C parser recurses: measure the depth before it does.
    if data.count(b"[") + data.count(b"{") > max_depth and depth(text) > max_depth:
        raise BadJSON("too_deep", f"nested over {max_depth} deep")
    try:
        value = _read(text)
    except BadJSON:
        raise
    except (ValueError, RecursionError) as error:
        raise BadJSON("not_json", f"not JSON: {error}") from None
    if "\\ud" in text or "\\uD" in text:
        _refuse_lone_surrogates(value)
    return value


def depth(text: str) -> int:
    """How deep brackets nest outside of strings."""
    deepest = level = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            level += 1
            deepest = max(deepest, level)
        elif char in "]}":
            level -= 1
    return deepest


def nesting(value: object) -> int:
    """How deep a value nests."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(nesting, inside), default=0)


def dumps(value: object) -> bytes:
    """Spell a value as one line of JSON, readable for people and for jq."""
    return _write(value).encode() + b"\n"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadJSON("not_json", f"not strict JSON: the key {twice[:80]!r} stands twice")
    return members


def _refuse_constant(name: str) -> object:
    raise BadJSON("not_json", f"not strict JSON: {name}")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise BadJSON("not_json", f"not strict JSON: the number {text[:40]} is out of range")
    return number


def _refuse_lone_surrogates(value: object) -> None:
    try:
        _write(value).encode()
    except UnicodeEncodeError:
        raise BadJSON("not_json", "not strict JSON: half of a surrogate pair") from None


_read = json_in_c.reader(pairs=_unique, number=_finite, constant=_refuse_constant)
_write = json_in_c.writer()
