"""Keys of files that people write: what each may hold, and everything that is wrong told at once.

A `Kind` reads a value and says what is allowed. Kinds are built from kinds: a list of durations, a map.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Step = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is not allowed: where, what would be, and what a mistyped word may have meant."""

    allowed: str
    path: tuple[Step, ...] = ()
    known: tuple[str, ...] = ()
    # The last step of the path names no key at all.
    unknown: bool = False


class Wrong(ValueError):
    """What was read is not allowed, in one place or in several."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(fault.allowed for fault in faults))
        self.faults = faults

    def below(self, step: Step) -> Wrong:
        """The same faults, seen from one step further out."""
        return Wrong(*(replace(fault, path=(step, *fault.path)) for fault in self.faults))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A type of value: how it is read, how it is described, what JSON Schema says of it."""

    read: Callable[[Any], Any]
    allowed: str
    schema: Mapping[str, Any]
    # The words that it takes, for "did you mean".
    words: tuple[str, ...] = ()
    # The keys inside it, for the reference.
    keys: Mapping[str, Key] = field(default_factory=dict)

    def __call__(self, value: object) -> Any:
        """Read a value or raise `Wrong`."""
        try:
            return self.read(value)
        except Wrong:
            raise
        except (ValueError, TypeError, OverflowError):
            raise Wrong(Fault(allowed=self.allowed, known=self.words)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a file; its default is written as a person would write it."""

    kind: Kind
    help: str
    default: Any = None
    required: bool = False

    def schema(self) -> dict[str, Any]:
        """What JSON Schema says of its value."""
        default = {} if self.required else {"default": self.default}
        return {"description": self.help, **self.kind.schema, **default}


def must(condition: object) -> None:
    """Refuse a value; its kind says what is allowed."""
    if not condition:
        raise ValueError


def each(parts: Iterable[tuple[Step, Any, Kind]]) -> list[Any]:
    """Every value read by its kind; all that are wrong are raised as one."""
    values: list[Any] = []
    faults: list[Fault] = []
    for step, value, kind in parts:
        try:
            values.append(kind(value))
        except Wrong as wrong:
            faults += wrong.below(step).faults
    if faults:
        raise Wrong(*faults)
    return values


def read_keys(members: Mapping[str, Any], keys: Mapping[str, Key], *, fill: bool = True) -> dict[str, Any]:
    """The value of every key, or its default; without `fill` only of those that are there."""
    known = tuple(keys)
    faults = [
        Fault(path=(name,), allowed=f"one of {', '.join(known)}", known=known, unknown=True)
        for name in members
        if name not in keys
    ]
    faults += [
        Fault(path=(name,), allowed=key.kind.allowed)
        for name, key in keys.items()
        if key.required and name not in members
    ]
    read = {name: key for name, key in keys.items() if name in members or (fill and not key.required)}
    try:
        values = each((name, members.get(name, key.default), key.kind) for name, key in read.items())
    except Wrong as wrong:
        raise Wrong(*faults, *wrong.faults) from None
    if faults:
        raise Wrong(*faults)
    return dict(zip(read, values, strict=True))


def over(upper: Mapping[str, Any], lower: Mapping[str, Any]) -> dict[str, Any]:
    """One map laid over another; a map inside that is given in part keeps the rest of what lies below."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def optional(kind: Kind) -> Kind:
    """The same, or null."""
    return Kind(
        read=lambda value: None if value is None else kind.read(value),
        allowed=kind.allowed,
        schema={"anyOf": [kind.schema, {"type": "null"}]},
        words=kind.words,
        keys=kind.keys,
    )


def list_of(kind: Kind, *, least: int = 0, alone: bool = False) -> Kind:
    """A list; `alone`: a single value stands for a list of one."""

    def read(value: Any) -> tuple[Any, ...]:
        if alone and not isinstance(value, list):
            return (kind(value),)
        must(isinstance(value, list) and len(value) >= least)
        return tuple(each((at, item, kind) for at, item in enumerate(value)))

    several: dict[str, Any] = {"type": "array", "items": kind.schema}
    if least:
        several["minItems"] = least
    return Kind(
        read=read,
        allowed=f"{kind.allowed}, or a list of them" if alone else f"a list, each item {kind.allowed}",
        schema={"anyOf": [kind.schema, several]} if alone else several,
        words=kind.words,
        keys=kind.keys,
    )


def map_of(keys: Mapping[str, Key], build: Callable[..., Any], *, fill: bool = True) -> Kind:
    """A map of known keys; those that are missing keep their defaults, or stay missing without `fill`."""

    def read(value: Any) -> Any:
        must(isinstance(value, dict))
        return build(**read_keys(value, keys, fill=fill))

    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: key.schema() for name, key in keys.items()},
        "additionalProperties": False,
    }
    if required := [name for name, key in keys.items() if key.required]:
        schema["required"] = required
    return Kind(read=read, allowed=f"a map of {', '.join(keys)}", schema=schema, keys=keys)


def named(name: Kind, kind: Kind, *, allowed: str, build: Callable[[dict[str, Any]], Any] = dict) -> Kind:
    """A map whose names the writer chooses."""

    def read(value: Any) -> Any:
        must(isinstance(value, dict))
        names = [(key, key, name) for key in value]
        items = each([*names, *((key, item, kind) for key, item in value.items())])
        return build(dict(zip(value, items[len(names) :], strict=True)))

    schema = {"type": "object", "propertyNames": name.schema, "additionalProperties": kind.schema}
    inside = {f"NAME.{key}": inner for key, inner in kind.keys.items()}
    return Kind(read=read, allowed=allowed, schema=schema, keys=inside)
