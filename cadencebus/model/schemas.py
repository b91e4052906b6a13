"""JSON Schemas of the files that people write, made from the same tables that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.model import cadence_keys, settings_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.keys import Key

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def cadence_schema() -> dict[str, Any]:
    """The schema of a cadence's front matter."""
    return _schema("The front matter of a cadence", cadence_keys.KEYS)


def settings_schema() -> dict[str, Any]:
    """The schema of cadence.yaml."""
    return _schema("cadence.yaml", settings_keys.KEYS)


def _schema(title: str, keys: Mapping[str, Key]) -> dict[str, Any]:
    properties = {name: {"description": key.help, **key.kind.schema} for name, key in keys.items()}
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }
