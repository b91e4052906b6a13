"""Crontab lines: read by cron and by a shell exactly as they were meant."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.policy.timetable import cron_line
from cadencebus.units.crontab import caveats, consumer_line, cron_fields, crontab, producer_line
from cadencebus.units.site import Inexpressible, Producer, Site

if TYPE_CHECKING:
    from pathlib import Path

INBOX = Producer(name="inbox", line=cron_line("*/5 8-19 * * mon-fri"))


def test_a_cadence_is_one_line(site: Site) -> None:
    """Numbers for names, the home in front of the command, errors mailed, the rest dropped."""
    assert producer_line(site, INBOX) == (
        "*/5 8-19 * * 1-5 CADENCE_HOME=/srv/ann/mail /srv/ann/.local/bin/cadence"
        " enqueue inbox --source cron >/dev/null"
    )


def test_the_consumer_starts_at_boot_under_its_supervisor(site: Site) -> None:
    """Cron restarts nothing, `cadence up` does."""
    assert consumer_line(site) == (
        "@reboot CADENCE_HOME=/srv/ann/mail PATH=/srv/ann/.local/bin:/usr/bin:/bin"
        " /srv/ann/.local/bin/cadence up >>/srv/ann/Library/Logs/cadencebus/consumer.log 2>&1"
    )


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("0 9 * jan,jul sun", "0 9 * 1,7 0"),
        ("0 9 * * 7", "0 9 * * 0"),
        ("5/15 * * * *", "5,20,35,50 * * * *"),
        ("*/7 */2 */3 * */2", "*/7 */2 */3 * */2"),
        ("*,5 0-23 1-31 1-12 *", "*,5 0-23 1-31 1-12 *"),
        ("10-20/5,30 9 1,15 * mon", "10,15,20,30 9 1,15 * 1"),
        ("@daily", "0 0 * * *"),
    ],
)
def test_fields_mean_the_same_to_every_cron(line: str, fields: str) -> None:
    """The star in front stays: it decides about summer time, and whether day or weekday is enough."""
    written = cron_fields(cron_line(line))
    assert written == fields
    meant, read = cron_line(line), cron_line(written)
    assert replace(meant, text="") == replace(read, text="")
    assert (meant.fixed, meant.either_day) == (read.fixed, read.either_day)


@pytest.mark.parametrize(
    ("every", "fields"),
    [
        (60.0, "* * * * *"),
        (300.0, "*/5 * * * *"),
        (1800.0, "*/30 * * * *"),
        (3600.0, "0 * * * *"),
        (7200.0, "0 */2 * * *"),
        (43200.0, "0 */12 * * *"),
        (86400.0, "0 0 * * *"),
    ],
)
def test_an_interval_that_divides_an_hour_or_a_day_is_a_line(site: Site, every: float, fields: str) -> None:
    """The others have no even line."""
    assert producer_line(site, Producer(name="x", every=every)).startswith(fields + " CADENCE")
    cron_line(fields)


@pytest.mark.parametrize(
    ("producer", "why"),
    [
        (Producer(name="x", every=420.0), "every 420 s"),
        (Producer(name="x", every=30.0), "every 30 s"),
        (Producer(name="x", every=90.0), "every 90 s"),
        (Producer(name="x", every=3660.0), "every 3660 s"),
        (Producer(name="x", every=5400.0), "every 5400 s"),
        (Producer(name="x", every=172800.0), "every 172800 s"),
        (Producer(name="x", every=0.5), "every 0.5 s"),
        (Producer(name="x", line=cron_line("0 0 L * *")), "no last or n-th day"),
        (Producer(name="x", line=cron_line("0 0 LW * *")), "no last or n-th day"),
        (Producer(name="x", line=cron_line("0 0 * * mon#1")), "no last or n-th day"),
        (Producer(name="x", line=cron_line("0 0 * * *,mon")), r"can't say '\*,mon'"),
        (Producer(name="x", line=cron_line("0 0 * * *"), zone="Asia/Tokyo"), "own time zone, not Asia/Tokyo"),
    ],
)
def test_what_cron_has_no_words_for_is_refused(site: Site, producer: Producer, why: str) -> None:
    """The bus's own clock keeps it."""
    with pytest.raises(Inexpressible, match=why):
        producer_line(site, producer)


def test_the_lines_of_a_home_are_its_consumer_and_its_cadences(site: Site) -> None:
    """Below the two by which they are known again."""
    other = Producer(name="other", every=3600.0)
    _, _, *lines = crontab(site, [INBOX, other]).splitlines()
    assert lines == [consumer_line(site), producer_line(site, INBOX), producer_line(site, other)]


def test_a_line_too_long_for_cron_is_refused(site: Site) -> None:
    """It would be cut silently."""
    room = 999 - len(consumer_line(replace(site, path="a")))
    assert len(consumer_line(replace(site, path="a" * room))) == 998
    with pytest.raises(Inexpressible, match=r"998 bytes a line, not 999"):
        consumer_line(replace(site, path="a" * (room + 1)))
    for part in ("/opt/tool/bin" * 80, "/\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 400):
        with pytest.raises(Inexpressible, match=r"998 bytes"):
            consumer_line(replace(site, path=part))


def test_a_backslash_is_refused(site: Site) -> None:
    """Crons differ about it."""
    with pytest.raises(Inexpressible, match="backslash"):
        consumer_line(replace(site, home="/srv/a\\b"))


def test_a_promise_that_cron_does_not_keep_is_named() -> None:
    """What was missed is gone."""
    assert caveats(replace(INBOX, catch_up="none")) == ()
    assert caveats(INBOX) == ("cron makes up for nothing that it missed: catch_up one is not kept",)


@pytest.mark.parametrize("strips", [True, False])
def test_a_shell_gets_the_words_as_they_were_meant(nasty: Site, tmp_path: Path, *, strips: bool) -> None:
    """Percent, quotes, dollar and blanks, whether this cron takes the backslash before % away or not."""
    echo = tmp_path / "50% of it"
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$CADENCE_HOME" "$@" >"$0.out"\n')
    echo.chmod(0o755)
    here = replace(nasty, program=(str(echo), "100%", "a'b", ""))
    command = producer_line(here, INBOX).split(None, 5)[5]
    assert "%" not in command.replace(r"\%", "")
    subprocess.run(["sh", "-c", command.replace(r"\%", "%") if strips else command], check=True)
    assert (tmp_path / "50% of it.out").read_text().splitlines() == [
        nasty.home,
        *("100%", "a'b", "", "enqueue", "inbox", "--source", "cron"),
    ]


def dry_running_crontab() -> str | None:
    """A crontab command that only checks: to cronie, -n means something else."""
    found = shutil.which("crontab")
    usage = subprocess.run([found, "-h"], capture_output=True, text=True, check=False) if found else None
    return found if usage and "dry run" in usage.stdout + usage.stderr else None


def test_a_real_crontab_accepts_the_block(nasty: Site, tmp_path: Path) -> None:
    """And is able to refuse one."""
    check = dry_running_crontab()
    if check is None:
        pytest.skip("no crontab command with a dry run on this machine")
    lines = ["* * * * *", "*/7 1-3,5 */2 jan-mar,dec mon-fri", "0 9 1,15 * sun", "@weekly", "59 23 31 12 *"]
    producers = [Producer(name=f"c{n}", line=cron_line(line)) for n, line in enumerate(lines)]
    table = tmp_path / "table"
    table.write_text(crontab(nasty, [*producers, Producer(name="e", every=900.0)]))
    accepted = subprocess.run([check, "-n", str(table)], capture_output=True, text=True, check=False)
    assert accepted.returncode == 0, accepted.stderr
    table.write_text("99 * * * * true\n")
    assert subprocess.run([check, "-n", str(table)], capture_output=True, check=False).returncode != 0
