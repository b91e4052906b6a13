"""A hold is one file, readable by anyone: its name says whom it covers, its content why and until when."""

from __future__ import annotations

from typing import Any

import pytest

from cadencebus.clock import rfc3339
from cadencebus.model import strictjson
from cadencebus.model.hold import OPERATOR, Hold, hold_event, hold_of, parse_hold_name

NOW = 1795262400.0
SET = {
    "scope": "bus",
    "reason": "paused",
    "since": rfc3339(NOW - 60),
    "until": rfc3339(NOW + 60),
    "by": "ann",
}


def read(file: str, **members: Any) -> Hold:
    """Read a hold that somebody wrote."""
    hold = hold_of(file, members, seen=NOW)
    assert hold is not None
    return hold


def test_what_is_written_is_read_as_the_same() -> None:
    """With what belongs to its reason."""
    hold = Hold(
        scope="cadence-x", reason="config", since=NOW, detail="why", extra={"cadence": "x", "at_most": 1}
    )
    assert hold_of(hold.file, hold.dump(), seen=0.0) == hold
    assert hold.file == "cadence-x.config.json"


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("bus.paused.json", ("bus", "paused")),
        ("cadence-a.b.backoff.json", ("cadence-a.b", "backoff")),
        ("notes.json", ("bus", "unreadable")),
        (".json", None),
        ("x..json", ("bus", "unreadable")),
        (".x.y.json", None),
        ("bus.paused.json~", None),
        ("README", None),
    ],
)
def test_the_name_of_a_file_says_whom_it_covers_and_why(file: str, named: tuple[str, str] | None) -> None:
    """What is no hold of ours is one on all of the bus, but for hidden files and other endings."""
    assert parse_hold_name(file) == named
    assert (hold_of(file, None, seen=NOW) is None) == (named is None)


@pytest.mark.parametrize(
    "members", [None, {"since": 5}, {"until": "soon"}, {"since": "2026-13-01T00:00:00Z"}]
)
def test_what_can_not_be_read_holds_until_somebody_removes_it(members: dict[str, object] | None) -> None:
    """Nobody knows until when it was meant."""
    hold = hold_of("cadence-x.backoff.json", members, seen=NOW)
    assert hold is not None
    assert (hold.scope, hold.reason, hold.until, hold.by) == ("cadence-x", "backoff", None, OPERATOR)
    assert not hold.over(NOW + 1e9)
    assert "until somebody removes it" in hold.detail


@pytest.mark.parametrize(
    ("reason", "until", "by", "lasting", "own"),
    [
        ("backoff", None, "consumer", False, True),
        ("auth", None, "consumer", True, True),
        ("auth", NOW, "consumer", False, True),
        ("backoff", None, "ann", True, False),
        ("backoff", NOW, OPERATOR, False, False),
    ],
)
def test_a_hold_lasts_where_only_a_hand_can_end_it(
    reason: str,
    until: float | None,
    by: str,
    lasting: bool,
    own: bool,
) -> None:
    """What somebody else has put there, and what waiting does not mend; an end of its own is an end."""
    hold = Hold(scope="bus", reason=reason, since=NOW, until=until, by=by)
    assert (hold.lasting, hold.own) == (lasting, own)


@pytest.mark.parametrize("members", [SET, {"since": 5}])
def test_an_unknown_scope_is_the_whole_bus_and_goes_by_its_own_name(members: dict[str, Any]) -> None:
    """What `rm` removes is what held."""
    hold = read("house.fire.json", **members)
    assert (hold.scope, hold.reason, hold.file) == ("bus", "fire", "house.fire.json")


@pytest.mark.parametrize(
    ("since", "until", "by", "over"),
    [
        (NOW - 60, None, "consumer", False),
        (NOW - 60, NOW, "consumer", True),
        (NOW - 60, NOW + 1, "consumer", False),
        # The clock was set back: further ahead than it was ever long.
        (NOW + 500, NOW + 560, "consumer", True),
        (NOW + 500, NOW + 560, OPERATOR, False),
        (NOW + 1, NOW + 61, "consumer", False),
    ],
)
def test_a_hold_is_over_at_its_end(since: float, until: float | None, by: str, over: bool) -> None:
    """Or where its end is nonsense; an operator's pause stands whatever the clock does."""
    assert Hold(scope="bus", reason="paused", since=since, until=until, by=by).over(NOW) is over


@pytest.mark.parametrize(
    ("extra", "through", "changes"),
    [
        (None, 0, None),
        ({"at_most": 2}, 2, None),
        ({"at_most": -2}, 0, None),
        ({"at_most": True}, 0, None),
        ({"at_most": "2"}, 0, None),
        ({"at_most": 1, "probe_at": rfc3339(NOW + 60), "probe_every": 60}, 0, NOW + 60),
        ({"at_most": 1, "probe_at": rfc3339(NOW + 61), "probe_every": 60}, 0, NOW + 61),
        ({"at_most": 1, "probe_at": rfc3339(NOW + 61.1), "probe_every": 60}, 1, None),
        ({"at_most": 1, "probe_at": rfc3339(NOW), "probe_every": 60}, 1, None),
        ({"at_most": 1, "probe_at": rfc3339(NOW + 900), "probe_every": 60}, 1, None),
        ({"at_most": 1, "probe_at": "soon", "probe_every": 60}, 1, None),
        ({"at_most": 1, "probe_at": rfc3339(NOW + 60), "probe_every": "often"}, 1, None),
    ],
)
def test_a_probing_hold_lets_a_few_through(
    extra: dict[str, object] | None, through: int, changes: float | None
) -> None:
    """Not before its time, unless that lies further ahead than it was ever long."""
    hold = Hold(scope="bus", reason="network", since=NOW - 60, extra=extra)
    assert (hold.lets_through(NOW), hold.changes_at(NOW)) == (through, changes)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("bus", True),
        ("cadence-x", True),
        ("credentials-c", True),
        ("cadence-y", False),
        ("credentials-d", False),
    ],
)
def test_a_hold_covers_its_scope(scope: str, covered: bool) -> None:
    """All, one cadence, or all that use the same credentials."""
    assert Hold(scope=scope, reason="paused", since=NOW).covers("x", "c") is covered


def test_the_journal_can_hold_the_name_of_any_file() -> None:
    """It may be made of bytes that are no text: a line must be written all the same."""
    event = hold_event("hold.released", "cadence-x\udcff.backoff.json")
    assert strictjson.loads(strictjson.dumps(event)) == {
        "event": "hold.released",
        "hold": r"cadence-x\xff.backoff.json",
        "scope": r"cadence-x\xff",
        "reason": "backoff",
        "cadence": r"x\xff",
    }
    assert hold_event("hold.set", "bus.paused.json")["cadence"] is None
