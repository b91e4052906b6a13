"""Looking a tick up: what its file says is shown, however much its past has added to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cadencebus.desk.lookup import find, members_of
from cadencebus.model import strictjson
from cadencebus.store.paths import Home

if TYPE_CHECKING:
    from pathlib import Path

ID = "20261121T023000.123456Z-7f3k9q2m"


def test_what_a_tick_of_many_mebibytes_says_can_be_read(home: Path) -> None:
    """A hundred thousand ticks that it absorbed stand in its outcome."""
    absorbed = [ID] * 130_000
    day = home / "state" / "done" / "2026-11-21"
    day.mkdir()
    file = day / f"5-{ID[:23]}-work-{ID[24:]}.json"
    file.write_bytes(strictjson.dumps({"cadence": "work", "outcome": {"status": "ok", "absorbed": absorbed}}))
    assert file.stat().st_size > 4 << 20
    there = Home(str(home))
    assert members_of(there, find(there, ID))["outcome"]["absorbed"] == absorbed


def test_a_tick_is_found_by_what_lies_in_its_folder(home: Path) -> None:
    """By its file's name, with or without `.json` and the folders before it, as `ls` gives them."""
    file = f"5-{ID[:23]}-work-{ID[24:]}"
    (home / "state" / "dead" / f"{file}.json").write_text('{"cadence": "work"}')
    for part in (f"{file}.json", file, f"state/dead/{file}.json", f"20261121T030000.000000Z~{file}"):
        assert find(Home(str(home)), part).name.id == ID
