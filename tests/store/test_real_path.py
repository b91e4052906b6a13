"""A folder by its one name, whatever it was called; and a home's units with it."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import pytest

from cadencebus.store import producers, unit_files
from cadencebus.store.fired_outside import fired_outside
from cadencebus.store.install_record import Record, save
from cadencebus.store.paths import Home
from cadencebus.store.real_path import real_path
from cadencebus.units.plan import plan
from cadencebus.units.site import Producer

if TYPE_CHECKING:
    from pathlib import Path

    from cadencebus.store.unit_files import Change
    from cadencebus.units.plan import Manager


def test_a_folder_is_told_by_its_real_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FSEvents tells of nothing under a link or in another case, and on a Mac Bus is bus."""
    (tmp_path / "Bus").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "Bus")
    assert real_path(str(tmp_path / "link")) == str(tmp_path / "Bus")

    def get_path(_: int, command: int, room: bytes) -> bytes:
        assert command == 50
        return b"/Volumes/Disk/Bus".ljust(len(room), b"\0")

    monkeypatch.setattr(fcntl, "F_GETPATH", 50, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", get_path)
    assert real_path(str(tmp_path / "link")) == "/Volumes/Disk/Bus"


@pytest.mark.parametrize(("by", "called"), [("systemd", "link"), ("systemd", "home"), ("launchd", "link")])
def test_units_that_were_installed_by_another_name_of_the_home_are_found(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: Manager, called: str
) -> None:
    """Through a link, or past it: who took them for lost fired each cadence a second time."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(home)
    names = {"link": Home(str(tmp_path / "link")), "home": Home(str(home))}
    record = Record(by=by, program=("/bin/true",), path="/bin")
    unit_files.write(changes(record, names[called]))
    save(names[called], record)
    producers.save(names[called], by, ["mail"])
    for name in names.values():
        assert fired_outside(name).cadences == {"mail"}
        assert not any(change.needed for change in changes(record, name))


def changes(record: Record, home: Home) -> list[Change]:
    """What an install under this name would change."""
    site = record.site(home)
    return unit_files.changes(record.by, site, plan(record.by, site, [Producer(name="mail", every=300.0)]))
