"""The bus's own clock: each firing one tick, whatever happens to files, clocks, disk and process."""

from __future__ import annotations

import contextlib
import json
import os
import random
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from cadencebus.daemon.assembly import assemble
from cadencebus.daemon.clockwork import OFTEN, Clockwork
from cadencebus.policy.due import due
from cadencebus.store import install_record, producers
from cadencebus.store.install_record import Record
from cadencebus.store.paths import Home
from cadencebus.store.unit_files import folder_of
from cadencebus.units.plan import trigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cadencebus.policy.due import Cursor, Due
    from cadencebus.policy.timetable import Timetable
    from cadencebus.units.plan import Manager
    from tests.conftest import FakeClock

HOUR, DAY = 3600.0, 86400.0
# An hour's beginning, a Monday's midnight in UTC.
MONDAY = datetime(2026, 5, 4, tzinfo=ZoneInfo("UTC")).timestamp()


class Bus:
    """A home whose clock is asked by hand; `start` is a consumer's start, as after any kind of end."""

    def __init__(self, home: Path, clock: FakeClock) -> None:
        self.home = home
        self.clock = clock
        self.said: list[str] = []
        clock.jump(MONDAY - clock.wall())
        self.start()

    def start(self) -> None:
        """Start anew: nothing is known but what is on the disk."""
        self.gear = assemble(Home(str(self.home)), flags={}, say=self.said.append)
        self.gear.clock = self.clock
        self.clockwork = Clockwork(self.gear)

    def at(self, seconds: float, *, fold: bool = False) -> list[str]:
        """Let it be so long after Monday's midnight, ask, and give the new slots that have a tick."""
        before = set(self.slots(fold=fold))
        now = seconds + MONDAY - self.clock.wall()
        if now >= 0:
            self.clock.advance(now)
        else:
            self.clock.jump(now)
        self.clockwork.turn()
        return sorted(set(self.slots(fold=fold)) - before)

    def slots(self, *, fold: bool = False) -> list[str]:
        """The slots of all ticks of inbox/; unless they may fold they are moved out of the way."""
        found = []
        for path in sorted((self.home / "state" / "inbox").glob("*.json")):
            found.append(json.loads(path.read_bytes())["slot"][5:16])
            if not fold:
                done = self.home / "state" / "done" / path.name[2:6]
                done.mkdir(exist_ok=True)
                path.rename(done / path.name)
        return found

    def define(self, name: str = "work", **keys: object) -> Path:
        """Write a prompt file, and ring as the consumer does."""
        lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in keys.items())
        path = self.home / "prompts" / f"{name}.md"
        path.write_text(f"---\nrunner: command\ncommand: ['true']\n{lines}---\nWork.\n")
        self.gear.edits += 1
        return path

    def ticks(self) -> list[dict[str, Any]]:
        """Every tick that waits, in order."""
        return [json.loads(p.read_bytes()) for p in sorted((self.home / "state" / "inbox").glob("*.json"))]

    def memory(self, name: str = "work") -> dict[str, Any]:
        """What lies on disk of a schedule."""
        members: dict[str, Any] = json.loads((self.home / "state/cadences" / f"{name}.json").read_bytes())
        return members

    def journal(self) -> list[dict[str, Any]]:
        """What was told of schedules, in order."""
        lines = b"".join(path.read_bytes() for path in sorted((self.home / "state/events").iterdir()))
        return [told for line in lines.splitlines() if (told := json.loads(line))["event"] > "schedule"]


@pytest.fixture
def bus(home: Path, fake_clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    """Make a bus in UTC, at Monday's midnight."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        yield Bus(home, fake_clock)
    time.tzset()


def test_a_new_schedule_begins_now_and_fires_at_its_time(bus: Bus) -> None:
    """The cursor is on disk at first sight; a tick is whole, and there once."""
    bus.define(schedule="0 * * * *", priority=3)
    assert bus.at(0.5 * HOUR) == []
    assert bus.memory()["schedule"]["slot"] == "2026-05-04T00:30:00.000000Z"
    assert bus.clockwork.due_in() <= OFTEN
    assert bus.at(HOUR - 0.001) == []
    assert bus.clockwork.due_in() == pytest.approx(0.001, abs=1e-6)
    bus.at(HOUR + 0.01, fold=True)
    (tick,) = bus.ticks()
    assert (tick["source"], tick["priority"], tick["slot"]) == ("schedule", 3, "2026-05-04T01:00:00.000000Z")
    assert (tick["key"], tick["payload"]) == (None, {})
    assert tick["id"].startswith("20260504T010000.000000Z-")
    assert bus.at(HOUR + 1, fold=True) == []
    fired = bus.journal()[-1]
    assert (fired["event"], fired["tick"], fired["late"]) == ("schedule.fired", tick["id"], 0.01)


def test_a_restart_neither_repeats_nor_forgets(bus: Bus) -> None:
    """What fired is settled; what came while nobody was there is caught up with, once."""
    bus.define(schedule="0 * * * *")
    bus.at(0)
    assert bus.at(HOUR) == ["05-04T01:00"]
    bus.start()
    assert bus.at(HOUR + 1) == []
    bus.start()
    assert bus.at(5.5 * HOUR) == ["05-04T05:00"]
    assert "3 missed firings got no tick of their own" in bus.journal()[-2]["reason"]
    assert bus.said == ["work: 3 missed firings got no tick of their own"]


def test_an_edit_takes_effect_at_once_and_fires_nothing_of_the_past(bus: Bus) -> None:
    """A new rule starts at the moment when it is seen."""
    bus.define(schedule="0 * * * *")
    bus.at(0)
    bus.define(schedule="*/5 * * * *")
    assert bus.clockwork.due_in() <= 0
    assert bus.at(0.9 * HOUR) == []
    assert bus.at(HOUR - 300) == ["05-04T00:55"]
    bus.define()
    assert bus.at(HOUR) == []
    bus.define(schedule="*/5 * * * *")
    assert bus.at(HOUR + 60) == []
    assert bus.at(HOUR + 300) == ["05-04T01:05"]


def test_a_broken_file_keeps_its_last_good_schedule_and_says_so_once(bus: Bus) -> None:
    """After a restart too: the rule is on disk beside the cursor."""
    path = bus.define(schedule="0 * * * *")
    bus.at(0)
    path.write_text("---\nschedule: [\n---\n")
    bus.gear.edits += 1
    assert bus.at(HOUR) == ["05-04T01:00"]
    assert bus.at(HOUR + 60) == []
    assert [line for line in bus.said if "its last good schedule goes on" in line] == bus.said
    assert len(bus.said) == 1
    assert [told["event"] for told in bus.journal()].count("schedule.kept") == 1
    bus.start()
    assert bus.at(2 * HOUR) == ["05-04T02:00"]
    bus.define(schedule="30 * * * *")
    assert bus.at(2.5 * HOUR - 1) == []
    assert bus.at(2.5 * HOUR) == ["05-04T02:30"]
    bus.define("never-right", schedule="0 99 * * *")
    assert bus.at(3 * HOUR) == []
    assert not [line for line in bus.said if "never-right" in line], "nothing good of it goes on"


def test_a_file_that_can_not_be_looked_at_stops_no_clock(bus: Bus) -> None:
    """Neither its own, which goes by what it said last, nor the others'."""
    path = bus.define(schedule="0 * * * *")
    bus.define("other", schedule="0 * * * *")
    bus.at(0)
    path.unlink()
    path.symlink_to(path.name)
    bus.gear.edits += 1
    bus.at(HOUR, fold=True)
    assert sorted(tick["cadence"] for tick in bus.ticks()) == ["other", "work"]


@pytest.mark.parametrize("by", ["enabled", "producers"])
def test_a_schedule_that_was_off_begins_anew(bus: Bus, by: str) -> None:
    """Switched off, or fired by a service manager: whenever it is the clock's again, nothing is caught up."""
    bus.define(schedule="0 * * * *", max_firings=3)
    bus.at(0)
    assert bus.at(HOUR) == ["05-04T01:00"]
    if by == "enabled":
        bus.define(schedule="0 * * * *", max_firings=3, enabled=False)
    else:
        producers.save(bus.gear.home, "systemd", ["work"])
        bus.gear.edits += 1
    assert bus.at(1.5 * HOUR) == bus.at(5.5 * HOUR) == []
    if by == "enabled":
        bus.define(schedule="0 * * * *", max_firings=3)
    else:
        producers.save(bus.gear.home, "systemd", [])
    bus.start()
    assert bus.at(6.5 * HOUR) == []
    assert bus.at(7 * HOUR) + bus.at(8 * HOUR) + bus.at(9 * HOUR) == ["05-04T07:00", "05-04T08:00"]


@pytest.mark.parametrize("manager", ["systemd", "launchd", "cron"])
def test_a_home_that_was_moved_fires_by_its_own_clock(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: Manager
) -> None:
    """Its units stayed behind: the clock takes over, says so once, and stands down when they are there."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "me" / ".config"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    crontab = tmp_path / "crontab"
    crontab.write_text("#!/bin/sh\ncat $HOME/tab 2>/dev/null || { echo no crontab >&2; exit 1; }\n")
    crontab.chmod(0o755)
    record = Record(by=manager, program=("/bin/true",), path="/bin", started=True)
    install_record.save(bus.gear.home, record)
    producers.save(bus.gear.home, manager, ["work"])
    bus.define(schedule="0 * * * *")
    bus.at(0)
    assert bus.at(HOUR) == ["05-04T01:00"]
    assert [f"{manager} was to fire work" in said for said in bus.said] == [True]
    unit = Path(folder_of(manager, os.environ)) / trigger(manager, record.site(bus.gear.home), "work")
    if manager == "cron":
        unit = tmp_path / "me" / "tab"
    unit.parent.mkdir(parents=True)
    unit.write_text(f"# BEGIN cadencebus {bus.home}\n# END cadencebus {bus.home}\n")
    bus.gear.edits += 1
    assert bus.at(1.5 * HOUR) == bus.at(2.5 * HOUR) == []


def test_a_single_moment_that_passed_while_nobody_consumed_is_caught_up(bus: Bus) -> None:
    """Written down before it, seen only after it: what was still to come then is not lost."""
    os.utime(bus.gear.home.format, (MONDAY - DAY, MONDAY - DAY))
    for name, written, keys in (
        ("missed", 0, {}),
        ("late", 0, {"catch_up": "none"}),
        ("past", 2 * HOUR, {}),
        ("brought", -2 * DAY, {"once_at": "2026-05-02T12:00Z"}),
    ):
        path = bus.define(name, **{"once_at": "2026-05-04T01:00Z", **keys})
        os.utime(path, (MONDAY + written, MONDAY + written))
    assert bus.at(3 * HOUR, fold=True) == ["05-04T01:00"]
    (tick,) = (bus.home / "state" / "inbox").iterdir()
    assert "missed" in tick.name
    bus.start()
    assert bus.at(4 * HOUR) == []


def test_in_a_full_queue_no_cadence_has_two_ticks_of_the_clocks(bus: Bus) -> None:
    """`max_inbox` stops no schedule: it has its tick, and further firings wait in that one, told of once."""
    (bus.home / "cadence.yaml").write_text("max_inbox: 2\n")
    bus.gear.settings.refresh()
    for name in ("one", "two", "three"):
        bus.define(name, schedule="0 * * * *", overlap="queue")
    bus.at(0)
    for hour in range(1, 5):
        bus.at(hour * HOUR, fold=True)
    assert bus.slots(fold=True) == ["05-04T01:00"] * 3
    journal = (bus.home / "state" / "events" / "2026-05-04.jsonl").read_text().splitlines()
    skipped = [json.loads(line)["cadence"] for line in journal if "schedule.skipped" in line]
    assert sorted(skipped) == ["one", "three", "two"]
    bus.slots()
    assert bus.at(5 * HOUR) == ["05-04T05:00"], "and as soon as they have run, it goes on"


def test_an_interval_may_be_half_a_second(bus: Bus) -> None:
    """Durations have decimals, this one, too."""
    bus.define(every="500ms", overlap="queue")
    bus.at(0)
    assert len([slot for half in range(1, 7) for slot in bus.at(half / 2)]) == 6


def test_a_file_that_is_away_for_a_while_was_downtime(bus: Bus) -> None:
    """A checkout of another branch: it comes back with what it missed, as `catch_up` says."""
    path = bus.define(schedule="0 * * * *")
    bus.at(0)
    text = path.read_text()
    path.unlink()
    bus.gear.edits += 1
    assert bus.at(3.5 * HOUR) == []
    path.write_text(text)
    bus.gear.edits += 1
    assert bus.at(3.6 * HOUR) == ["05-04T03:00"]


def test_the_emergency_stop_stops_the_clock_and_counts_as_downtime(bus: Bus) -> None:
    """Nothing is put in; afterwards one tick stands for all that was missed."""
    bus.define(schedule="0 * * * *")
    bus.at(0)
    stop = bus.home / "state" / "STOP"
    stop.touch()
    assert bus.at(HOUR) == bus.at(2 * HOUR) == []
    assert bus.clockwork.due_in() > 1
    stop.unlink()
    bus.gear.edits += 1
    assert bus.clockwork.due_in() <= 0
    assert bus.at(2.5 * HOUR) == ["05-04T02:00"]


def test_a_clock_set_back_fires_nothing_again(bus: Bus) -> None:
    """An hour twice: its slots are settled. An hour forward: caught up with."""
    bus.define(schedule="*/10 * * * *")
    bus.at(0)
    assert bus.at(600) == ["05-04T00:10"]
    assert bus.at(1200) == ["05-04T00:20"]
    for minute in range(-3, 20):
        assert bus.at(minute * 60) == []
    assert len([line for line in bus.said if "nothing fires twice" in line]) == 1
    assert bus.at(1800) == ["05-04T00:30"]
    assert bus.at(1800 + 3 * HOUR) == ["05-04T03:30"]


def test_a_journey_moves_the_slots_to_the_new_clocks(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine in the morning is nine wherever the laptop is; a cadence with a zone of its own stays there."""
    bus.define(schedule="0 9 * * *")
    bus.define("berlin", schedule="0 9 * * *", timezone="Europe/Berlin")
    bus.at(0)
    assert bus.at(7 * HOUR) == ["05-04T07:00"]
    monkeypatch.setenv("TZ", "America/New_York")
    bus.gear.edits += 1
    assert bus.at(8 * HOUR) == bus.at(9 * HOUR) == []
    assert bus.at(13 * HOUR) == ["05-04T13:00"]
    assert time.localtime(MONDAY).tm_hour == 20


def test_a_tick_that_waits_stands_for_the_next_firings(bus: Bus) -> None:
    """Behind a long run or a hold nothing piles up; a tick that somebody changed counts for itself."""
    bus.define(every="1m")
    bus.at(0)
    bus.at(60, fold=True)
    (first,) = bus.ticks()
    for minute in range(2, 30):
        bus.at(minute * 60, fold=True)
    assert bus.ticks() == [first]
    skipped = [told for told in bus.journal() if told["event"] == "schedule.skipped"]
    assert [told["tick"] for told in skipped] == [first["id"]]
    (path,) = (bus.home / "state" / "inbox").iterdir()
    path.write_text(json.dumps(first | {"payload": {"mine": 1}}))
    bus.at(30 * 60, fold=True)
    _, second = bus.ticks()
    (bus.home / "state" / "inbox" / path.name).unlink()
    (path,) = (bus.home / "state" / "inbox").iterdir()
    path.rename(bus.home / "state" / "claimed" / path.name)
    bus.at(31 * 60, fold=True)
    (third,) = bus.ticks()
    assert third["slot"] > second["slot"]


@pytest.mark.parametrize("keys", [{"overlap": "queue"}, {"overlap": "skip"}, {"ttl": "10m"}])
def test_where_every_tick_counts_none_is_folded(bus: Bus, keys: dict[str, str]) -> None:
    """With a `ttl`, the one that waits may be stale before it starts."""
    bus.define("work", every="1m", **keys)
    bus.at(0)
    for minute in range(1, 5):
        bus.at(minute * 60, fold=True)
    assert len(bus.ticks()) == 4


def test_all_that_catch_up_brings_back_is_wanted_one_by_one(bus: Bus) -> None:
    """A key keeps those ticks from being absorbed; the ordinary next one has none."""
    bus.define(schedule="0 * * * *", catch_up="all")
    bus.at(0)
    bus.at(4.5 * HOUR, fold=True)
    assert [tick["key"] for tick in bus.ticks()] == [
        f"schedule:20260504T0{h}0000.000000Z" for h in range(1, 5)
    ]
    bus.slots()
    bus.at(5 * HOUR, fold=True)
    assert [tick["key"] for tick in bus.ticks()] == [None]


def test_a_sleeping_laptop_wakes_to_one_tick(bus: Bus) -> None:
    """108 firings of every five minutes in nine hours."""
    bus.define(schedule="*/5 * * * *")
    bus.at(0)
    assert len(bus.at(9 * HOUR, fold=True)) == 1
    assert bus.journal()[-2]["count"] == 107


def test_a_single_moment_and_an_end_by_count_or_date(bus: Bus) -> None:
    """Then never again, restarts included."""
    bus.define("once", once_at="2026-05-04T01:30:00Z")
    bus.define("twice", schedule="0 * * * *", max_firings=2)
    bus.define("until", schedule="30 * * * *", expires_at="2026-05-04T02:30:00Z")
    found = []
    for half in range(12):
        bus.start()
        found += bus.at(half * HOUR / 2)
    assert found == ["05-04T00:30", "05-04T01:00", "05-04T01:30", "05-04T02:00"]
    assert sum(told["event"] == "schedule.fired" for told in bus.journal()) == 5


SENSELESS_RULE = (
    """{"schedule": {"slot": "2026-05-04T00:00:00Z", "fingerprint": "x", "rule": {"schedule": "soon"}}}"""
)


@pytest.mark.parametrize(
    "damage", ['{"schedule": 7}', '{"schedule": {"slot": "soon"}}', SENSELESS_RULE, "{", "[]"]
)
def test_a_memory_that_makes_no_sense_is_kept_aside_and_rebuilt(bus: Bus, damage: str) -> None:
    """Never taken for empty, never overwritten, reported; the schedule begins at that moment."""
    bus.define(schedule="0 * * * *")
    bus.at(0)
    (bus.home / "state/cadences/work.json").write_text(damage)
    bus.start()
    assert bus.at(5.5 * HOUR) == []
    assert bus.at(6 * HOUR) == ["05-04T06:00"]
    (aside,) = (bus.home / "state/cadences").glob("*.corrupt-*")
    assert aside.read_text() == damage
    assert aside.name in bus.said[0]


def test_a_heartbeat_fires_like_any_other(bus: Bus) -> None:
    """And follows the edits of its file."""
    path = bus.home / "HEARTBEAT.md"
    path.write_text("tasks:\n- name: triage\n  interval: 30m\n  prompt: Look.\n")
    bus.at(0)
    assert len([slot for half in range(1, 5) for slot in bus.at(half * HOUR / 2)]) == 4
    path.write_text("tasks:\n- name: triage\n  interval: often\n  prompt: Look.\n")
    bus.gear.edits += 1
    assert len([slot for half in range(5, 9) for slot in bus.at(half * HOUR / 2)]) == 4
    path.write_text("# Nothing to do\n")
    bus.gear.edits += 1
    assert bus.at(9 * HOUR) == []


class Killed(BaseException):
    """As SIGKILL: no `except` and no cleaning up, but for descriptors."""


STEPS = ("open", "write", "fsync", "link", "rename", "unlink")


FULL = OSError(28, "No space left on device")


def failing_at(monkeypatch: pytest.MonkeyPatch, nth: int, error: BaseException) -> Callable[[], int]:
    """Die or fail before the n-th system call that touches the disk; how many there were is the answer."""
    count = 0

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*words: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if count == nth:
                raise error
            return real(*words, **more)

        return call

    for name in STEPS:
        monkeypatch.setattr(os, name, counted(name))
    return lambda: count


def test_a_kill_between_any_two_steps_of_firing_loses_and_doubles_nothing(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the tick has got to by the next start: ready, running, done, dead, put off."""
    bus.define(schedule="0 * * * *", overlap="queue")
    bus.at(0)
    calls, hour, nth = 99, 0, 0
    places = ("inbox", "claimed", "done/2026-05-04", "dead", "deferred")
    (bus.home / "state/done/2026-05-04").mkdir()
    while nth < calls:
        nth, hour = nth + 1, hour + 1
        with monkeypatch.context() as patch:
            counted = failing_at(patch, nth, Killed())
            died = False
            try:
                bus.at(hour * HOUR, fold=True)
            except Killed:
                died = True
            calls = calls if died else counted()
        place = places[nth % len(places)]
        for path in (bus.home / "state/inbox").iterdir():
            late = "20270101T000000.000000Z~" if place == "deferred" else ""
            path.rename(bus.home / "state" / place / f"{late}{path.name}")
        bus.start()
        bus.at(hour * HOUR + 1, fold=True)
    assert calls > 15
    lie = (path for place in places for path in (bus.home / "state" / place).glob("*.json"))
    found = [path.name.rpartition("~")[2] for path in lie]
    stamps = sorted(name[2:17] for name in found)
    expected = [datetime.fromtimestamp(MONDAY + h * HOUR, ZoneInfo("UTC")) for h in range(1, hour + 1)]
    assert stamps == [f"{moment:%Y%m%dT%H%M%S}" for moment in expected]
    fired = {told["slot"] for told in bus.journal() if told["event"] == "schedule.fired"}
    assert len(fired) == hour


def test_a_disk_that_refuses_anywhere_costs_no_firing(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done again as soon as the disk takes files, in the same process; the tick is there once."""
    bus.define(schedule="0 * * * *", overlap="queue")
    bus.at(0)
    calls, hour = 99, 0
    while hour < calls:
        hour += 1
        with monkeypatch.context() as patch:
            counted = failing_at(patch, hour, FULL)
            with contextlib.suppress(OSError):
                bus.at(hour * HOUR, fold=True)
                calls = counted()
        assert bus.clockwork.due_in() <= 0 or len(bus.ticks()) == hour
        bus.at(hour * HOUR + 1, fold=True)
        assert len(bus.ticks()) == hour
    assert calls > 15
    assert not list((bus.home / "state" / "dead").iterdir())


def test_a_fault_in_one_schedule_stops_no_other(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told of, and tried again a minute later."""
    bus.define("bad", schedule="0 * * * *")
    bus.define("good", schedule="0 * * * *")
    bus.at(0)

    def faulty(timetable: Timetable, cursor: Cursor | None, now: float, *, written: float | None) -> Due:
        assert timetable.name == "good"
        return due(timetable, cursor, now, written=written)

    with monkeypatch.context() as patch:
        patch.setattr("cadencebus.daemon.clockwork.due", faulty)
        assert bus.at(HOUR) == ["05-04T01:00"]
    assert "bad: a fault of cadencebus itself" in bus.said[0]
    assert bus.at(HOUR + 59) == []
    assert bus.at(HOUR + 60) == ["05-04T01:00"]


@pytest.fixture(params=["none", "one", "all"])
def week(request: pytest.FixtureRequest) -> tuple[str, list[tuple[float, float]]]:
    """Give a week of ups and downs, for each `catch_up`."""
    dice = random.Random(f"week {request.param}")
    at, ups = 0.0, []
    while at < 7 * DAY:
        length = dice.choice([HOUR / 7, 3 * HOUR, 9 * HOUR]) * dice.random()
        ups.append((at, at + length))
        at += length + dice.choice([20.0, 2 * HOUR, 14 * HOUR]) * dice.random()
    return request.param, ups


def test_a_week_with_random_downtime(bus: Bus, week: tuple[str, list[tuple[float, float]]]) -> None:
    """Against a plain count: what came while up fires then; what came while down, as `catch_up` says."""
    mode, ups = week
    bus.define(schedule="30 * * * *", overlap="queue", catch_up=mode)
    found: dict[str, float] = {}
    for up, down in ups:
        bus.start()
        at = up
        while at < down:
            for slot in bus.at(at):
                assert slot not in found
                found[slot] = at
            # Exactly when it wants to be asked, were it alone.
            at += max(0.001, bus.clockwork._wake_at - bus.clock.wall())
    assert found == pytest.approx(expected_week(mode, ups), abs=0.01)


def expected_week(mode: str, ups: list[tuple[float, float]]) -> dict[str, float]:
    """Which slots get a tick, and when."""
    expected: dict[str, float] = {}
    began = ups[0][0]
    missed: list[float] = []
    slots = [(hour + 0.5) * HOUR for hour in range(7 * 24 + 24)]
    for number, (up, down) in enumerate(ups):
        missed = [slot for slot in slots if began < slot < up]
        if mode == "none":
            missed = [slot for slot in missed[-1:] if up - slot <= 60]
        elif mode == "one":
            missed = missed[-1:]
        if number:
            expected |= {spelled(slot): up for slot in missed}
        expected |= {spelled(slot): slot for slot in slots if up <= slot < down}
        began = down - 1e-6
    return expected


def spelled(slot: float) -> str:
    """As the ticks have it."""
    return f"{datetime.fromtimestamp(MONDAY + slot, ZoneInfo('UTC')):%m-%dT%H:%M}"
