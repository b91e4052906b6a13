"""How a run speaks: its runner's stream, by which its output is rendered for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk.reasons import settings_of
from cadencebus.store import runs

if TYPE_CHECKING:
    from cadencebus.store.paths import Home
    from cadencebus.store.runs import RunFolder


def stream_of(home: Home, run: RunFolder) -> str:
    """The stream of the runner that the run's record names; `plain` where nobody knows it."""
    settings, _ = settings_of(home)
    runner = settings.runners.get(str((runs.record(run) or {}).get("runner")))
    return runner.stream if runner else "plain"
