"""What the rules read of a memory, and what they write back is spelled as it was."""

from __future__ import annotations

from cadencebus.clock import parse_rfc3339
from cadencebus.model.memory import (
    BusMemory,
    CadenceMemory,
    CredentialsMemory,
    Spending,
    Streak,
    bus_memory,
    cadence_memory,
    credentials_memory,
)

AT, UNTIL = "2026-11-21T12:00:00.123456Z", "2026-11-21T12:30:00.654321Z"
CIRCUIT = {
    "state": "open",
    "since": AT,
    "until": UNTIL,
    "length": 1800.0,
    "failures": 3,
    "reason": "it failed",
}
OUTAGE = {"since": AT, "tries": 3, "held": 1}


def test_of_what_is_not_remembered_nothing_is_known() -> None:
    """A null says the same as a key that is missing: both were written by some version."""
    assert cadence_memory({}) == CadenceMemory()
    nulls = dict.fromkeys(("failures", "circuit", "streaks", "averages", "last_run", "session_id", "limits"))
    assert cadence_memory(nulls) == CadenceMemory()
    assert bus_memory({"network": None, "no_resources": None}) == BusMemory()
    assert credentials_memory({"rate_limited": None}) == CredentialsMemory()


def test_what_a_rule_carries_on_is_written_as_it_was_read() -> None:
    """To the microsecond: a circuit is looked at by more than one program."""
    circuit = cadence_memory({"circuit": CIRCUIT}).circuit
    assert circuit is not None
    assert list(circuit.dump().items()) == list(CIRCUIT.items())
    outage = bus_memory({"network": OUTAGE}).outage
    assert outage is not None
    assert list(outage.dump().items()) == list(OUTAGE.items())


def test_a_session_is_that_of_the_run_which_had_it() -> None:
    """Memories of earlier versions know the last run only."""
    assert cadence_memory({"last_run": {"run": "x.1"}}).session_run == "x.1"
    assert cadence_memory({"last_run": {"run": "x.2"}, "session_run": "x.1"}).session_run == "x.1"


def test_streaks_and_money_are_read_alike_of_all_who_have_them() -> None:
    """Of the bus as of a cadence, of credentials as of the machine."""
    bus = bus_memory({"no_resources": 2, "no_resources_at": AT, "spent": {"2026-11-21": 1.5}})
    assert bus.no_resources == Streak(count=2, at=parse_rfc3339(AT))
    assert (bus.spending.on("2026-11-21"), bus.spending.on("2026-11-22")) == (1.5, 0.0)
    limited = credentials_memory({"rate_limited": 2, "rate_limited_at": AT})
    assert limited.rate_limited == bus.no_resources
    spent = cadence_memory({"spent": {"2026-11-21": 1.5}, "warned": "2026-11-21"}).spending
    assert spent == Spending(by_day={"2026-11-21": 1.5}, warned="2026-11-21")
