"""The model of docs/model: every reachable state keeps the invariants, and every mutant breaks one."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

MODEL = Path(__file__).parents[2] / "docs" / "model" / "bus.py"


def _model() -> ModuleType:
    spec = importlib.util.spec_from_file_location("model_of_the_bus", MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bus: Any = _model()


def test_the_bus_keeps_its_invariants_wherever_it_is_struck() -> None:
    """Kills and a power cut at any point; and from everywhere the tick can still come to its end."""
    found = bus.explore()
    assert (found.broken, found.way, found.wedged) == ("", [], 0)
    # A model that can do nothing breaks nothing.
    assert found.states > 10_000


@pytest.mark.parametrize(("mutant", "invariant"), bus.MUTANTS.items())
def test_a_mutant_breaks_an_invariant(mutant: str, invariant: str) -> None:
    """One thing left out or turned round, and there is a way to a broken promise."""
    found = bus.explore(mutant)
    assert found.broken.startswith(f"{invariant}: "), found
    assert found.way
