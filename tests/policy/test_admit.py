"""Who may start: decision tables, and what holds for every crowd."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadencebus.model.cadence import Cadence
from cadencebus.model.hold import Hold, hold_of
from cadencebus.policy.admit import Admission, Caps, Running, Wait, Waiting, admit, run_of

NOW = 1_800_000_000.0


def head(cadence: str, **more: Any) -> Waiting:
    """Put a tick at the head of a cadence's queue."""
    return Waiting(
        **{"cadence": cadence, "file": f"5-20261121T023000.000000Z-{cadence}-7f3k9q2m.json", **more}
    )


def hold(scope: str, reason: str = "paused", until: float | None = None) -> Hold:
    """Hold something."""
    return Hold(scope=scope, reason=reason, since=NOW - 60, until=until, by="operator")


def decide(
    waiting: list[Waiting],
    running: list[Running] | None = None,
    holds: list[Hold] | None = None,
    sessions: int = 2,
) -> Admission:
    """Ask admit."""
    return admit(waiting, running or [], holds or [], Caps(sessions=sessions, inline=1), now=NOW)


def names(admission: Admission) -> list[str]:
    """Name who starts, in order."""
    return [start.cadence for start in admission.starts]


def test_slots_are_given_by_priority_then_to_who_waited_longest() -> None:
    """Priority 0 first; among equals the one whose last start is longest ago."""
    crowd = [head("a", last_started=9), head("b", last_started=1), head("c", priority=0, last_started=99)]
    answer = decide(crowd)
    assert names(answer) == ["c", "b"]
    assert answer.waits["a"].reason == "full"
    first = head("z", file="5-20261121T022959.000000Z-z-7f3k9q2m.json")
    assert names(decide([head("a"), first, head("b")])) == ["z", "a"], "then to whose tick is the oldest"


def test_of_one_cadence_one_starts() -> None:
    """Whoever asks for two at once."""
    twice = [head("a", force=True), head("a")]
    assert names(decide(twice)) == ["a"]


def test_a_run_takes_the_room_that_its_cadence_asks_for() -> None:
    """Beside the slots where it is inline, alone where it is exclusive."""
    assert run_of(Cadence(name="a", group=2, exclusive=True), "claude") == Running(
        cadence="a", credentials="claude", group=2, inline=False, exclusive=True
    )
    assert run_of(Cadence(name="a", mode="inline"), "").inline


def test_a_wait_is_told_as_json() -> None:
    """With its end, where that is known."""
    told = {"reason": "full", "detail": "d", "until": None}
    assert Wait("full", "d").dump() == told
    assert Wait("full", "d", NOW).dump() == told | {"until": "2027-01-15T08:00:00.000000Z"}


@pytest.mark.parametrize(
    ("members", "lasting"),
    [
        (None, True),
        ({"until": None, "by": "nightly-backup"}, True),
        ({"until": None, "by": "consumer"}, False),
        ({"until": "2027-02-01T00:00:00Z", "by": "nightly-backup"}, False),
    ],
)
def test_who_waits_is_told_whether_the_hold_ends_by_itself(
    members: dict[str, Any] | None, lasting: bool
) -> None:
    """Torn or somebody's own without an end, it lasts until a hand removes it, whatever its reason."""
    held = hold_of("cadence-a.network.json", members, seen=NOW)
    assert held is not None
    assert decide([head("a")], holds=[held]).waits["a"].lasting == lasting


@pytest.mark.parametrize("scope", ["bus", "cadence-a", "credentials-claude"])
def test_a_hold_covers_what_it_names_and_nothing_else(scope: str) -> None:
    """A held cadence at the head never delays another."""
    answer = decide(
        [head("a", priority=0, credentials="claude"), head("b", credentials="codex")], holds=[hold(scope)]
    )
    assert names(answer) == ([] if scope == "bus" else ["b"])
    assert answer.waits["a"].reason == "paused"


def test_a_hold_that_is_over_holds_nothing() -> None:
    """Its end has passed, or is nonsense: further ahead than the hold was ever long."""
    past = Hold(scope="cadence-a", reason="backoff", since=NOW - 60, until=NOW - 1)
    nonsense = Hold(scope="cadence-a", reason="circuit_open", since=NOW + 80000, until=NOW + 90000)
    assert names(decide([head("a")], holds=[past, nonsense])) == ["a"]
    pause = Hold(scope="cadence-a", reason="paused", since=NOW + 80000, until=NOW + 90000, by="operator")
    assert names(decide([head("a")], holds=[pause])) == [], "an operator's pause stands"


def test_the_longest_hold_is_the_reason_that_is_told() -> None:
    """Several may cover one cadence."""
    answer = decide(
        [head("a")], holds=[hold("bus", "load", NOW + 5), hold("cadence-a", "circuit_open", NOW + 500)]
    )
    assert (answer.waits["a"].reason, answer.waits["a"].until) == ("circuit_open", NOW + 500)


def test_force_passes_caps_and_holds() -> None:
    """Never STOP, which the consumer looks at before it asks."""
    crowd = [head("a", force=True)]
    assert names(decide(crowd, [Running(cadence="a"), Running(cadence="b")], [hold("bus")])) == ["a"]


def test_concurrency_is_kept_and_a_half_open_circuit_lets_one_probe_through() -> None:
    """However many a cadence may have at a time."""
    busy = [Running(cadence="a"), Running(cadence="a")]
    assert names(decide([head("a", concurrency=3)], busy, sessions=9)) == ["a"]
    assert names(decide([head("a", concurrency=2)], busy, sessions=9)) == []
    probing = decide([head("a", concurrency=3, half_open=True)], busy[:1], sessions=9)
    assert probing.waits["a"].reason == "probing"
    assert names(decide([head("a", half_open=True)])) == ["a"]


def test_zero_sessions_drain() -> None:
    """Nothing new starts, and the reason says so."""
    assert decide([head("a")], sessions=0).waits["a"].reason == "drain"


def test_inline_commands_run_beside_the_slots() -> None:
    """They have places of their own."""
    full = [Running(cadence="x"), Running(cadence="y")]
    assert names(decide([head("a"), head("b", inline=True)], full)) == ["b"]
    assert names(decide([head("b", inline=True)], [Running(cadence="c", inline=True)])) == []


def test_a_run_that_is_being_settled_takes_no_slot_but_keeps_its_cadence_busy() -> None:
    """Its processes are gone; whether it failed is not known yet."""
    landing = [Running(cadence="a", landing=True), Running(cadence="b", landing=True)]
    answer = decide([head("a"), head("c")], landing, sessions=1)
    assert names(answer) == ["c"]
    assert answer.waits["a"].reason == "running"
    beside = Running(cadence="a", inline=True, landing=True)
    assert names(decide([head("b", inline=True)], [beside])) == ["b"]


def test_lower_groups_drain_first_and_a_held_one_is_not_waited_for() -> None:
    """A late lower one joins at once."""
    assert names(decide([head("a", group=2), head("b", group=1), head("c")])) == ["c", "b"]
    assert names(decide([head("a", group=2)], [Running(cadence="b", group=1)])) == []
    assert names(decide([head("a", group=2), head("b", group=1)], holds=[hold("cadence-b")])) == ["a"]


def test_an_exclusive_cadence_waits_for_an_empty_house_and_holds_the_others_back() -> None:
    """Or it would never find the house empty."""
    crowd = [head("alone", exclusive=True, priority=1), head("b")]
    waiting = decide(crowd, [Running(cadence="x")])
    assert names(waiting) == []
    assert waiting.waits == {
        "alone": Wait("exclusive", "waits until nothing else runs"),
        "b": Wait("exclusive", "alone waits to run alone"),
    }
    assert names(decide(crowd)) == ["alone"]
    busy = decide([head("b")], [Running(cadence="alone", exclusive=True)])
    assert (busy.starts, busy.waits) == ((), {"b": Wait("exclusive", "alone runs alone")})


CROWD = st.lists(
    st.builds(
        head,
        st.sampled_from("abcdefgh"),
        priority=st.integers(0, 9),
        group=st.one_of(st.none(), st.integers(0, 2)),
        inline=st.booleans(),
        exclusive=st.booleans(),
        half_open=st.booleans(),
        concurrency=st.integers(1, 2),
        last_started=st.floats(0, 9),
    ),
    unique_by=lambda one: one.cadence,
)
AT_WORK = st.lists(
    st.builds(Running, cadence=st.sampled_from("abcdefgh"), inline=st.booleans(), landing=st.booleans()),
    max_size=4,
)
HOLDS = st.lists(
    st.builds(hold, st.sampled_from(["bus", "cadence-a", "cadence-b", "credentials-command"])), max_size=2
)


@given(CROWD, AT_WORK, HOLDS, st.integers(0, 3))
def test_whatever_the_crowd_no_cap_and_no_hold_is_broken(
    crowd: list[Waiting], at_work: list[Running], holds: list[Hold], sessions: int
) -> None:
    """Everybody starts or is told why not; held ones never start; slots are never overdrawn."""
    answer = decide(crowd, at_work, holds, sessions)
    assert {w.cadence for w in crowd} == set(names(answer)) | set(answer.waits)
    assert not set(names(answer)) & set(answer.waits)
    scopes = {one.scope for one in holds}
    for start in answer.starts:
        assert not scopes & {"bus", f"cadence-{start.cadence}", f"credentials-{start.credentials}"}
        assert sum(r.cadence == start.cadence for r in at_work) < start.concurrency
    took = sum(1 for r in at_work if not r.inline and not r.landing)
    assert sum(1 for s in answer.starts if not s.inline) <= max(0, sessions - took)


@given(CROWD, AT_WORK)
def test_a_hold_on_one_cadence_changes_nothing_for_ungrouped_others(
    crowd: list[Waiting], at_work: list[Running]
) -> None:
    """With room for all, whether `a` is held makes no difference to anybody else."""
    plain = [
        Waiting(cadence=w.cadence, file=w.file, priority=w.priority, last_started=w.last_started)
        for w in crowd
    ]
    free = set(names(decide(plain, at_work, sessions=99)))
    held = set(names(decide(plain, at_work, [hold("cadence-a")], sessions=99)))
    assert free - {"a"} == held


def few(scope: str, at_most: int) -> Hold:
    """Hold something, but for a few."""
    extra = {"at_most": at_most}
    return Hold(scope=scope, reason="usage", since=NOW - 60, until=NOW + 60, extra=extra)


def test_a_hold_may_let_a_few_sessions_through() -> None:
    """Those that go on already count; commands beside the slots do not; others are not meant."""
    crowd = [head("a"), head("b"), head("c", inline=True)]
    answer = decide(crowd, holds=[few("bus", 1)], sessions=9)
    assert names(answer) == ["a", "c"]
    assert (answer.waits["b"].reason, answer.waits["b"].until) == ("usage", NOW + 60)
    assert names(decide(crowd, [Running(cadence="x")], [few("bus", 1)], sessions=9)) == ["c"]
    mine = [head("a", credentials="anthropic"), head("b", credentials="openai")]
    at_work = [Running(cadence="x", credentials="anthropic")]
    assert names(decide(mine, at_work, [few("credentials-anthropic", 1)], sessions=9)) == ["b"]
    assert names(decide(mine, at_work, [few("credentials-openai", 1)], sessions=9)) == ["a", "b"]
    assert names(decide([head("a", force=True)], at_work, [few("bus", 1)], sessions=9)) == ["a"]


def test_a_run_that_is_being_settled_counts_for_no_hold_that_lets_a_few_through() -> None:
    """Its session is over; one beside the slots never was one."""
    at_work = [Running(cadence="x", landing=True), Running(cadence="y", inline=True)]
    assert names(decide([head("a")], at_work, [few("bus", 1)], sessions=9)) == ["a"]


def test_inline_places_are_taken_one_by_one() -> None:
    """As many as there are, no more."""
    crowd = [head(name, inline=True) for name in "abc"]
    answer = admit(crowd, [], [], Caps(sessions=0, inline=2), now=NOW)
    assert names(answer) == ["a", "b"]
    assert answer.waits["c"].reason == "full"


def test_of_two_holds_the_stricter_one_holds() -> None:
    """A pause beside a probing hold is a pause."""
    assert names(decide([head("a")], holds=[few("bus", 3), hold("cadence-a")], sessions=9)) == []


@given(CROWD, AT_WORK, st.integers(1, 3))
def test_no_more_than_a_few_pass_a_hold_that_lets_a_few_through(
    crowd: list[Waiting], at_work: list[Running], at_most: int
) -> None:
    """Whoever waits and whatever runs."""
    answer = decide(crowd, at_work, [few("bus", at_most)], sessions=99)
    took = sum(1 for run in at_work if not run.inline and not run.landing)
    assert sum(1 for start in answer.starts if not start.inline) <= max(0, at_most - took)


@given(st.integers(1, 40), st.integers(1, 4), st.permutations("abcde"))
def test_nobody_of_equal_rank_starts_twice_before_another_starts_once(
    turns: int, sessions: int, order: list[str]
) -> None:
    """Fairness: whoever started longest ago goes first, whatever the names."""
    started = dict.fromkeys(order, 0.0)
    count = dict.fromkeys(order, 0)
    for turn in range(1, turns + 1):
        crowd = [head(name, last_started=started[name]) for name in order]
        for nth, start in enumerate(decide(crowd, sessions=sessions).starts):
            started[start.cadence] = turn + nth / 100
            count[start.cadence] += 1
    assert max(count.values()) - min(count.values()) <= 1
