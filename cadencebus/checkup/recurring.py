"""What happens again and again: runs near their time-out, leaks, notices that fail, no gc."""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from typing import TYPE_CHECKING, Any

from cadencebus.checkup.finding import found
from cadencebus.model.foreign import amount, instant, mapping, sequence
from cadencebus.model.wording import count
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
_A_DAY = 86400.0
_LATE = 3 * _A_DAY


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


def notices(patient: Patient) -> Iterator[Finding]:
    """Notices of the last day that could not be given, by commands that nobody has changed since."""
    if not patient.settings.notify:
        return
    file = patient.home.settings
    edited = os.stat(file).st_mtime if os.path.exists(file) else 0.0
    since = max(patient.now - _A_DAY, edited)
    failed = [one for one in _told(patient, "notice.failed", 2) if (instant(one.get("at")) or 0.0) > since]
    if failed:
        what = f"{count(len(failed), 'notice')} could not be given, the last: {failed[-1].get('reason')}"
        yield found("notice.failing", what, "try the command of notify in cadence.yaml by hand")


def _recent(patient: Patient) -> dict[str, deque[dict[str, Any]]]:
    """The last runs of each cadence, as the newest journals tell of them."""
    found_: dict[str, deque[dict[str, Any]]] = {}
    for one in _told(patient, "run.ended", _DAYS):
        found_.setdefault(str(one.get("cadence")), deque(maxlen=_RUNS)).append(one)
    return found_


def _told(patient: Patient, event: str, days: int) -> Iterator[dict[str, Any]]:
    """The events of a kind that the newest journals tell of, the oldest first."""
    wanted = f'"{event}"'.encode()
    for day in journal.days(patient.home)[-days:]:
        for line in runs.tail(patient.home.journal(day), _PIECE).splitlines():
            if wanted not in line:
                continue
            with contextlib.suppress(ValueError, RecursionError):
                yield mapping(json.loads(line))


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
