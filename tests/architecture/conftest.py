"""What the tests of the house look at: the modules of the package, as parsed text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """Give the folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def modules() -> dict[str, ast.Module]:
    """Parse every module of the package, by its dotted name; a folder's own is called like the folder."""
    found = {}
    for path in sorted((ROOT / "cadencebus").rglob("*.py")):
        words = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(words[:-1] if words[-1] == "__init__" else words)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    return found
