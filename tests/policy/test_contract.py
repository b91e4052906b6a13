"""What proves that the work was done."""

from __future__ import annotations

import pytest

from cadencebus.model.cadence import Expect
from cadencebus.policy.contract import Seen, unmet

BEGAN = 1000.0


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (None, "expected file out.md does not exist"),
        (Seen(0, BEGAN + 1), "expected file out.md is empty"),
        (Seen(1, BEGAN - 2.1), "expected file out.md was not written since the run started"),
        # File systems stamp coarsely.
        (Seen(1, BEGAN - 2.0), None),
        (Seen(1, BEGAN), None),
        (
            Seen(1, BEGAN - 0.1, changed=False),
            "expected file out.md was not written since the run started",
        ),
    ],
)
def test_a_file_proves_what_was_written_since_the_start(seen: Seen | None, said: str | None) -> None:
    """Not its mere existence."""
    expect = Expect(file=("out.md",))
    assert unmet(expect, {"out.md": seen}, proof=False, started_at=BEGAN) == said


def test_every_file_and_the_proof_are_asked_for() -> None:
    """The first that is missing is named."""
    expect = Expect(file=("a", "b"), proof=True)
    there = Seen(1, BEGAN)
    assert unmet(expect, {"a": there}, proof=True, started_at=BEGAN) == "expected file b does not exist"
    said = unmet(expect, {"a": there, "b": there}, proof=False, started_at=BEGAN)
    assert said is not None
    assert "cadence proof" in said
    assert unmet(expect, {"a": there, "b": there}, proof=True, started_at=BEGAN) is None
    assert unmet(Expect(), {}, proof=False, started_at=BEGAN) is None
