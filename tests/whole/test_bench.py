"""The bench measures, says so in two ways, and draws what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]


def test_a_mode_measures_and_tells_programs() -> None:
    """One JSON object, every figure a positive number."""
    words = [sys.executable, str(ROOT / "scripts" / "bench"), "short", "put", "--json"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    figures = json.loads(ended.stdout)
    assert set(figures) == {"put_a_second", "put_of_limit", "batch_of_single", "batch_of_limit"}
    assert all(value > 0 for value in figures.values())


def test_an_unknown_mode_is_refused() -> None:
    """A slip of the pen must not measure everything for twenty minutes."""
    words = [sys.executable, str(ROOT / "scripts" / "bench"), "shrot"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "unknown: shrot" in ended.stderr


def test_the_plot_of_the_documents_is_a_picture() -> None:
    """Well-formed, and with a mark for every length of the queue."""
    root = ET.parse(ROOT / "docs" / "plots" / "flat.svg").getroot()  # noqa: S314 - our own file
    assert root.tag.endswith("svg")
    assert len([one for one in root if one.tag.endswith("circle")]) >= 2
