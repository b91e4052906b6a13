"""The slow rescan looks at everything, and takes only apart what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cadencebus.daemon import lookout
from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.consumer import Consumer
from cadencebus.model.naming import parse_deferred
from cadencebus.store.make_home import make
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_rescan_takes_no_known_name_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a million deferred ticks that would stop the turns for seconds, every half minute."""
    home = Home(str(tmp_path / "bus"))
    make(home)
    told: list[Any] = []
    taken_apart: list[str] = []
    consumer = Consumer(assemble(home, flags={}, say=lambda _: None))
    look = lookout.Lookout(consumer.gear, consumer.index, consumer.calendar, consumer.intake, told.append)

    def watched(file: str) -> object:
        taken_apart.append(file)
        return parse_deferred(file)

    monkeypatch.setattr(lookout, "parse_deferred", watched)
    due = "20991122T000000.000000Z~5-20261121T000000.{:06d}Z-x-abcdefgh.json"
    for number in range(3):
        (tmp_path / "bus/state/deferred" / due.format(number)).write_text('{"cadence": "x"}')
    look.rescan(lambda: None)
    assert len(told) == len(taken_apart) == 3
    (tmp_path / "bus/state/deferred" / due.format(9)).write_text('{"cadence": "x"}')
    look.look_anew()
    look.rescan(lambda: None)
    assert (len(told), taken_apart[3:]) == (4, [due.format(9)])
