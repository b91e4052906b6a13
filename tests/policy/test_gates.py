"""The gates' answers, as tables: what is said, what is unknown, and what was said last."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.settings import LoadGate, MemoryGate, PressureGate, UsageGate
from cadencebus.policy import gates
from cadencebus.policy.gates import Answer, Reading

USAGE, DESK = UsageGate(command=("u",)), PressureGate(dir="p")


@pytest.mark.parametrize(
    ("printed", "percent"),
    [
        ("90", 90.0),
        ("90%\n", 90.0),
        ("five hours: 12.5 %", 12.5),
        ("some log line 7\n\n42\n \n", 42.0),
        ("0", 0.0),
        ("105", 105.0),
        ("", None),
        ("\n \n", None),
        ("unknown", None),
        ("12 of 40", None),
        ("-3", None),
        ("1e3", None),
        ("1234", None),
        ("v2.1.0", None),
    ],
)
def test_a_usage_command_says_one_number(printed: str, percent: float | None) -> None:
    """On its last line; two numbers, or none, are no answer."""
    assert gates.utilisation(printed) == percent


@pytest.mark.parametrize(
    ("reading", "shut", "at_most", "failing"),
    [
        (Reading(value=89.9), False, 0, False),
        (Reading(value=90.0), True, 0, False),
        (Reading(value=0.0), False, 0, False),
        # Carried while it is young enough, and then it is unknown.
        (Reading(value=95.0, age=600, fault="it hangs"), True, 0, True),
        (Reading(value=10.0, age=600, fault="it hangs"), False, 0, True),
        (Reading(value=10.0, age=601, fault="it hangs"), True, 1, True),
        (Reading(fault="it hangs"), True, 1, True),
        (Reading(), True, 1, False),
    ],
)
def test_what_is_unknown_is_never_zero(reading: Reading, shut: bool, at_most: int, failing: bool) -> None:
    """The last good value is carried for ten askings or ten minutes, then one session at a time goes."""
    answer = gates.usage(USAGE, reading)
    assert (answer.shut, answer.at_most, answer.failing) == (shut, at_most, failing)
    assert answer.extra == ({"at_most": at_most} if at_most else {})
    assert reading.fault in answer.detail
    assert ("ago; since then:" in answer.detail) == (
        failing and reading.age <= 600 and reading.value is not None
    )


def test_a_slow_gate_carries_its_value_for_ten_askings() -> None:
    """An hourly one for ten hours."""
    hourly = UsageGate(command=("u",), every=3600)
    assert not gates.usage(hourly, Reading(value=10, age=36000, fault="x")).shut
    assert gates.usage(hourly, Reading(value=10, age=36001, fault="x")).shut


@pytest.mark.parametrize(
    ("who", "fault", "waited", "shut"),
    [
        (None, "", 0, False),
        ("ann", "", 0, True),
        ("ann", "", 599.9, True),
        ("ann", "", 600, False),
        (None, "gone", 0, False),
    ],
)
def test_starts_wait_for_a_person_but_not_for_ever(
    who: str | None, fault: str, waited: float, shut: bool
) -> None:
    """Ten minutes at most."""
    assert gates.pressure(PressureGate(dir="p"), who, Reading(fault=fault), waited).shut is shut


GONE = Reading(fault="gone")


@pytest.mark.parametrize(
    ("answer", "shut", "failing", "detail"),
    [
        (gates.usage(USAGE, Reading(value=89.9)), False, False, "89.9 % of the plan is used, {from90}"),
        (
            gates.usage(USAGE, Reading(value=95, age=600, fault="it hangs")),
            *(True, True, "95 % of the plan is used, {from90} (10m ago; since then: it hangs)"),
        ),
        (gates.usage(USAGE, Reading()), True, False, "{used}: nothing was told yet; one session at a time"),
        (gates.usage(USAGE, GONE), True, True, "{used}: gone; one session at a time"),
        (gates.usage(replace(USAGE, on_error="hold"), GONE), True, True, "{used}: gone (on_error: hold)"),
        (
            gates.usage(replace(USAGE, on_error="ignore"), GONE),
            False,
            True,
            "{used}: gone (on_error: ignore)",
        ),
        (gates.pressure(DESK, None, Reading(), 600), False, False, "nobody is at work"),
        (gates.pressure(DESK, "ann", Reading(), 0), True, False, "ann is at work"),
        (
            gates.pressure(DESK, "ann", Reading(), 600),
            *(False, False, "ann is at work, but 10m is the longest that starts wait for it"),
        ),
        (
            gates.pressure(replace(DESK, on_error="hold"), None, GONE, 0),
            *(True, True, "whether somebody works is unknown: gone (on_error: hold)"),
        ),
        (gates.load(LoadGate(), GONE), False, True, "the machine's load is unknown: gone (on_error: ignore)"),
        (
            gates.load(LoadGate(on_error="hold"), GONE),
            *(True, True, "the machine's load is unknown: gone (on_error: hold)"),
        ),
        (
            gates.memory(MemoryGate(on_error="hold"), GONE),
            *(True, True, "how much memory is free is unknown: gone (on_error: hold)"),
        ),
        (
            gates.load(LoadGate(), Reading(value=0.9)),
            *(True, False, "load 0.90 per core, new runs wait above 0.85"),
        ),
        (
            gates.memory(MemoryGate(), Reading(value=499)),
            *(True, False, "499 MB of memory are free, new runs wait below 500"),
        ),
    ],
)
def test_each_answer_says_what_it_rests_on(answer: Answer, shut: bool, failing: bool, detail: str) -> None:
    """A gate that can't be asked follows its own policy, and says which."""
    said = detail.format(from90="new runs wait from 90 %", used="how much of the plan is used is unknown")
    assert (answer.shut, answer.failing, answer.detail) == (shut, failing, said)


@pytest.mark.parametrize(
    ("age", "said", "counts"),
    [
        (0, "", True),
        (299, "", True),
        (300, "", False),
        (59, "1m\nann at her desk", True),
        (60, "1m", False),
        (61, " 1m \nann at her desk", False),
        (4000, "2h", True),
        (299, "who knows", True),
        # Touched before the clock was set back.
        (-299, "", True),
        (-300, "", False),
        (-86400, "", False),
    ],
)
def test_a_presence_file_counts_for_its_time_to_live(age: float, said: str, counts: bool) -> None:
    """Its own, where its first line says one."""
    assert gates.present(age, said, 300.0) is counts


def test_a_busy_machine_and_a_full_one_wait() -> None:
    """Just at the line they do not."""
    assert not gates.load(LoadGate(), Reading(value=0.85)).shut
    assert gates.load(LoadGate(), Reading(value=0.86)).shut
    assert not gates.memory(MemoryGate(), Reading(value=500)).shut
    assert gates.memory(MemoryGate(), Reading(value=499)).shut


@given(st.text(max_size=60))
def test_whatever_a_command_prints_is_a_per_cent_or_nothing(printed: str) -> None:
    """Never an error."""
    value = gates.utilisation(printed)
    assert value is None or 0 <= value < 1000
