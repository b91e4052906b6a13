"""What becomes of a consumer that ended: started again, parked, or let go."""

from __future__ import annotations

import pytest

from cadencebus.policy.upkeep import (
    LONG_LIFE,
    LONGEST_WAIT,
    SILENT,
    STARTING,
    LetGo,
    Park,
    Restart,
    Upkeep,
    after_death,
    hangs,
    spell,
)


def waits(*lives: float, code: int | None = 1) -> list[float | str]:
    """Let it die again and again; the waits between, or the reason of the park."""
    upkeep, found = Upkeep(), list[float | str]()
    for lived in lives:
        decision = after_death(upkeep, lived=lived, code=code)
        if not isinstance(decision, Restart):
            return [*found, decision.reason]
        found.append(decision.after)
        upkeep = decision.upkeep
    return found


def test_the_waits_double_from_two_seconds_to_two_minutes() -> None:
    """However often it dies, as long as it begins to work each time."""
    assert waits(*[11.0] * 9) == [2, 4, 8, 16, 32, 64, LONGEST_WAIT, LONGEST_WAIT, LONGEST_WAIT]


def test_five_quick_deaths_in_a_row_park_it() -> None:
    """Not four, and not five with a longer life between."""
    assert waits(*[1.0] * 4) == [2, 4, 8, 16]
    assert "died 5 times in a row within 10 s of its start (exit 1)" in str(waits(*[1.0] * 5)[-1])
    assert waits(1, 1, 1, 1, 10.0, 1, 1, 1, 1)[-1] == LONGEST_WAIT
    assert "died 5 times" in str(waits(1, 1, 1, 1, 10.0, *[1.0] * 5)[-1])


def test_a_long_life_makes_the_next_wait_short_again() -> None:
    """A consumer that crashes once a day waits two seconds each time."""
    assert waits(11, 11, 11, LONG_LIFE, 11) == [2, 4, 8, 2, 4]


@pytest.mark.parametrize("lived", [0.1, 1e6])
def test_what_a_person_must_mend_is_parked_at_once(lived: float) -> None:
    """Exit 78, however long it had lived."""
    assert isinstance(after_death(Upkeep(), lived=lived, code=78), Park)


@pytest.mark.parametrize("code", [0, 75])
def test_a_wish_and_another_consumer_do_not_loop(code: int) -> None:
    """Nobody is started against another one, or against the operator."""
    assert isinstance(after_death(Upkeep(), lived=0.1, code=code), LetGo)


@pytest.mark.parametrize("code", [None, -9, -15, -11, 1, 74, 77])
def test_everything_else_is_a_crash(code: int | None) -> None:
    """A signal, a fault of its own, a disk."""
    assert waits(60, code=code) == [2.0]


def test_silence_counts_from_the_first_beat_and_longer_before_it() -> None:
    """A large home takes its time to be mended."""
    assert not hangs(SILENT, within=SILENT, has_beaten=True)
    assert hangs(SILENT + 1, within=SILENT, has_beaten=True)
    assert not hangs(SILENT * STARTING, within=SILENT, has_beaten=False)
    assert hangs(SILENT * STARTING + 1, within=SILENT, has_beaten=False)


def test_an_end_is_spelled_for_people() -> None:
    """Codes, signals, and what nobody saw."""
    spelled = [spell(code) for code in (3, 0, -1, -9, None)]
    assert spelled == ["exit 3", "exit 0", "signal 1", "signal 9", "nobody saw how"]
