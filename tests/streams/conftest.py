"""Real recordings of real CLIs: what they printed, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CAPTURES = Path(__file__).parents[1] / "golden" / "captures"


@pytest.fixture(scope="session")
def recordings() -> dict[str, tuple[str, bytes]]:
    """The stream and the standard output of each recording, by name."""
    found = {}
    for meta in sorted(CAPTURES.glob("*/meta.json")):
        stdout = meta.with_name("stdout")
        printed = stdout.read_bytes() if stdout.exists() else b""
        found[meta.parent.name] = (json.loads(meta.read_text())["stream"], printed)
    assert len(found) > 300
    return found
