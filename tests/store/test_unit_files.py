"""The units of a home: written whole, recorded, and told of when they are stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cadencebus.store import install_record
from cadencebus.store.fireable import fireable_cadences
from cadencebus.store.install_record import Record
from cadencebus.store.paths import Home
from cadencebus.store.stale_units import stale_units
from cadencebus.store.unit_files import Change, changes, remove, write
from cadencebus.units.plan import plan
from cadencebus.units.seal import Condition

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = "---\nrunner: command\ncommand: ['true']\n{}---\n"


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Say where systemd would look."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "systemd" / "user"


def define(home: Path, name: str, keys: str = "schedule: '*/5 * * * *'\n") -> None:
    """Write a cadence."""
    (home / "prompts" / f"{name}.md").write_text(COMMAND.format(keys))


def wanted(home: Home) -> list[Change]:
    """What is to be done for this home with systemd, as it is now."""
    record = Record(by="systemd", program=("/bin/true",), path="/bin", started=True)
    install_record.save(home, record)
    fireable = fireable_cadences(home)
    made = plan("systemd", record.site(home), fireable.producers)
    return changes("systemd", record.site(home), made, keep=fireable.broken)


def test_what_was_written_is_current_and_an_edit_of_the_cadence_makes_it_stale(
    home: Path, units: Path
) -> None:
    """Silent, until something differs; then it says what, and the cure."""
    bus = Home(str(home))
    define(home, "mail")
    assert stale_units(bus) == []
    write(wanted(bus))
    assert len(list(units.iterdir())) == 3
    assert stale_units(bus) == []
    assert not any(change.needed for change in wanted(bus))
    define(home, "mail", "schedule: '*/6 * * * *'\n")
    stale = stale_units(bus)
    assert [(one.condition, one.cure) for one in stale] == [(Condition.STALE, "cadence install systemd")]
    assert stale[0].path.endswith("-mail.timer")


def test_units_that_were_written_but_never_started_are_told_of(home: Path, units: Path) -> None:
    """After a crash, or where the manager was out of reach: nothing fires, though all files are current."""
    bus = Home(str(home))
    write(wanted(bus))
    install_record.save(bus, Record(by="systemd", program=("/bin/true",), path="/bin"))
    assert "never told to start" in stale_units(bus)[0].what


def test_units_of_a_cadence_that_lost_its_schedule_go_but_those_of_a_broken_one_stay(
    home: Path, units: Path
) -> None:
    """A typing error costs nobody his timer."""
    bus = Home(str(home))
    define(home, "mail")
    define(home, "news")
    write(wanted(bus))
    define(home, "mail", "scheddule: '*/5 * * * *'\n")
    assert stale_units(bus) == []
    define(home, "news", "")
    assert [one.condition for one in stale_units(bus)] == [Condition.STALE, Condition.STALE]
    remove(wanted(bus))
    left = sorted(path.name.rpartition("-")[2] for path in units.iterdir())
    assert left[-2:] == ["mail.service", "mail.timer"]
    assert len(left) == 3


def test_what_a_person_wrote_is_kept_beside(home: Path, units: Path) -> None:
    """An edited unit is known by its fingerprint; a foreign one of our name is never taken away."""
    bus = Home(str(home))
    define(home, "mail")
    write(wanted(bus))
    timer = next(units.glob("*.timer"))
    timer.write_text(timer.read_text() + "# mine\n")
    assert [one.condition for one in stale_units(bus)] == [Condition.EDITED]
    write(wanted(bus))
    assert timer.with_name(f"{timer.name}.before-cadence").read_text().endswith("# mine\n")
    assert stale_units(bus) == []
    foreign = units / timer.name.replace("mail", "other")
    foreign.write_text("[Timer]\n")
    remove(wanted(bus))
    assert foreign.exists()


def test_a_write_that_fails_leaves_everything_as_it_was(home: Path, units: Path) -> None:
    """All texts are written aside before the first name is changed."""
    bus = Home(str(home))
    define(home, "mail")
    needed = wanted(bus)
    units.mkdir(parents=True)
    (units / f".{needed[-1].file}.cadence-new").mkdir()
    with pytest.raises(OSError, match="cadence-new"):
        write(needed)
    assert [path.name for path in units.iterdir()] == [f".{needed[-1].file}.cadence-new"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"by": "upstart", "program": ["x"], "path": ""}', "{}"])
def test_a_record_that_makes_no_sense_is_none(home: Path, text: str) -> None:
    """Nobody is told that something is stale which nobody knows of."""
    (home / "state" / "installed.json").write_text(text)
    assert install_record.load(Home(str(home))) is None
    assert stale_units(Home(str(home))) == []


def test_a_program_that_is_gone_is_the_first_thing_to_say(home: Path, units: Path) -> None:
    """All units are as they should be, and none could start."""
    install_record.save(Home(str(home)), Record(by="systemd", program=("/gone/cadence",), path="/bin"))
    assert "not a program any more" in stale_units(Home(str(home)))[0].what


def test_the_cure_brings_no_timers_to_who_wanted_none(home: Path, units: Path) -> None:
    """A consumer that was installed alone is installed alone again."""
    bus = Home(str(home))
    install_record.save(bus, Record(by="systemd", program=("/no/such",), path="/bin", consumer_only=True))
    assert [one.cure for one in stale_units(bus)] == ["cadence install systemd --consumer-only"]
