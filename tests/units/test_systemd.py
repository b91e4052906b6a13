"""User units: right by systemd's own verdict, with every path read as it was meant."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cadencebus.policy.timetable import cron_line
from cadencebus.units.seal import Condition, condition
from cadencebus.units.site import Inexpressible, Producer, Site, Unit
from cadencebus.units.systemd import consumer, producer

if TYPE_CHECKING:
    from pathlib import Path

INBOX = Producer(
    name="inbox", line=cron_line("*/5 8-19 * * mon-fri"), zone="Europe/Berlin", jitter=90.0, delay=7.0
)


def body(unit: Unit) -> str:
    """All that systemd reads, below the two comments by which the file is known again."""
    *comments, rest = unit.text.split("\n", 2)
    assert all(comment.startswith("# ") for comment in comments)
    return rest


def values(unit: Unit, section: str) -> dict[str, list[str]]:
    """The keys of a section, each with all its values."""
    found: dict[str, list[str]] = {}
    body = unit.text.partition(f"[{section}]\n")[2].partition("\n\n")[0]
    for line in body.splitlines():
        key, _, value = line.partition("=")
        found.setdefault(key, []).append(value)
    return found


def test_the_consumer_is_restarted_and_stopped_without_its_sessions(site: Site) -> None:
    """Not restarted after 75 or 78, not stopped for a session that ran out of memory."""
    unit = consumer(site)
    assert unit.file == "cadencebus-mail-9ef88374.service"
    assert (
        body(unit)
        == """\
[Unit]
Description=cadencebus consumer of /srv/ann/mail
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=:/srv/ann/.local/bin/cadence run
Environment=CADENCE_HOME=/srv/ann/mail
Environment=PATH=/srv/ann/.local/bin:/usr/bin:/bin
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=75 78
KillMode=process
OOMPolicy=continue
TimeoutStopSec=10

[Install]
WantedBy=default.target
"""
    )


def test_no_line_of_a_unit_draws_the_next_one_in(site: Site) -> None:
    """As a backslash at its end would, of which a folder's name may have one."""
    for home in ("/srv/ann/back\\", "/srv/ann/\\\\"):
        odd = replace(site, home=home, path=home, logs=home)
        for unit in (consumer(odd), *producer(odd, INBOX)):
            for line in unit.text.splitlines():
                assert (len(line) - len(line.rstrip("\\"))) % 2 == 0, line


def test_a_cadence_is_a_timer_and_its_service(site: Site) -> None:
    """The timer carries the jitter itself, so the command has no delay."""
    service, timer = producer(site, INBOX)
    assert service.file == "cadencebus-mail-9ef88374-inbox.service"
    assert (
        body(service)
        == """\
[Unit]
Description=cadencebus tick for inbox

[Service]
Type=oneshot
ExecStart=:/srv/ann/.local/bin/cadence enqueue inbox --source systemd
Environment=CADENCE_HOME=/srv/ann/mail
"""
    )
    assert timer.file == "cadencebus-mail-9ef88374-inbox.timer"
    assert (
        body(timer)
        == """\
[Unit]
Description=cadencebus timer for inbox

[Timer]
OnCalendar=Mon..Fri *-*-* 08..19:00..55/5:00 Europe/Berlin
Persistent=true
AccuracySec=1s
RandomizedDelaySec=90s
FixedRandomDelay=true

[Install]
WantedBy=timers.target
"""
    )
    assert timer.caveats == ()


def test_what_downtime_costs_follows_catch_up(site: Site) -> None:
    """`all` is more than systemd can promise."""
    _, none = producer(site, replace(INBOX, catch_up="none"))
    _, every = producer(site, replace(INBOX, catch_up="all"))
    assert values(none, "Timer")["Persistent"] == ["false"]
    assert every.caveats == ("systemd makes up for missed firings with one: catch_up all is not kept",)


def test_an_even_interval_is_a_calendar_event(site: Site) -> None:
    """From a second on; no jitter is no key."""
    for every, event in ((900.0, "*-*-* *:00/15:00"), (1.0, "*-*-* *:*:00/1")):
        _, timer = producer(site, Producer(name="x", every=every))
        assert values(timer, "Timer") == {
            "OnCalendar": [event],
            "Persistent": ["true"],
            "AccuracySec": ["1s"],
        }
        assert timer.caveats == ()


def test_a_program_that_systemd_can_not_start_is_refused(site: Site) -> None:
    """It reads no quote in a path, whatever stands around it."""
    with pytest.raises(Inexpressible, match=r'backslash in its path: /opt/a"b$'):
        consumer(replace(site, program=('/opt/a"b', "-x")))


def test_an_uneven_interval_counts_from_the_last_firing(site: Site) -> None:
    """And says what it can't do; less than a second it can't do at all."""
    _, timer = producer(site, Producer(name="x", every=420.0))
    assert values(timer, "Timer")["OnUnitActiveSec"] == ["420s"]
    assert "stands still while the machine sleeps" in timer.caveats[0]
    _, fortnightly = producer(site, Producer(name="x", every=15 * 86400.0, jitter=12 * 86400.0))
    # systemd takes no exponent: `1.296e+06s` is an invalid unit.
    assert values(fortnightly, "Timer")["OnUnitActiveSec"] == ["1296000s"]
    assert values(fortnightly, "Timer")["RandomizedDelaySec"] == ["1036800s"]
    assert "OnCalendar" not in values(timer, "Timer")
    _, swift = producer(site, Producer(name="x", every=1.5))
    assert values(swift, "Timer")["OnActiveSec"] == ["1.5s"]
    with pytest.raises(Inexpressible, match=r"every 0\.5 s"):
        producer(site, Producer(name="x", every=0.5))


def test_every_unit_knows_itself_again(site: Site) -> None:
    """And is told from the unit of another release."""
    unit = consumer(site)
    assert condition(unit.text, unit.text) is Condition.CURRENT
    assert condition(consumer(replace(site, path="/bin")).text, unit.text) is Condition.STALE


def verify(folder: Path, units: list[Unit]) -> subprocess.CompletedProcess[str]:
    """Have systemd read the units as a user's."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")
    for unit in units:
        (folder / unit.file).write_text(unit.text)
    return subprocess.run(
        [program, "--user", "verify", *(str(folder / unit.file) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)},
    )


def test_systemd_finds_nothing_wrong_with_the_units(nasty: Site, tmp_path: Path) -> None:
    """Also where paths are full of what means something to it, and for every kind of timer."""
    program = tmp_path / "a b%h $c;d" / "cadence"
    program.parent.mkdir()
    shutil.copy("/bin/true", program)
    here = replace(nasty, program=(str(program), "100%", "$HOME", 'x"y\\z'))
    cadences = [
        INBOX,
        Producer(name="a.b_c-d", line=cron_line("0 9 1 * mon#1")),
        Producer(name="even", every=900.0, catch_up="none"),
        Producer(name="uneven", every=420.0),
    ]
    units = [consumer(here), *(unit for cadence in cadences for unit in producer(here, cadence))]
    verdict = verify(tmp_path, units)
    assert (verdict.stdout + verdict.stderr, verdict.returncode) == ("", 0)


@pytest.mark.parametrize("letter", ['"', "'", "\\"])
def test_a_program_that_systemd_would_not_start_is_refused(site: Site, letter: str) -> None:
    """It allows no quotes in the path of a program, however they are escaped."""
    with pytest.raises(Inexpressible, match="quote or backslash"):
        consumer(replace(site, program=(f"/opt/ann{letter}s/cadence",)))


def test_systemd_would_have_found_something(site: Site, tmp_path: Path) -> None:
    """A misspelt key or calendar shows in the verdict, so silence means something."""
    service, timer = producer(replace(site, program=("/bin/true",)), INBOX)
    broken = replace(timer, text=timer.text.replace("Mon..Fri", "Mon..Fry"))
    assert "Fry" in verify(tmp_path, [service, broken]).stderr


def test_systemd_reads_the_words_back_as_they_were(nasty: Site) -> None:
    """Its escapes undone by a small reader of our own: %% is %, quotes keep a word together."""
    here = replace(nasty, home=nasty.home + "\\n\\")
    unit = consumer(here)
    for line in values(unit, "Service")["Environment"]:
        name, _, value = unquoted(line).partition("=")
        assert value == here.environment[name]
    command = values(unit, "Service")["ExecStart"][0]
    assert command == ':"/opt/a b%%h/cadence" -x 100%% run'


def unquoted(word: str) -> str:
    """One word of a unit file, as systemd.syntax(7) has it."""
    if word.startswith('"'):
        word = re.sub(r"\\(.)", r"\1", word[1:-1])
    return word.replace("%%", "%")


def test_the_units_are_well_formed_sections(site: Site) -> None:
    """Nothing stands outside a section but comments."""
    for unit in (consumer(site), *producer(site, INBOX)):
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.read_string(unit.text)
        assert parser.sections()[0] == "Unit"
