"""The Python that a script needs: one that has what cadencebus depends on, the checkout's own if need be."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_OWN = ROOT / ".venv" / "bin" / "python"


def find(*modules: str) -> str:
    """Find one with these modules and cadencebus's dependencies: this interpreter, or the checkout's own."""
    if all(importlib.util.find_spec(module) is not None for module in ("watchdog", *modules)):
        return sys.executable
    if _OWN.exists() and Path(sys.prefix) != _OWN.parents[1]:
        return str(_OWN)
    program = Path(sys.argv[0]).name
    sys.exit(f"{program}: no interpreter with cadencebus's dependencies; scripts/test makes one")


def use(*modules: str) -> None:
    """Start this very program anew with such an interpreter, unless this is one; let it import cadencebus."""
    python = find(*modules)
    if python != sys.executable:
        os.execv(python, [python, *sys.argv])  # noqa: S606 - the same words, to another interpreter
    sys.path.insert(0, str(ROOT))
