"""Cron lines in systemd's words, checked by systemd itself where it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from cadencebus.policy.timetable import Timetable, cron_line
from cadencebus.units.oncalendar import every_on_calendar, on_calendar
from cadencebus.units.site import Inexpressible

WORDS = {
    "* * * * *": ["*-*-* *:*:00"],
    "*/5 8-19 * * mon-fri": ["Mon..Fri *-*-* 08..19:00..55/5:00"],
    "0 9 * * sun": ["Sun *-*-* 09:00:00"],
    "0 9 * * sun,mon": ["Mon,Sun *-*-* 09:00:00"],
    "0 9 * * 5-7": ["Fri..Sun *-*-* 09:00:00"],
    "30 2,14 1 jan,jul *": ["*-01,07-01 02,14:30:00"],
    "0 9 1,15 * mon": ["*-*-01,15 09:00:00", "Mon *-*-* 09:00:00"],
    "0 9 */10 * mon": ["Mon *-*-01..31/10 09:00:00"],
    "0 9 1 * 0-6": ["*-*-* 09:00:00"],
    "0 9 1-31 * mon": ["*-*-* 09:00:00"],
    "0 9 * * fri#2,mon#2": ["Mon *-*-08..14 09:00:00", "Fri *-*-08..14 09:00:00"],
    "0 0 L * *": ["*-*~01 00:00:00"],
    "0 0 15,L * *": ["*-*-15 00:00:00", "*-*~01 00:00:00"],
    "0 0 LW * *": ["Mon..Fri *-*~01 00:00:00", "Fri *-*~02 00:00:00", "Fri *-*~03 00:00:00"],
    "0 9 * * mon#1": ["Mon *-*-01..07 09:00:00"],
    "0 9 * * tue#5,wed": ["Wed *-*-* 09:00:00", "Tue *-*-29..31 09:00:00"],
    "0 9 * 5 5L": ["Fri *-05~07/1 09:00:00"],
    "0 9 */2 * mon#2": ["Mon *-*-09..13/2 09:00:00"],
}


def analyze() -> str:
    """The program that knows."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("no systemd-analyze on this machine")
    return found


@pytest.mark.parametrize(("line", "events"), WORDS.items())
def test_a_line_is_one_event_for_each_part_that_holds_by_itself(line: str, events: list[str]) -> None:
    """Weekday and date must both match, so cron's `either` is two events."""
    assert on_calendar(cron_line(line)) == events
    assert on_calendar(cron_line(line), "Asia/Tokyo") == [f"{event} Asia/Tokyo" for event in events]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("line", WORDS)
def test_systemd_elapses_when_the_timetable_fires(line: str, zone: str) -> None:
    """The next eight times of each event, merged, against our own clock's."""
    program, base = analyze(), datetime(2026, 5, 4, 7, 59, tzinfo=UTC)
    elapsed: set[datetime] = set()
    for event in on_calendar(cron_line(line), zone):
        said = subprocess.run(
            [program, "calendar", "--iterations=8", f"--base-time={base:%Y-%m-%d %H:%M:%S} UTC", event],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        ).stdout
        found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", said)
        elapsed |= {datetime.fromisoformat(text).replace(tzinfo=UTC) for text in found}
    timetable = Timetable(name="x", line=cron_line(line), zone=ZoneInfo(zone))
    ours = [datetime.fromtimestamp(slot, UTC) for slot in islice(timetable.slots(base.timestamp()), 8)]
    assert sorted(elapsed)[:8] == ours


@pytest.mark.parametrize(
    ("every", "event"),
    [
        (1.0, "*-*-* *:*:00/1"),
        (15.0, "*-*-* *:*:00/15"),
        (60.0, "*-*-* *:*:00"),
        (300.0, "*-*-* *:00/5:00"),
        (3600.0, "*-*-* *:00:00"),
        (7200.0, "*-*-* 00/2:00:00"),
        (86400.0, "*-*-* 00:00:00"),
        (90.0, None),
        (420.0, None),
        (0.5, None),
        (172800.0, None),
    ],
)
def test_an_even_interval_is_an_event_too(every: float, event: str | None) -> None:
    """One that survives sleep and reboot, where a count of seconds would not."""
    assert every_on_calendar(every) == event


def test_systemd_takes_every_even_interval() -> None:
    """Sixty seconds apart means sixty seconds apart."""
    program = analyze()
    for every in (1.0, 12.0, 60.0, 720.0, 3600.0, 14400.0, 86400.0):
        said = subprocess.run(
            [program, "calendar", "--iterations=3", every_on_calendar(every) or ""],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "TZ": "UTC", "LC_ALL": "C"},
        ).stdout
        _, second, third = (
            datetime.fromisoformat(text)
            for text in re.findall(r"(?:Next elapse|Iter\. #\d+): \w+ (\S+ \S+) UTC", said)
        )
        assert (third - second).total_seconds() == every


@pytest.mark.parametrize("line", ["0 0 */2 * 5L", "0 0 */5,L * mon#1", "0 0 */5,LW * mon"])
def test_a_last_day_that_must_be_another_as_well_is_refused(line: str) -> None:
    """There are no words for both."""
    with pytest.raises(Inexpressible, match="systemd can't say"):
        on_calendar(cron_line(line))
