"""When a limit ends, read from words."""

from __future__ import annotations

import struct
import time
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.policy.resets import reset_time

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 21, 3, 10, tzinfo=UTC)
# A zone's file: no transitions, one type, 5:30 hours ahead, called IST.
INDIA = struct.pack(">4s16x6llbb4s", b"TZif", 0, 0, 0, 0, 1, 4, 19_800, 0, 0, b"IST")


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("You've hit your session limit · resets 6:08am (UTC)", "2026-11-21T06:08"),
        ("You've hit your weekly limit · resets Nov 24, 3:08am (UTC)", "2026-11-24T03:08"),
        ("5-hour limit reached ∙ resets 3pm", "2026-11-21T15:00"),
        ("limit reached ∙ resets 3am (America/Los_Angeles)", "2026-11-21T11:00"),
        ("Your limit will reset at 3pm (Asia/Calcutta).", "2026-11-21T09:30"),
        ("resets Nov 24 at 3am (Europe/Berlin)", "2026-11-24T02:00"),
        ("resets 12am (UTC)", "2026-11-22T00:00"),
        ("resets 12:30pm (UTC)", "2026-11-21T12:30"),
        ("You're out of extra usage · resets Jan 2, 3am (UTC)", "2027-01-02T03:00"),
        ("You will regain access on 2031-01-01 at 00:00 UTC.", "2031-01-01T00:00"),
        ("purchase more credits or try again at 5:21 AM.", "2026-11-21T05:21"),
        ("Try again at Nov 24th, 2026 3:08 PM.", "2026-11-24T15:08"),
        ("Rate limited until 2026-11-22T03:00:00Z", "2026-11-22T03:00"),
        ("Please retry in 3600s.", "2026-11-21T04:10"),
        ("Please try again in 1m30s.", "2026-11-21T03:11:30"),
        ("Please try again in 500ms.", "2026-11-21T03:10:00.5"),
        ("Try again in 3 days 4 hours 5 minutes.", "2026-11-24T07:15"),
        ("Your quota will reset after 3h12m5s.", "2026-11-21T06:22:05"),
        ('"retryDelay": "34s"', "2026-11-21T03:10:34"),
        ("Claude AI usage limit reached|1795489718", "2026-11-24T03:08:38"),
    ],
)
def test_the_end_of_a_limit_is_read_from_the_words_of_every_cli(said: str, until: str) -> None:
    """Clock times, dates, waits and stamps."""
    assert (
        reset_time(said, now=NOW.timestamp(), tz=UTC) == datetime.fromisoformat(f"{until}+00:00").timestamp()
    )


@pytest.mark.parametrize(
    "said",
    [
        "",
        "Please try again later.",
        "exceeded retry limit, last status: 429 Too Many Requests",
        "resets 5 things",
        "resets 25:99am (UTC)",
        "resets Feb 30, 3am (UTC)",
        "try again in 99999 days",
        "rate limit of 30000 tokens per min reached",
    ],
)
def test_no_time_is_made_up(said: str) -> None:
    """Where nothing is said, or nonsense, the back-off decides."""
    assert reset_time(said, now=NOW.timestamp(), tz=UTC) is None


def test_a_zone_is_known_by_its_older_name_on_a_machine_that_dropped_it(tmp_path: Path) -> None:
    """Node says Asia/Calcutta, Debian 13 knows Asia/Kolkata alone: the limit seemed to end hours later."""
    kolkata = tmp_path / "Asia" / "Kolkata"
    kolkata.parent.mkdir()
    kolkata.write_bytes(INDIA)
    zoneinfo.reset_tzpath(to=[str(tmp_path)])
    ZoneInfo.clear_cache()
    try:
        told = reset_time("Your limit will reset at 3pm (Asia/Calcutta).", now=NOW.timestamp(), tz=UTC)
    finally:
        zoneinfo.reset_tzpath()
        ZoneInfo.clear_cache()
    assert told == datetime(2026, 11, 21, 9, 30, tzinfo=UTC).timestamp()


def test_a_minute_just_gone_is_not_tomorrow() -> None:
    """The words have whole minutes: at 6:08:38 `resets 6:08am` means now; an hour later it means tomorrow."""
    said = "resets 6:08am (UTC)"
    at = datetime(2026, 11, 21, 6, 8, 38, tzinfo=UTC)
    assert reset_time(said, now=at.timestamp(), tz=UTC) == at.replace(second=0).timestamp()
    late = at + timedelta(hours=1)
    assert reset_time(said, now=late.timestamp(), tz=UTC) == at.replace(day=22, second=0).timestamp()


def test_clock_times_without_a_zone_are_of_the_zone_that_is_told() -> None:
    """Codex writes the local time of its machine and nothing else."""
    tokyo = timezone(timedelta(hours=9))
    until = reset_time("try again at 5:21 PM.", now=NOW.timestamp(), tz=tokyo)
    assert until == datetime(2026, 11, 21, 17, 21, tzinfo=tokyo).timestamp()


def test_without_a_zone_the_machine_itself_is_asked() -> None:
    """The next 5:21 of the local clock, within a day."""
    until = reset_time("try again at 5:21 AM.", now=NOW.timestamp())
    assert until is not None
    assert NOW.timestamp() - 600 <= until <= NOW.timestamp() + 25 * 3600
    assert datetime.fromtimestamp(until).astimezone().strftime("%H:%M") == "05:21"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        # The second pass of a repeated hour, then a night that has no such time.
        (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (datetime(2026, 3, 29, 0, 50, tzinfo=UTC), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_limit_ends_later_than_now_whatever_clocks_do(
    now: datetime, until: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's clock is read as that of its zone is."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        for tz in (None, ZoneInfo("Europe/Berlin")):
            assert reset_time("resets 2:30am", now=now.timestamp(), tz=tz) == until.timestamp()
    time.tzset()


@given(st.text(max_size=40).map(lambda noise: f"limit resets {noise} try again at {noise}"))
def test_no_words_make_it_raise(said: str) -> None:
    """A time or none."""
    until = reset_time(said, now=NOW.timestamp(), tz=UTC)
    assert until is None or until > 0
