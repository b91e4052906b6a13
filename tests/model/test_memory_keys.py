"""A memory that rules would stumble over is as unreadable as a torn one."""

from __future__ import annotations

import pytest

from cadencebus.model.memory_keys import KEYS, check_memory

AT = "2026-11-21T12:00:00.000000Z"
CIRCUIT = {"since": AT, "until": AT, "length": 1800.0, "failures": 3, "reason": "it failed"}
NETWORK = {"since": AT, "tries": 3, "held": 0}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"failures": 0, "circuit": None, "streaks": {}, "last_ok_at": None, "last_run": None, "averages": {}},
        {"failures": 3, "circuit": CIRCUIT, "recent": [AT], "applied": ["x.1"], "spent": {"2026-11-21": 0.5}},
        {"streaks": {"turn_budget": 4}, "averages": {"runs": 2, "seconds": 1.5}, "last_run": {"run": "x.1"}},
        {"limits": {"max_turns": 5, "max_usd": None, "changed_at": None}, "dead_in_a_row": 1},
        {"network": NETWORK, "no_resources": 2, "no_resources_at": AT},
        {"rate_limited": 1, "rate_limited_at": AT, "session_id": "abc", "session_run": "x.1"},
        {"of somebody's own": [object()]},
    ],
)
def test_what_rules_write_is_right(members: dict[str, object]) -> None:
    """And so is what they never look at."""
    check_memory(members)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("failures", "many"),
        ("failures", -1),
        ("failures", True),
        ("failures", 1.5),
        ("circuit", "yes"),
        ("circuit", {}),
        *(("circuit", {key: value for key, value in CIRCUIT.items() if key != gone}) for gone in CIRCUIT),
        ("circuit", {**CIRCUIT, "until": "soon"}),
        ("circuit", {**CIRCUIT, "length": float("inf")}),
        ("streaks", []),
        ("streaks", {"turn_budget": "four"}),
        ("dead_in_a_row", []),
        ("averages", {"seconds": None}),
        ("last_run", "x.1"),
        ("last_ok_at", 0),
        ("session_id", 7),
        ("session_run", ["x.1"]),
        ("recent", None),
        ("recent", AT),
        ("recent", ["2026-13-01T00:00:00Z"]),
        ("applied", [1]),
        ("limits", 4),
        ("limits", {"changed_at": "lately"}),
        ("spent", {"2026-11-21": "much"}),
        ("network", {}),
        ("network", {**NETWORK, "tries": None}),
        ("no_resources", "x"),
        ("no_resources_at", None),
        ("rate_limited", {}),
        ("rate_limited_at", 5),
    ],
)
def test_what_no_rule_could_work_with_is_refused(key: str, value: object) -> None:
    """By its key, and with what stands there."""
    with pytest.raises(ValueError, match=rf"^{key}: .+ makes no sense$"):
        check_memory({key: value})


def test_every_key_is_asked_about_here() -> None:
    """A key that is added wants its line above."""
    for key in KEYS:
        with pytest.raises(ValueError, match=key):
            check_memory({key: object()})
