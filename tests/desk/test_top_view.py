"""A frame of `cadence top` fills the terminal that there is, and no more."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

from cadencebus.desk.overview import overview
from cadencebus.desk.top_view import Drawing, View
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.desk.overview import Overview

NOW = 1_795_262_400.0


@pytest.fixture
def crowded(home: Path) -> Overview:
    """Look at a home with more to show than any terminal has lines."""
    for number in range(100):
        name = f"5-20261121T0230{number % 60:02d}.{number:06d}Z-job-{number:03d}-7f3k9q2m.json"
        (home / "state" / "inbox" / name).write_text("{}")
        letter = {"cadence": "dead", "outcome": {"class": "crash", "reason": "why " * 60}}
        (home / "state" / "dead" / name.replace("-job-", "-dead-")).write_text(json.dumps(letter))
    return overview(Home(str(home)), NOW)


def test_a_frame_is_as_large_as_the_terminal(crowded: Overview) -> None:
    """Wherever one is in two hundred rows: that one is seen, the keys below it, and no line is wrapped."""
    for (width, height), chosen in product([(200, 50), (120, 30), (80, 24), (40, 16)], [0, 57, 199]):
        view = View()
        rows = view.rows(crowded.facts)
        view.move(rows, chosen)
        lines = Drawing(colour=False).frame(crowded, view, (width, height), NOW).split("\n")
        assert len(lines) == height
        assert max(map(len, lines)) <= width
        (seen,) = (line for line in lines if "▸" in line)
        assert rows[chosen].cadence in seen
        assert lines[-1].endswith("q quit")
