"""The house is made of small rooms: what is longer than this is two things, or one thing said twice."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MODULE_LINES = 300
FUNCTION_LINES = 40
# Rooms that say too little in their name, and so fill up with everything.
NAMELESS = {"base", "common", "core", "helpers", "lib", "manager", "misc", "utils"}


def test_a_module_is_read_in_one_sitting(root: Path) -> None:
    """No module of the package is longer than 300 lines."""
    lengths = {path: path.read_bytes().count(b"\n") for path in (root / "cadencebus").rglob("*.py")}
    long = [f"{path.relative_to(root)}: {n} lines" for path, n in lengths.items() if n > MODULE_LINES]
    assert not long, "\n".join(sorted(long))


def test_a_function_fits_on_a_screen(modules: dict[str, ast.Module]) -> None:
    """No function of the package is longer than 40 lines, its docstring included."""
    long = [
        f"{module}:{node.lineno} {node.name}: {lines} lines"
        for module, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


def test_a_room_is_named_for_what_is_in_it(modules: dict[str, ast.Module]) -> None:
    """No module is called utils, helpers, common, manager or core."""
    nameless = [module for module in modules if NAMELESS & set(module.split("."))]
    assert not nameless, ", ".join(nameless)
