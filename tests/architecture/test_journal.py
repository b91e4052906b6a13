"""The journal's words are a promise: each that the code writes stands in docs/journal.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCUMENT = Path(__file__).parents[2] / "docs" / "journal.md"
# Some are handed from function to function before they come to stand behind `"event":`.
_WANDERING = re.compile(r"(tick|run|circuit)\.[a-z_]*(ed|done|again|dead)|hold\.(set|released)")
_EVENT = re.compile(r"[a-z]+\.[a-z_]+")


def test_every_event_that_the_code_writes_is_documented(modules: dict[str, ast.Module]) -> None:
    """Whoever filters by `event` must be able to look it up."""
    nodes = [node for tree in modules.values() for node in ast.walk(tree)]
    written = {text for text in texts(nodes) if _WANDERING.fullmatch(text)}
    for node in nodes:
        if isinstance(node, ast.Dict):
            members = zip(node.keys, node.values, strict=True)
            values = [
                value for key, value in members if isinstance(key, ast.Constant) and key.value == "event"
            ]
            written |= {text for value in values for text in texts(ast.walk(value)) if _EVENT.fullmatch(text)}
    assert len(written) >= 25, "the search finds no events any more"
    documented = set(re.findall(r"`([a-z]+\.[a-z_]+)`", DOCUMENT.read_text(encoding="utf-8")))
    missing = written - documented
    assert not missing


def test_every_documented_event_is_written(modules: dict[str, ast.Module]) -> None:
    """A row of the table that nobody writes is a promise that nobody keeps."""
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    documented = {name for row in rows for name in re.findall(r"`([a-z]+\.[a-z_]+)`", row.split("|")[1])}
    assert not documented - texts(node for tree in modules.values() for node in ast.walk(tree))


def texts(nodes: Iterable[ast.AST]) -> set[str]:
    """Find the constant texts among some nodes."""
    constants = (node.value for node in nodes if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}
