"""The index knows by name what waits, in the order in which `ls` shows it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadencebus.daemon.index import Calendar, Index, cadence_in
from cadencebus.model.naming import Name, parse_deferred

CADENCES = ["a", "b.c", "d-e"]
RANDOM = "0123456789abcdefghjkmnpqrstvwxyz"

names = st.builds(
    "{}-20261121T0000{:02}.000000Z-{}-{}.json".format,
    st.integers(0, 9),
    st.integers(0, 59),
    st.sampled_from(CADENCES),
    st.sampled_from([8 * letter for letter in RANDOM]),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), names),
        st.tuples(st.just("discard"), names),
        st.tuples(st.just("fill"), st.lists(names, max_size=6)),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(steps)
def test_whatever_comes_and_goes_each_queue_is_what_ls_would_show(history: list[tuple[str, object]]) -> None:
    """Heads, counts and queues agree with a plain set at every step."""
    index, waiting = Index(), set[str]()
    for what, names_given in history:
        if what == "add":
            assert index.add(str(names_given)) is (names_given not in waiting)
            waiting.add(str(names_given))
        elif what == "discard":
            assert index.discard(str(names_given)) is (names_given in waiting)
            waiting.discard(str(names_given))
        else:
            assert isinstance(names_given, list)
            assert index.fill(names_given) == []
            waiting.update(names_given)
        for cadence in CADENCES:
            queue = sorted(file for file in waiting if cadence_in(file) == cadence)
            assert list(index.queue(cadence)) == queue
            assert index.head(cadence) == (queue[0] if queue else None)
            assert index.count(cadence) == len(queue)
        assert sorted(index.cadences()) == sorted({str(cadence_in(file)) for file in waiting})
        assert set(index.names()) == waiting


@settings(max_examples=100)
@given(st.lists(names, unique=True, max_size=30), st.integers(0, 30))
def test_what_is_fresh_is_told_once(files: list[str], asked_after: int) -> None:
    """What came since somebody last asked: nothing twice, nothing left out."""
    index = Index()
    told: list[str] = []
    for at, file in enumerate(files):
        if at == asked_after:
            told += [one for cadence in CADENCES for one in index.take_fresh(cadence)]
        index.add(file)
    told += [one for cadence in CADENCES for one in index.take_fresh(cadence)]
    assert sorted(told) == sorted(files)


def test_a_name_that_is_not_canonical_is_no_name_of_the_index() -> None:
    """It would have no cadence and no place in the order."""
    good = "5-20261121T000000.000000Z-a-00000000.json"
    strange = [
        "x.json",
        "5-20261121T000000.000000Z-a..b-00000000.json",
        good.upper(),
        f"{good}\n",
        "",
        f".{good}",
    ]
    index = Index()
    assert index.fill([good, *strange]) == strange
    assert not any(index.add(file) for file in strange)
    assert set(index.names()) == {good}


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 59), names), unique=True, max_size=40), st.integers(0, 59))
def test_what_is_due_comes_out_in_the_order_of_its_time_and_once(
    late: list[tuple[int, str]], now: int
) -> None:
    """A tick that is due is due at once: not one second is left in the calendar."""
    files = {f"20261122T0000{second:02}.000000Z~{name}" for second, name in late}
    calendar = Calendar()
    for file in files:
        assert calendar.add(file)
        assert not calendar.add(file)
    stamp = f"20261122T0000{now:02}.000000Z"
    due = sorted(file for file in files if file[: len(stamp)] <= stamp)
    assert calendar.due(stamp) == due
    assert calendar.due(stamp) == []
    assert calendar.first() == min(files - set(due), default=None)
    assert len(calendar) == len(files) - len(due)


deferred_today = names.map("20261128T235959.999999Z~{}".format)
stamps = st.builds(
    "{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}Z".format,
    st.sampled_from([0, 1, 1999, 2024, 2026]),
    *(st.integers(0, most) for most in (13, 32, 25, 61, 61, 1)),
)


@settings(max_examples=200)
@given(
    st.lists(
        st.builds(
            "{}{}{}-{}-{}-{}{}".format,
            stamps,
            st.sampled_from(["~", "~", "-"]),
            st.integers(0, 10),
            stamps,
            st.sampled_from(["x", "a.b", "a..b", "-", ""]),
            st.sampled_from(["7f3k9q2m", "7f3k9q2l", "7f3k"]),
            st.sampled_from([".json", ".json", ".json.raw"]),
        ),
        max_size=20,
    ),
    deferred_today,
)
def test_at_a_start_the_calendar_takes_up_what_the_parser_would(files: list[str], sound: str) -> None:
    """At a glance, or taken apart: what says no time, or no possible one, would wait for ever."""
    calendar = Calendar()
    strange = calendar.fill([*files, sound])
    assert sorted(set(strange)) == sorted({file for file in files if parse_deferred(file) is None})
    assert set(calendar.names()) == {sound, *files} - set(strange)


IDS = [f"20261121T000000.00000{n}Z-{8 * letter}" for n in range(2) for letter in "ab"]
deferred = st.builds(
    lambda tick_id, day: f"202611{day}T000000.000000Z~5-{tick_id[:23]}-x{tick_id[23:]}.json",
    st.sampled_from(IDS),
    st.integers(22, 24),
)


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "ask", "due"]), deferred), max_size=30))
def test_the_calendar_knows_the_ids_of_its_names(steps: list[tuple[str, str]]) -> None:
    """Whether it was asked early or late, and with one id under two due times."""
    calendar = Calendar()
    there: set[str] = set()
    for what, file in steps:
        tick_id = f"{file[26:49]}-{file[-13:-5]}"
        if what == "add":
            assert calendar.add(file) == (file not in there)
            there.add(file)
        elif what == "discard":
            calendar.discard(file)
            there.discard(file)
        elif what == "due":
            there -= set(calendar.due(file[:23]))
        assert what != "ask" or calendar.of(tick_id) == sorted(
            f for f in there if tick_id[:23] in f[26:] and tick_id[-8:] in f
        )
    assert {f"{file[26:49]}-{file[-13:-5]}" for file in there} == set(filter(calendar.of, IDS))


def test_many_are_asked_for_at_the_price_of_one() -> None:
    """A producer that names its own ids must not have each of them searched among all that is deferred."""
    calendar = Calendar()
    name = "20261122T000000.000000Z~5-20261121T000000.{:06d}Z-x-abcdefgh.json"
    calendar.fill(map(name.format, range(20_000)))
    began = time.process_time()
    assert (
        sum(len(calendar.of(f"20261121T000000.{number:06d}Z-abcdefgh")) for number in range(20_005)) == 20_000
    )
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(("others", "told"), [(3, True), (1000, False)])
def test_an_id_is_looked_for_in_a_few_queues_of_others(others: int, told: bool) -> None:
    """With thousands of them a flood of files would stop the turns for seconds; the claim finds it too."""
    index, one = Index(), Name(5, "20261121T000000.000000Z", "x", "7f3k9q2m")
    for number in range(others):
        index.add(Name(5, one.stamp, f"c{number}", "aaaaaaaa").file)
    assert not index.elsewhere(one)
    index.add(Name(7, one.stamp, "y", one.random).file)
    assert bool(index.elsewhere(one)) is told
