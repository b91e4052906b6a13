"""The gates' answers, as tables: what is said, what is unknown, and what was said last."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.settings import LoadGate, MemoryGate, PressureGate, UsageGate
from cadencebus.policy import gates
from cadencebus.policy.gates import Reading

USAGE = UsageGate(command=("u",))


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


@pytest.mark.parametrize(("policy", "shut", "at_most"), [("hold", True, 0), ("ignore", False, 0)])
def test_the_policy_of_a_failing_usage_gate_is_said(policy: str, shut: bool, at_most: int) -> None:
    """Not only followed."""
    answer = gates.usage(UsageGate(command=("u",), on_error=policy), Reading(fault="gone"))  # type: ignore[arg-type]
    assert (answer.shut, answer.at_most) == (shut, at_most)
    assert f"on_error: {policy}" in answer.detail


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


def test_a_failing_gate_follows_its_own_policy() -> None:
    """And says so."""
    hold = gates.pressure(PressureGate(dir="p", on_error="hold"), None, Reading(fault="gone"), 0)
    assert (hold.shut, hold.failing) == (True, True)
    assert "gone" in hold.detail
    assert "on_error: hold" in hold.detail
    assert gates.load(LoadGate(), Reading(fault="?")).failing
    assert not gates.load(LoadGate(), Reading(fault="?")).shut
    assert gates.memory(MemoryGate(on_error="hold"), Reading(fault="?")).shut


@pytest.mark.parametrize(
    ("age", "said", "counts"),
    [
        (0, "", True),
        (299, "", True),
        (300, "", False),
        (59, "1m\nann at her desk", True),
        (60, "1m", False),
        (4000, "2h", True),
        (299, "who knows", True),
        # Touched before the clock was set back.
        (-299, "", True),
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
