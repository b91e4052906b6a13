"""Whether a run delivered what its cadence expects: an exit status of 0 is no proof of work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cadencebus.model.cadence import Expect


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file that should prove the work looks like."""

    size: int
    written_at: float
    # Whether it is another than the one that lay there before the run; stamps alone are too coarse to tell.
    changed: bool = True


# File systems stamp in ticks of a few milliseconds, some in whole seconds.
_GRAIN = 2.0


def unmet(expect: Expect, files: Mapping[str, Seen | None], *, proof: bool, started_at: float) -> str | None:
    """Why the contract is not met; None where it is. `result` is judged by the stream."""
    for path in expect.file:
        seen = files.get(path)
        if seen is None:
            return f"expected file {path} does not exist"
        if seen.size == 0:
            return f"expected file {path} is empty"
        if not seen.changed or seen.written_at < started_at - _GRAIN:
            return f"expected file {path} was not written since the run started"
    if expect.proof and not proof:
        return "expected `cadence proof` to be called from inside the run"
    return None
