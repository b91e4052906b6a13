"""JSON Schemas of the files that people write, made from the same tables that read them."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from cadencebus.model import cadence_keys, settings_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.keys import Key

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOT_NULL = {"not": {"type": "null"}}


def cadence_schema() -> dict[str, Any]:
    """The schema of a cadence's front matter."""
    # What a cadence lacks may stand in the bus's `defaults`, so only what it has can be wrong.
    clashes = [
        {"not": {"required": [one, other], "properties": {one: _NOT_NULL, other: _NOT_NULL}}}
        for one, other in combinations(("schedule", "every", "once_at"), 2)
    ]
    return {**_schema("The front matter of a cadence", cadence_keys.KEYS), "allOf": clashes}


def settings_schema() -> dict[str, Any]:
    """The schema of cadence.yaml."""
    return _schema("cadence.yaml", settings_keys.KEYS)


def _schema(title: str, keys: Mapping[str, Key]) -> dict[str, Any]:
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "properties": {name: key.schema() for name, key in keys.items()},
        "additionalProperties": False,
    }
