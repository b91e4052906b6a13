"""What a key of a file may hold: one `Key` each, a type that reads it and says what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cadencebus.model import duration
from cadencebus.model.naming import is_cadence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Wrong(ValueError):
    """A value that is not allowed; `path` leads to it from the key, `allowed` says what is."""

    def __init__(self, allowed: str, *path: str | int) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.path = path

    def below(self, step: str | int) -> Wrong:
        """The same fault, seen from one step further out."""
        return Wrong(self.allowed, step, *self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of value: how it is read, how it is described, what JSON Schema says of it."""

    read: Callable[[Any], Any]
    allowed: str
    schema: Mapping[str, Any]

    def __call__(self, value: object) -> object:
        """Read a value or raise `Wrong`."""
        try:
            return self.read(value)
        except Wrong:
            raise
        except (ValueError, TypeError, OverflowError):
            raise Wrong(self.allowed) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a file."""

    kind: Kind
    default: Any
    help: str


def _must(condition: object) -> None:
    if not condition:
        raise ValueError


def _text(value: Any) -> str:
    _must(isinstance(value, str) and "\0" not in value)
    return str(value)


def _flag(value: Any) -> bool:
    _must(isinstance(value, bool))
    return bool(value)


def whole(low: int, high: int | None = None) -> Kind:
    """A whole number in a range."""

    def read(value: Any) -> int:
        _must(
            isinstance(value, int)
            and not isinstance(value, bool)
            and value >= low
            and (high is None or value <= high)
        )
        return int(value)

    said = f"a whole number from {low} to {high}" if high is not None else f"a whole number, {low} or more"
    return Kind(
        read=read,
        allowed=said,
        schema={"type": "integer", "minimum": low} | ({"maximum": high} if high is not None else {}),
    )


def number(*, above: float = 0.0, least: bool = False) -> Kind:
    """A finite number above (or from) a bound."""

    def read(value: Any) -> float:
        _must(isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value))
        _must(value >= above if least else value > above)
        return float(value)

    word = "minimum" if least else "exclusiveMinimum"
    return Kind(
        read=read,
        allowed=f"a number {'from' if least else 'above'} {above:g}",
        schema={"type": "number", word: above},
    )


def one_of(*words: str) -> Kind:
    """One of some words."""

    def read(value: Any) -> str:
        _must(isinstance(value, str) and value in words)
        return str(value)

    return Kind(read=read, allowed="one of " + ", ".join(words), schema={"enum": list(words)})


def optional(kind: Kind) -> Kind:
    """The same, or null."""
    return Kind(
        read=lambda value: None if value is None else kind(value),
        allowed=kind.allowed,
        schema={"anyOf": [dict(kind.schema), {"type": "null"}]},
    )


def list_of(kind: Kind, *, least: int = 0, alone: bool = False) -> Kind:
    """A list; `alone`: a single value stands for a list of one."""

    def read(value: Any) -> tuple[Any, ...]:
        if alone and not isinstance(value, list):
            return (kind(value),)
        _must(isinstance(value, list) and len(value) >= least)
        items = []
        for at, item in enumerate(value):
            try:
                items.append(kind(item))
            except Wrong as wrong:
                raise wrong.below(at) from None
        return tuple(items)

    schema: dict[str, Any] = {"type": "array", "items": dict(kind.schema)} | (
        {"minItems": least} if least else {}
    )
    said = f"a list, each {kind.allowed}"
    if alone:
        return Kind(
            read=read, allowed=f"{kind.allowed}, or {said}", schema={"anyOf": [dict(kind.schema), schema]}
        )
    return Kind(read=read, allowed=said, schema=schema)


def map_of(keys: Mapping[str, Key], build: Callable[..., Any]) -> Kind:
    """A map of known keys; those that are missing keep their defaults."""

    def read(value: Any) -> Any:
        _must(isinstance(value, dict))
        return build(**read_keys(value, keys))

    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: dict(key.kind.schema) for name, key in keys.items()},
    }
    return Kind(read=read, allowed="a map with " + ", ".join(keys), schema=schema)


def read_keys(value: Mapping[str, Any], keys: Mapping[str, Key]) -> dict[str, Any]:
    """Every key's value or default; the first that is wrong is raised with its path."""
    for name in value:
        if name not in keys:
            raise Wrong(f"unknown key; known: {', '.join(keys)}", name)
    result = {}
    for name, key in keys.items():
        if name not in value:
            result[name] = key.default
            continue
        try:
            result[name] = key.kind(value[name])
        except Wrong as wrong:
            raise wrong.below(name) from None
    return result


def _cadence_name(value: Any) -> str:
    _must(is_cadence(value))
    return str(value)


def _environment(value: Any) -> tuple[tuple[str, str], ...]:
    _must(isinstance(value, dict))
    pairs = []
    for name, text in value.items():
        good = isinstance(name, str) and name and "=" not in name and "\0" not in name
        if not good or isinstance(text, bool) or not isinstance(text, str | int | float) or "\0" in str(text):
            raise Wrong("a map of names to texts", str(name))
        pairs.append((name, str(text)))
    return tuple(pairs)


TEXT = Kind(read=_text, allowed="a text", schema={"type": "string"})
FLAG = Kind(read=_flag, allowed="true or false", schema={"type": "boolean"})
DURATION = Kind(
    read=duration.parse_duration,
    allowed=duration.ALLOWED,
    schema={
        "anyOf": [
            {"type": "number", "minimum": 0, "maximum": duration.LONGEST},
            {"type": "string", "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*(ms|s|m|h|d)?\s*$"},
        ]
    },
)
CADENCE = Kind(
    read=_cadence_name,
    allowed="the name of a cadence",
    schema={"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
)
ENVIRONMENT = Kind(
    read=_environment,
    allowed="a map of names to texts",
    schema={"type": "object", "additionalProperties": {"type": ["string", "number"]}},
)
WORD = Kind(
    read=lambda value: _text(value) if value else _must(condition=False),
    allowed="a text that is not empty",
    schema={"type": "string", "minLength": 1},
)


def _argument(value: Any) -> str:
    # `[sleep, 5]` and `[true]` are what people write: numbers and booleans go back to their text.
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else _text(value)


ARGUMENT = Kind(read=_argument, allowed="a text", schema={"type": ["string", "number", "boolean"]})
COMMAND = list_of(ARGUMENT, least=1)
