"""docs/doctor.md lists every finding, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from cadencebus.checkup.finding_kinds import KINDS

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_kind_of_finding() -> None:
    """With its level, why it matters and the usual cure, word for word."""
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (\w+) \| (.*) \| (.*) \|$", page, re.MULTILINE)
    assert {kind: tuple(rest) for kind, *rest in rows} == {
        kind: tuple(known) for kind, known in KINDS.items()
    }


def test_every_kind_is_found_somewhere() -> None:
    """A kind that no check yields would be a promise."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "cadencebus").rglob("*.py"))
    assert [kind for kind in KINDS if f'found("{kind}"' not in re.sub(r"found\(\s+", "found(", text)] == []
