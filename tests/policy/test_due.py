"""After downtime, clock steps, edits and journeys, each slot fires as its words promise, once."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.policy.due import MOST, STRETCHES, Cursor, Due, begin, cursor_of, due
from cadencebus.policy.timetable import Timetable, cron_line

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
MODES = ("none", "one", "all")
HOUR, DAY = 3600.0, 86400.0


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    """The moment at which clocks there show this."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


MONDAY = at("2026-05-04")
HOURLY = Timetable(name="hourly", line=cron_line("0 * * * *"), zone=BERLIN)
DAILY = Timetable(name="daily", line=cron_line("0 9 * * *"), zone=BERLIN)


class Bus:
    """Asks what is due, as the scheduler does; a file lies between any two turns."""

    def __init__(self, timetable: Timetable, since: float) -> None:
        self.timetable = timetable
        self.saved: dict[str, object] = {}
        self.fired: list[float] = []
        self.keys: list[str] = []
        self.seen: set[str] = set()
        self.turn(since)

    def turn(self, now: float, *, crash: bool = False) -> Due:
        """One turn; a crash loses the cursor but not the ticks, whose keys absorb the repetition."""
        cursor = cursor_of(json.loads(json.dumps(self.saved))) if self.saved else None
        found = due(self.timetable, cursor, now)
        for tick in found.ticks:
            if tick.key not in self.seen:
                self.fired.append(tick.slot)
            self.keys.append(tick.key)
            self.seen.add(tick.key)
        if not crash:
            self.saved = found.cursor.dump()
        return found


def clocks(moments: list[float], zone: ZoneInfo = BERLIN) -> list[str]:
    """What clocks show at these moments."""
    return [f"{datetime.fromtimestamp(moment, zone):%d %H:%M}" for moment in moments]


def test_the_first_sight_of_a_schedule_fires_nothing_of_the_past() -> None:
    """A file dropped at half past ten starts with the firing at eleven."""
    found = due(HOURLY, None, MONDAY + 10.5 * HOUR)
    assert found.ticks == ()
    assert found.wake_at == MONDAY + 11 * HOUR
    assert found.cursor == begin(HOURLY, MONDAY + 10.5 * HOUR)
    assert due(HOURLY, None, MONDAY + 10.5 * HOUR, written=MONDAY) == found, "however old the file is"


def test_a_firing_is_due_at_its_moment_and_not_again() -> None:
    """The key names the slot, so that two makers of one tick are one."""
    bus = Bus(HOURLY, MONDAY + 10.5 * HOUR)
    found = bus.turn(MONDAY + 11 * HOUR)
    assert [tick.key for tick in found.ticks] == ["schedule:20260504T090000.000000Z"]
    assert found.wake_at == MONDAY + 12 * HOUR
    assert bus.turn(MONDAY + 11 * HOUR).ticks == ()


def test_a_tick_has_the_same_id_for_ever() -> None:
    """A crash may lie between tick and cursor, and an upgrade in it: who makes it again makes this one."""
    (tick,) = due(HOURLY, begin(HOURLY, MONDAY + 10.5 * HOUR), MONDAY + 11 * HOUR).ticks
    assert tick.tick_id("brief") == "20260504T090000.000000Z-wf8ktff2"


def test_what_got_no_tick_is_told_in_words() -> None:
    """One, several, and none of a schedule that has come to its end."""
    for hours, said in ((2, None), (3, "1 missed firing got"), (4, "2 missed firings got")):
        remark = due(HOURLY, begin(HOURLY, MONDAY + HOUR), MONDAY + hours * HOUR).remark
        assert remark == (said and f"{said} no tick of their own")
    ended = due(
        replace(HOURLY, max_firings=1), begin(replace(HOURLY, max_firings=1), MONDAY, fired=1), MONDAY + DAY
    )
    assert ended == Due(ticks=(), cursor=ended.cursor, wake_at=None, skipped=0, uncounted=False, behind=0.0)
    assert ended.remark is None


def test_jitter_moves_the_firing_but_not_the_slot() -> None:
    """The tick names nine o'clock and comes some minutes later; another jitter repeats nothing."""
    late = replace(DAILY, jitter=HOUR)
    assert late.offset > 60
    bus = Bus(late, at("2026-05-04 08:00"))
    assert bus.turn(at("2026-05-04 09:00")).wake_at == at("2026-05-04 09:00") + late.offset
    (tick,) = bus.turn(at("2026-05-04 10:00")).ticks
    assert (tick.slot, tick.at) == (at("2026-05-04 09:00"), at("2026-05-04 09:00") + late.offset)
    bus.timetable = DAILY
    assert bus.turn(at("2026-05-04 10:01")).ticks == ()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("none", []), ("one", ["04 19:00"]), ("all", [f"04 {hour}:00" for hour in range(11, 20)])],
)
def test_a_laptop_that_slept_nine_hours(mode: str, expected: list[str]) -> None:
    """`none` drops what was missed, `one` brings the newest, `all` brings each."""
    bus = Bus(replace(HOURLY, catch_up=mode), at("2026-05-04 10:30"))
    found = bus.turn(at("2026-05-04 19:30"))
    assert clocks(bus.fired) == expected
    assert found.skipped == 9 - len(expected)
    assert (found.remark is None) is (mode == "all")
    assert found.wake_at == at("2026-05-04 20:00")


def test_none_still_takes_a_firing_that_is_only_late() -> None:
    """A busy consumer that comes some seconds after the hour has missed nothing."""
    bus = Bus(replace(HOURLY, catch_up="none"), MONDAY)
    assert len(bus.turn(MONDAY + HOUR + 60).ticks) == 1
    assert bus.turn(MONDAY + 2 * HOUR + 61).ticks == ()
    bus.timetable = replace(bus.timetable, name="a", jitter=600.0)
    late = MONDAY + 3 * HOUR + bus.timetable.offset + 600
    assert len(bus.turn(late).ticks) == 1


def test_all_is_bounded_and_says_so() -> None:
    """A second's interval over a night makes a thousand ticks, the newest, and one remark."""
    bus = Bus(Timetable(name="x", every=1.0, catch_up="all"), MONDAY)
    found = bus.turn(MONDAY + 9 * HOUR)
    assert len(found.ticks) == MOST
    assert found.ticks[-1].slot > MONDAY + 9 * HOUR - 1
    assert found.remark == "of more than 1000 missed firings only 1000 got a tick"
    for missed, remark in ((MOST, None), (MOST + 1, found.remark)):
        exact = due(bus.timetable, found.cursor, found.cursor.slot + missed)
        assert (len(exact.ticks), exact.remark) == (MOST, remark)


@pytest.mark.parametrize("mode", MODES)
def test_ten_years_of_downtime_cost_no_long_search(mode: str) -> None:
    """Five million missed minutes are not walked through."""
    minutely = Timetable(name="x", line=cron_line("* * * * *"), zone=BERLIN, catch_up=mode)
    asked = 0

    class Counting(Timetable):
        """Counts the slots that were looked at."""

        def slots(self, after: float):  # type: ignore[no-untyped-def] # noqa: ANN202 - a generator
            nonlocal asked
            for slot in Timetable.slots(minutely, after):
                asked += 1
                yield slot

    counting = Counting(name="x", line=minutely.line, zone=BERLIN, catch_up=mode)
    due(counting, begin(minutely, MONDAY), MONDAY + 10 * 365 * DAY)
    assert asked < 6 * MOST


def test_the_count_of_firings_ends_the_schedule() -> None:
    """Three and no more; of six missed ones, the first three."""
    bus = Bus(replace(HOURLY, max_firings=3, catch_up="all"), MONDAY)
    assert bus.turn(MONDAY + 60).wake_at == MONDAY + HOUR
    assert bus.turn(MONDAY + 6.5 * HOUR).wake_at is None
    assert clocks(bus.fired) == ["04 01:00", "04 02:00", "04 03:00"]
    assert bus.turn(MONDAY + DAY).ticks == ()


def test_a_raised_count_goes_on_from_the_edit() -> None:
    """What fell between the end and the edit was not missed: the schedule had ended."""
    bus = Bus(replace(HOURLY, max_firings=1), MONDAY)
    bus.turn(MONDAY + HOUR)
    bus.timetable = replace(HOURLY, max_firings=2)
    assert bus.turn(MONDAY + 5.5 * HOUR).ticks == ()
    bus.turn(MONDAY + 6 * HOUR)
    assert clocks(bus.fired) == ["04 01:00", "04 06:00"]
    ended = bus.turn(MONDAY + 7 * HOUR)
    assert (ended.ticks, ended.wake_at) == ((), None), "what fired before the edit counts"


def test_a_single_moment_is_caught_up_after_downtime() -> None:
    """Asleep at the moment itself: it fires at wake-up, and never again."""
    bus = Bus(Timetable(name="x", once_at=MONDAY + HOUR), MONDAY)
    assert [tick.slot for tick in bus.turn(MONDAY + 3 * HOUR).ticks] == [MONDAY + HOUR]
    assert bus.turn(MONDAY + 4 * HOUR).wake_at is None


@pytest.mark.parametrize(("written", "ticks"), [(0.5, 1), (1, 0), (2, 0), (9, 0), (None, 0)])
def test_a_single_moment_seen_too_late_was_to_come_when_it_was_written(
    written: float | None, ticks: int
) -> None:
    """Or it is a moment of the past, which nobody can have meant."""
    once = Timetable(name="x", once_at=MONDAY + HOUR)
    at = None if written is None else MONDAY + written * HOUR
    assert len(due(once, None, MONDAY + 3 * HOUR, written=at).ticks) == ticks


def test_an_edit_takes_effect_at_once_and_looks_only_forward() -> None:
    """At half past ten the line becomes `every quarter`: nothing before that moment fires by the new one."""
    bus = Bus(HOURLY, MONDAY + 9.9 * HOUR)
    bus.turn(MONDAY + 10 * HOUR)
    bus.timetable = replace(HOURLY, line=cron_line("*/15 * * * *"), catch_up="all")
    found = bus.turn(MONDAY + 10.5 * HOUR)
    assert found.ticks == ()
    assert found.wake_at == MONDAY + 10.75 * HOUR


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", [5.0, 30 * 60.0, 3 * HOUR, DAY, 400 * DAY])
def test_a_clock_set_back_fires_nothing_again(mode: str, step: float) -> None:
    """Every slot once, though clocks show its time twice; and the schedule says that it waits."""
    bus = Bus(replace(HOURLY, catch_up=mode), MONDAY)
    for minute in range(0, 600, 5):
        bus.turn(MONDAY + minute * 60)
    before = list(bus.fired)
    back = MONDAY + 600 * 60 - step
    found = bus.turn(back)
    assert found.ticks == ()
    assert found.behind == max(0.0, before[-1] - back)
    for minute in range(0, 2000, 5):
        bus.turn(back + minute * 60)
    assert len(bus.fired) == len(set(bus.fired))
    assert bus.fired == sorted(bus.fired)


@pytest.mark.parametrize("mode", MODES)
def test_a_clock_that_was_a_year_ahead_for_a_while_silences_nothing(mode: str) -> None:
    """It leaps, and is set right: the year it passed over is still to come, and nothing in it fired yet."""
    bus = Bus(replace(HOURLY, catch_up=mode), MONDAY)
    for n in range(5):
        bus.turn(MONDAY + n * HOUR)
    for n in range(3):
        bus.turn(MONDAY + 365 * DAY + n * HOUR + 1)
    ahead = list(bus.fired)
    for n in range(5, 30):
        found = bus.turn(MONDAY + n * HOUR + 1)
        assert (found.behind, found.wake_at) == (0.0, MONDAY + (n + 1) * HOUR)
    assert bus.fired[len(ahead) :] == [MONDAY + n * HOUR for n in range(5, 30)]
    for n in range(30, 366 * 24, 7):
        bus.turn(MONDAY + n * HOUR + 1)
    assert len(bus.keys) == len(set(bus.keys))


def test_a_clock_set_back_onto_an_end_of_what_was_passed_over_knows_which_end_fired() -> None:
    """Where the stretch begins all of it is to come; the slot that it ends with has had its tick."""
    bus = Bus(HOURLY, MONDAY)
    for hour in (1, 24, 25):
        bus.turn(MONDAY + hour * HOUR)
    assert bus.fired == [MONDAY + hour * HOUR for hour in (1, 24, 25)]
    over = bus.turn(MONDAY + 24 * HOUR)
    assert (over.ticks, over.behind, over.wake_at) == ((), HOUR, MONDAY + 26 * HOUR)
    back = bus.turn(MONDAY + HOUR)
    assert (back.ticks, back.behind, back.wake_at) == ((), 0.0, MONDAY + 2 * HOUR)


def test_the_longest_stretches_are_remembered_and_the_next_slot_of_all_of_them_is_waited_for() -> None:
    """Whichever came first: naps before and after the leap of a clock push it out of nobody's memory."""
    bus = Bus(replace(HOURLY, expires_at=MONDAY + 60 * HOUR), MONDAY)
    naps = range(3, 3 + 2 * STRETCHES, 2)
    for n in (*naps, 50, *range(52, 52 + STRETCHES - 2, 2), 70):
        bus.turn(MONDAY + n * HOUR)
    for here, wake in ((17, 18), (30, 31), (50, 57), (1, 2)):
        found = bus.turn(MONDAY + (here + 0.5) * HOUR)
        assert found.wake_at == MONDAY + wake * HOUR, here
    assert len(bus.keys) == len(set(bus.keys))


@pytest.mark.parametrize("mode", MODES)
def test_a_clock_that_was_a_day_ahead_silences_nothing_whatever_was_missed_meanwhile(mode: str) -> None:
    """Naps between the leap and its correction are passed over as well; the day is not forgotten for them."""
    bus = Bus(replace(HOURLY, catch_up=mode), MONDAY)
    bus.turn(MONDAY + HOUR)
    naps = range(24, 24 + 5 * STRETCHES, 4)
    for n in naps:
        bus.turn(MONDAY + n * HOUR + 1)
    assert len(cursor_of(bus.saved).passed_over) == (0 if mode == "all" else STRETCHES)
    ahead = list(bus.fired)
    for n in range(2, 24):
        bus.turn(MONDAY + n * HOUR + 1)
    # What is caught up with under `all` has fired already.
    due_now = [] if mode == "all" else [MONDAY + n * HOUR for n in range(2, 24) if n < naps[0]]
    assert bus.fired[len(ahead) :] == due_now
    for n in range(24, naps[-1] + 3):
        bus.turn(MONDAY + n * HOUR + 1)
    assert len(bus.keys) == len(set(bus.keys))


def test_a_machine_that_wakes_in_1970_waits_for_the_right_time() -> None:
    """No battery behind the clock: silence until the network has set it, then on as after any downtime."""
    bus = Bus(DAILY, at("2026-05-04 08:00"))
    bus.turn(at("2026-05-04 09:00"))
    found = bus.turn(60.0)
    assert (found.ticks, found.wake_at, found.remark) == ((), at("2026-05-05 09:00"), None)
    assert bus.turn(at("2026-05-04 09:05")).ticks == ()
    assert len(bus.turn(at("2026-05-05 09:00")).ticks) == 1


def test_a_flight_to_the_west_does_not_repeat_the_morning() -> None:
    """Nine in Berlin fired; landed at ten in New York, the next nine is tomorrow's."""
    bus = Bus(DAILY, at("2026-05-04 08:00"))
    bus.turn(at("2026-05-04 09:00"))
    bus.timetable = DAILY.at(NEW_YORK)
    found = bus.turn(at("2026-05-04 10:00", NEW_YORK))
    assert found.ticks == ()
    assert found.wake_at == at("2026-05-05 09:00", NEW_YORK)


def test_a_flight_through_a_night_asleep_catches_up_by_the_old_clock() -> None:
    """Closed at home before nine, opened far away a day later: one tick for the firing that was missed."""
    bus = Bus(DAILY, at("2026-05-04 08:00"))
    bus.timetable = DAILY.at(NEW_YORK)
    found = bus.turn(at("2026-05-05 10:00", NEW_YORK))
    assert [tick.slot for tick in found.ticks] == [at("2026-05-05 09:00")]
    assert bus.turn(at("2026-05-05 10:01", NEW_YORK)).ticks == ()
    assert bus.turn(at("2026-05-06 09:00", NEW_YORK)).ticks != ()


def test_a_zone_that_nobody_knows_any_more_is_left_without_looking_back() -> None:
    """It can't be asked what it missed; the schedule goes on by the new one."""
    cursor = replace(begin(DAILY, MONDAY), place="Atlantis/Poseidonis")
    found = due(DAILY, cursor, MONDAY + 5 * DAY)
    assert found.ticks == ()
    assert found.cursor.place == "Europe/Berlin"
    assert found.wake_at == at("2026-05-09 09:00")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(6))
def test_a_week_with_random_downtime(mode: str, seed: int) -> None:
    """Against a plain retelling: what passed while the bus was down is caught up, all else fires on time."""
    rng = random.Random(seed)
    timetable = replace(HOURLY, line=cron_line("*/10 7-20 * * *"), catch_up=mode)
    slots = list(timetable.firings(MONDAY, MONDAY + 9 * DAY))
    bus, expected, now, wake_at = Bus(timetable, MONDAY), list[float](), MONDAY, slots[0]
    while now < MONDAY + 7 * DAY:
        slept = rng.random() < 0.05
        later = now + rng.uniform(300, 10 * HOUR) if slept else wake_at + rng.uniform(0, 20)
        missed = [slot for slot in slots if now < slot <= later]
        if mode == "all":
            expected += missed
        elif missed and (mode == "one" or later - missed[-1] <= 60):
            expected.append(missed[-1])
        now = later
        wake_at = bus.turn(now).wake_at or 0.0
    assert bus.fired == [slot for slot in expected if slot <= now]
    assert len(bus.fired) > 100


STEPS = st.lists(
    st.tuples(st.floats(-3 * DAY, 3 * DAY) | st.floats(0.0, 2 * HOUR), st.booleans()), min_size=1, max_size=40
)
RULES = st.sampled_from(
    [
        HOURLY,
        DAILY,
        Timetable(name="a", every=437.5, jitter=900.0),
        Timetable(name="b", line=cron_line("*/20 1-3 * * *"), zone=BERLIN, jitter=60.0),
        Timetable(name="c", every=0.1 * 7000, max_firings=9),
        Timetable(name="d", once_at=at("2026-10-25 03:00")),
    ]
)


@settings(max_examples=300)
@given(rule=RULES, mode=st.sampled_from(MODES), steps=STEPS)
def test_whatever_the_clock_does_no_slot_fires_twice_and_the_cursor_never_goes_back(
    rule: Timetable, mode: str, steps: list[tuple[float, bool]]
) -> None:
    """Random steps of the clock in both directions, with a restart from disk before every turn."""
    now = at("2026-10-24 12:00")
    bus = Bus(replace(rule, catch_up=mode), now)
    mark = cursor_of(bus.saved).slot
    for step, _ in steps:
        now += step
        found = bus.turn(now)
        assert all(tick.at <= now for tick in found.ticks)
        assert found.wake_at is None or found.wake_at > now
        assert found.cursor.slot >= mark
        mark = found.cursor.slot
    assert len(bus.keys) == len(set(bus.keys))
    assert rule.max_firings is None or len(bus.fired) <= rule.max_firings


@settings(max_examples=200)
@given(rule=RULES, steps=STEPS)
def test_under_all_nothing_is_lost_whenever_the_bus_dies(
    rule: Timetable, steps: list[tuple[float, bool]]
) -> None:
    """Time only passes; turns die between the tick and the cursor: what fired is what the timetable says."""
    start = now = at("2026-10-24 12:00")
    bus = Bus(replace(rule, catch_up="all", max_firings=None), now)
    for step, crash in steps:
        now += abs(step) / 6
        bus.turn(now, crash=crash)
    bus.turn(now)
    shift = bus.timetable.offset
    assert bus.fired == [round(fired - shift, 6) for fired in bus.timetable.firings(start, now)]


@given(slot=st.floats(0, 4e9), over=st.lists(st.tuples(st.floats(0, 4e9), st.floats(0, 4e9)), max_size=3))
def test_a_cursor_survives_the_file(slot: float, over: list[tuple[float, float]]) -> None:
    """To the microsecond, which is what slots are rounded to."""
    cursor = Cursor(
        slot=round(slot, 6),
        fingerprint="f",
        place="Europe/Berlin",
        fired=7,
        passed_over=tuple((round(start, 6), round(end, 6)) for start, end in over),
    )
    members = json.loads(json.dumps(cursor.dump()))
    assert cursor_of(members) == cursor
    # An earlier version knew one stretch at most.
    for known in cursor.passed_over[:1]:
        assert cursor_of(members | {"passed_over": members["passed_over"][0]}).passed_over == (known,)
    assert cursor_of(members | {"passed_over": None}).passed_over == ()


@pytest.mark.parametrize(
    "broken", [{}, {"slot": 5, "fingerprint": ""}, {"slot": "now", "fingerprint": ""}, []]
)
def test_what_is_no_cursor_is_refused(broken: dict[str, object]) -> None:
    """It is set aside by whoever read it, never taken for a fresh one."""
    with pytest.raises(ValueError, match=r"."):
        cursor_of(broken)


def test_the_first_turn_of_a_slot_that_is_exactly_now_fires_it_later() -> None:
    """A schedule seen at nine sharp has its first firing tomorrow: the moment of the edit is past."""
    assert due(DAILY, None, at("2026-05-04 09:00")).wake_at == at("2026-05-05 09:00")
    assert datetime.fromtimestamp(due(DAILY, None, 0.0).cursor.slot, UTC).year == 1970
