"""Ending sessions by an operator's word: what is waited for, and for how long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cadencebus.desk import killing
from cadencebus.desk.lookup import listing
from cadencebus.store import runs
from cadencebus.store.lock import ConsumerLock
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_consumer_that_is_stopped_is_waited_for_once_and_not_for_each_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`stop --kill` of eight sessions took eight times as long, and settled none of them."""
    monkeypatch.setattr(killing, "_SETTLE_WITHIN", 0.2)
    bus = Home(str(home))
    for n in range(8):
        stamp, random = "20261121T023000.123456Z", f"7f3k9q2{n}"
        (home / "state" / "claimed" / f"5-{stamp}-x-{random}.json").write_text('{"cadence": "x"}')
        (home / "state" / "runs" / "2026-11-21" / f"{stamp}-{random}.1").mkdir(parents=True)
    ended = [(found, run) for found in listing(bus, ("claimed",)) if (run := runs.latest(bus, found.name.id))]
    assert len(ended) == 8
    began = time.monotonic()
    with ConsumerLock(bus):
        assert killing.left_of(bus, ended, 5.0) == []
    took = time.monotonic() - began
    assert 0.2 <= took < 8 * 0.2
    assert killing.left_of(bus, ended, 5.0) == []
    assert time.monotonic() - began - took < 0.2, "without a consumer nobody will settle them"
