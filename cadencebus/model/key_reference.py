"""The tables of keys as texts: the reference in docs/, and the cadence.yaml that `cadence init` writes."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING

from cadencebus.model import settings_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cadencebus.model.keys import Key

# Words and measures that no reader of YAML, however old, takes for a number, a boolean or null.
_PLAIN = re.compile(
    r"(?!(?i:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][A-Za-z0-9_-]*|[0-9]+(ms|[smhd]|[KMG]iB)"
)
_HEAD = """\
## Settings of this bus. Every key is here with its default: take the # away in
## front of one to change it. Edits take effect live; a broken one keeps the
## last good settings, and `cadence check` says what is wrong. All of it in
## full: `cadence help cadence`.
"""
# What every editor shows without scrolling sideways.
_WIDTH = 79
# Where the default, which is empty, shows nobody how it is written.
EXAMPLES = {
    "max_usd_per_day": "max_usd_per_day: 20",
    "runners": "runners: {aider: {argv: [aider, --message-file, '{prompt_file}']}}",
    "gates": "gates: {load: {max_per_core: 0.9}, memory: {min_free_mb: 800}}",
    "notify": "notify: [{preset: mail, to: me@example.org, events: [dead]}]",
    "defaults": "defaults: {timeout: 20m, retries: 1}",
}


def spell(value: object) -> str:
    """A value in one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {spell(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spell(item) for item in value) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def flat(keys: Mapping[str, Key], prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Every key and the keys inside it, by dotted name."""
    for name, key in keys.items():
        yield f"{prefix}{name}", key
        yield from flat(key.kind.keys, f"{prefix}{name}.")


def table(keys: Mapping[str, Key]) -> str:
    """The reference of some keys, as a table in Markdown."""
    rows = ["| key | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, key in flat(keys):
        default = "required" if key.required else "–" if key.default is None else f"`{spell(key.default)}`"
        cells = (f"`{name}`", default, key.kind.allowed, key.help)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def commented_settings() -> str:
    """cadence.yaml with every key in a comment: what it means, what is inside it, its default."""
    lines = [_HEAD]
    for name, key in settings_keys.KEYS.items():
        lines += _comment(key.help, "## ")
        for inner, it in flat(key.kind.keys):
            lines += _comment(f"{inner}: {it.help}{_usually(it)}", "##   ")
        if name in EXAMPLES:
            lines.append(f"## e.g. {EXAMPLES[name]}")
        lines += [f"# {name}: {spell(key.default)}", ""]
    return "\n".join(lines)


def _comment(text: str, sign: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=sign, subsequent_indent=f"{sign}  ", break_on_hyphens=False
    )


def _usually(key: Key) -> str:
    return "" if key.required or key.default is None else f" ({spell(key.default)})"
