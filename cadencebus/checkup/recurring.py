"""What happens again and again: runs near their time-out, runs that leave processes behind, no gc."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from cadencebus.checkup.finding import count, found
from cadencebus.model.foreign import amount, mapping, sequence
from cadencebus.policy import retention
from cadencebus.store import gc_state, journal, runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cadencebus.checkup.finding import Finding
    from cadencebus.checkup.patient import Patient

_DAYS = 7
_PIECE = 8 << 20
_RUNS = 20
_OFTEN = 3
_NEAR = 0.8
_LATE = 3 * 86400.0


def timeouts(patient: Patient) -> Iterator[Finding]:
    """Cadences whose runs came near their time-out three times of the last twenty."""
    for name, its in _recent(patient).items():
        cadence = patient.cadences.get(name)
        if cadence is None or not cadence.timeout:
            continue
        near = [one for one in its if (amount(one.get("seconds")) or 0.0) > _NEAR * cadence.timeout]
        if len(near) >= _OFTEN:
            longest = max(amount(one.get("seconds")) or 0.0 for one in near)
            what = (
                f"{name}: {len(near)} of its last {len(its)} runs took more than 80 % of "
                f"its timeout of {cadence.timeout:g} s, the longest {longest:.0f} s"
            )
            yield found("timeout.near", what, f"raise timeout in prompts/{name}.md")


def leaks(patient: Patient) -> Iterator[Finding]:
    """Cadences whose runs left processes behind three times of the last twenty."""
    for name, its in _recent(patient).items():
        left = 0
        for one in its:
            record = runs.record(runs.named(patient.home, one.get("run")))
            left += bool(sequence(record.get("leaked")))
        if left >= _OFTEN:
            yield found("run.leaks", f"{name}: {left} of its last {len(its)} runs left processes behind")


def _recent(patient: Patient) -> dict[str, deque[dict[str, Any]]]:
    """The last runs of each cadence, as the newest journals tell of them."""
    found_: dict[str, deque[dict[str, Any]]] = {}
    for day in journal.days(patient.home)[-_DAYS:]:
        for line in runs.tail(f"{patient.home.events}/{day}.jsonl", _PIECE).splitlines():
            if b'"run.ended"' not in line:
                continue
            try:
                one = mapping(json.loads(line))
            except (ValueError, RecursionError):
                continue
            found_.setdefault(str(one.get("cadence")), deque(maxlen=_RUNS)).append(one)
    return found_


def tidiness(patient: Patient) -> Iterator[Finding]:
    """Days that should be gone by now."""
    kept = patient.settings.retention
    late: list[str] = []
    for folder, age in (("done", kept.done), ("runs", kept.runs)):
        late += (
            f"{folder}/{day}" for day in retention.days_over(patient.files(folder), age + _LATE, patient.now)
        )
    last = gc_state.load(patient.home)
    if late and (last is None or not last.doubt):
        # Runs of ticks that still wait, and what somebody put there, stay for good.
        stays = last is not None and 0 <= patient.now - last.clocks.wall < _LATE
        if not stays:
            yield found(
                "retention.late", f"{count(len(late), 'folder')} should be gone by retention: {late[0]} …"
            )
