"""Where the machine stands: TZ, a link, a copy, a rule."""

from __future__ import annotations

import shutil
import zoneinfo
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cadencebus.store.zone import local_zone

SUMMER = datetime(2026, 7, 1, 12)  # noqa: DTZ001 - the zone is what is asked
DATABASE = next((Path(place) for place in zoneinfo.TZPATH if (Path(place) / "Europe/Berlin").exists()), None)


@pytest.mark.parametrize(
    ("said", "name", "hours"),
    [
        ("Europe/Berlin", "Europe/Berlin", 2),
        (":America/New_York", "America/New_York", -4),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "CET-1CEST,M3.5.0,M10.5.0/3", 2),
        ("<+0530>-5:30", "<+0530>-5:30", 5.5),
        ("", "UTC", 0),
        ("nonsense", "UTC", 0),
        ("Europe", "UTC", 0),
    ],
)
def test_tz_is_obeyed_in_all_its_spellings(said: str, name: str, hours: float) -> None:
    """A name, a name behind a colon, a rule of its own; nonsense is UTC, as the C library has it."""
    zone = local_zone({"TZ": said})
    assert (str(zone), SUMMER.replace(tzinfo=zone).utcoffset()) == (name, timedelta(hours=hours))


@pytest.mark.skipif(DATABASE is None, reason="no tz database on this machine")
def test_localtime_is_a_link_with_a_name_or_a_copy_without(tmp_path: Path) -> None:
    """A copy has the same name each time it is read: a restart is no journey."""
    assert DATABASE is not None
    path = tmp_path / "localtime"
    path.symlink_to(DATABASE / "Europe/Berlin")
    assert str(local_zone({}, str(path))) == "Europe/Berlin"
    path.unlink()
    shutil.copyfile(DATABASE / "Europe/Berlin", path)
    zone = local_zone({}, str(path))
    assert SUMMER.replace(tzinfo=zone).utcoffset() == timedelta(hours=2)
    assert local_zone({}, str(path)) is zone
    assert str(zone).startswith("local-")
    path.write_bytes(b"TZif, not")
    assert local_zone({}, str(path)) is UTC
    assert local_zone({}, str(tmp_path / "missing")) is UTC
