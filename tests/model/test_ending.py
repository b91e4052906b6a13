"""The note of a stop, which outlives whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from cadencebus.model.ending import Result, Stop, Tokens


def test_a_stop_is_read_back_as_it_was_written() -> None:
    """The first writer wins, and any of three programs may read it."""
    stop = Stop(klass="timeout", by="shim", at=1795230000.25, requeue=True, detail="ran longer than 60 s")
    assert stop.dump() == {
        "class": "timeout",
        "by": "shim",
        "requeue": True,
        "at": "2026-11-21T03:00:00.250000Z",
        "detail": "ran longer than 60 s",
    }
    assert Stop.parse(stop.dump()) == stop


def test_a_stop_needs_no_more_than_class_author_and_time() -> None:
    """Requeue only on a plain true."""
    note = {"class": "killed", "by": "operator", "at": "2026-11-21T03:00:00Z", "requeue": "yes", "new": 1}
    stop = Stop.parse(note)
    assert (stop.klass, stop.requeue, stop.detail) == ("killed", False, "")


@pytest.mark.parametrize(
    "note",
    [
        {},
        {"class": "killed", "by": "operator"},
        {"class": 7, "by": "operator", "at": "2026-11-21T03:00:00Z"},
        {"class": "killed", "by": "operator", "at": "yesterday"},
    ],
)
def test_what_is_no_stop_is_an_error_and_never_a_guess(note: dict[str, Any]) -> None:
    """Half a note would end a run for the wrong reason."""
    with pytest.raises(ValueError, match=r"."):
        Stop.parse(note)


def test_a_result_is_good_only_if_nothing_speaks_against_it() -> None:
    """Both the subtype and the flag."""
    assert Result(subtype="success", is_error=False).good
    assert not Result(subtype="success", is_error=True).good
    assert not Result(subtype="error_max_turns", is_error=False).good


def test_tokens_have_the_names_of_run_json() -> None:
    """As jq finds them."""
    assert Tokens(input=1, output=2).dump() == {"input": 1, "output": 2, "cache_read": 0, "cache_creation": 0}
